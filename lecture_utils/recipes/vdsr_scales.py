"""VDSR on every set of training scales, as in its paper's table; 20 layers of 32 here.

The seven networks are a quarter of VDSR's size each, so that the comparison fits an evening on two
cores; the recipe ``vdsr`` trains the full network on all three scales.
"""

from functools import partial
from itertools import combinations

from lecture_utils.models.vdsr import VDSR
from lecture_utils.recipes import Recipe
from lecture_utils.recipes._ablation import trainer
from lecture_utils.recipes._super_resolution import Settings, Variant
from lecture_utils.runtime import Run

SCALES = (2, 3, 4)
WIDTH = 32


def variants(run: Run, steps: int) -> dict[str, Variant]:
    """Return the trainings, by their scales: x2, x3, x4, x2,3, x2,4, x3,4 and x2,3,4."""
    return {
        "x" + ",".join(map(str, scales)): Variant(
            partial(VDSR, width=WIDTH),
            Settings(
                scales=scales,
                steps=steps,
                batch=run.pick(ci=2, book=16, full=64),
                patch=36,
            ),
        )
        for count in (1, 2, 3)
        for scales in combinations(SCALES, count)
    }


RECIPE = Recipe(
    "VDSR's table: every set of training scales (20 layers of 32)",
    trainer(variants, book=6_000, ship=True),
)
