"""SRCNN 9-1-5 at x3 on training sets of different size: the curves of one figure."""

from dataclasses import replace

from lecture_utils.models.srcnn import SRCNN
from lecture_utils.recipes import Recipe
from lecture_utils.recipes._ablation import srcnn_settings, trainer
from lecture_utils.recipes._super_resolution import Variant
from lecture_utils.runtime import Run


def variants(run: Run, steps: int) -> dict[str, Variant]:
    """Return the trainings: three images, T91, and all that is found."""
    settings = srcnn_settings(run, steps)
    return {
        "3 images": Variant(SRCNN, replace(settings, sets=("t91",), images=3)),
        "T91": Variant(SRCNN, replace(settings, sets=("t91",))),
        "T91, BSDS500 and ImageNet": Variant(SRCNN, settings),
    }


RECIPE = Recipe("Ablation: SRCNN on training sets of different size", trainer(variants, book=4_000))
