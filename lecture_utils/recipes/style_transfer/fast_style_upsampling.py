"""Ablation: the transform network with repeated pixels and with fractionally strided convolutions."""

from pathlib import Path

from lecture_utils.recipe import Recipe, Result
from lecture_utils.runtime import Run
from lecture_utils.style_transfer.training import fast_style, train_variants


def _train(run: Run, state: Path, progress: bool) -> Result:
    variants = {
        name: fast_style(
            run,
            "starry_night",
            upsampling=name,
            steps=run.pick(ci=2, book=1_500, full=20_000),
            optimised=1,
        )
        for name in ("nearest", "transposed")
    }
    return train_variants(run, state, progress, variants)


RECIPE = Recipe("Ablation: two ways to enlarge in fast style", _train)
