"""SRCNN at x3 with middle filters of 1, 3 and 5 pixels: the curves of one figure."""

from functools import partial

from lecture_utils.recipe import Recipe
from lecture_utils.runtime import Run
from lecture_utils.super_resolution.srcnn import SRCNN
from lecture_utils.super_resolution.training import (
    Variant,
    ablation,
    ablation_settings,
)


def variants(run: Run, steps: int) -> dict[str, Variant]:
    """Return the trainings: 9-1-5, 9-3-5 and 9-5-5."""
    settings = ablation_settings(run, steps)
    return {
        f"9-{middle}-5": Variant(partial(SRCNN, (9, middle, 5)), settings)
        for middle in (1, 3, 5)
    }


RECIPE = Recipe(
    "Ablation: SRCNN with several filter sizes", ablation(variants, book=4_000)
)
