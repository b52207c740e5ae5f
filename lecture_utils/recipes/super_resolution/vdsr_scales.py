"""VDSR on every set of training scales, as in its paper's table; 20 layers of 32 here.

The seven networks are a quarter of VDSR's size each, so that the comparison fits an evening on two
cores; the recipe ``vdsr`` trains the full network on all three scales. Each network is measured at
all three scales, also at those that it was not trained for. Each takes equally many steps for each
of its scales: a joint network trains as long as the single ones that it replaces together.
"""

from functools import partial
from itertools import combinations
from pathlib import Path

from lecture_utils.recipe import Recipe, Result
from lecture_utils.runtime import Run
from lecture_utils.super_resolution.training import (
    Settings,
    Variant,
    ablation,
    report,
    variant_tensors,
)
from lecture_utils.super_resolution.vdsr import VDSR

SCALES = (2, 3, 4)
WIDTH = 32


def variants(run: Run, steps: int) -> dict[str, Variant]:
    """Return the trainings, by their scales: x2, x3, x4, x2,3, x2,4, x3,4 and x2,3,4."""
    return {
        "x" + ",".join(map(str, scales)): Variant(
            partial(VDSR, width=WIDTH),
            Settings(
                scales=scales,
                steps=steps * len(scales),
                batch=run.pick(ci=2, book=16, full=64),
                patch=36,
                learning_rate=3e-4,
                evaluations=8,
            ),
        )
        for count in (1, 2, 3)
        for scales in combinations(SCALES, count)
    }


def _train(run: Run, state: Path | None, progress: bool) -> Result:
    result = ablation(variants, book=3_000, ship=True)(run, state, progress)
    for name, variant in variants(run, 1).items():
        network = variant.build().to(run.device)
        tensors = variant_tensors(result.tensors, name)
        if not tensors:  # it diverged
            continue
        network.load_state_dict(tensors)
        foreign = tuple(s for s in SCALES if s not in variant.settings.scales)
        metrics = report(run, network, foreign, variant.settings.colour)
        result.metrics.update(
            {f"{name}: {key}": value for key, value in metrics.items()}
        )
    return result


RECIPE = Recipe(
    "VDSR's table: every set of training scales (20 layers of 32)", _train
)
