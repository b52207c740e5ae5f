"""SRCNN at x3 with more layers: the curves of one figure."""

from functools import partial

from lecture_utils.recipes import Recipe
from lecture_utils.recipes._ablation import PlainCascade, srcnn_settings, trainer
from lecture_utils.recipes._super_resolution import Variant
from lecture_utils.runtime import Run


def variants(run: Run, steps: int) -> dict[str, Variant]:
    """Return the trainings: three, four and five layers, with middle filters of 1 and of 3."""
    settings = srcnn_settings(run, steps)
    networks = {
        "9-1-5": ((9, 1, 5), (64, 32)),
        "9-1-1-5": ((9, 1, 1, 5), (64, 32, 16)),
        "9-1-1-1-5": ((9, 1, 1, 1, 5), (64, 32, 16, 16)),
        "9-3-5": ((9, 3, 5), (64, 32)),
        "9-3-3-5": ((9, 3, 3, 5), (64, 32, 16)),
    }
    return {
        name: Variant(partial(PlainCascade, filters, widths), settings)
        for name, (filters, widths) in networks.items()
    }


RECIPE = Recipe("Ablation: SRCNN with more layers", trainer(variants, book=4_000))
