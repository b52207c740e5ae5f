"""SRCNN 9-1-5 at x3 on training sets of different size: the curves of one figure."""

from dataclasses import replace

from lecture_utils.recipe import Recipe
from lecture_utils.runtime import Run
from lecture_utils.super_resolution.srcnn import SRCNN
from lecture_utils.super_resolution.training import (
    Variant,
    ablation,
    ablation_settings,
)


def variants(run: Run, steps: int) -> dict[str, Variant]:
    """Return the trainings: three images, T91, and all that is found."""
    settings = ablation_settings(run, steps)
    return {
        "3 images": Variant(SRCNN, replace(settings, sets=("t91",), images=3)),
        "T91": Variant(SRCNN, replace(settings, sets=("t91",))),
        "T91, BSDS500 and ImageNet": Variant(SRCNN, settings),
    }


RECIPE = Recipe(
    "Ablation: SRCNN on training sets of different size",
    ablation(variants, book=4_000),
)
