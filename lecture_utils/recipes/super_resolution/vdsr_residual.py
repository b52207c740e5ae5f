"""VDSR with and without the residual, at low and high learning rates, with and without clipping.

Plain gradient descent with momentum and the paper's loss, half the squared error summed over a
patch, so that learning rates mean what they mean there. x3, 20 layers of 32. The low rate is the
largest power of ten at which the network without the residual does not diverge. The last training
is the book's own choice, Adam and the mean absolute error, for the same number of steps.
"""

from dataclasses import replace
from functools import partial

from lecture_utils.recipe import Recipe
from lecture_utils.runtime import Run
from lecture_utils.super_resolution.training import Settings, Variant, ablation
from lecture_utils.super_resolution.vdsr import VDSR

WIDTH = 32


def variants(run: Run, steps: int) -> dict[str, Variant]:
    """Return the trainings."""
    adam = Settings(
        scales=(3,),
        steps=steps,
        batch=run.pick(ci=2, book=16, full=64),
        patch=36,
        learning_rate=3e-4,
    )
    settings = replace(adam, optimizer="sgd", loss="sum", clip=float("inf"))
    high = replace(settings, learning_rate=0.1)
    clipped = replace(high, clip_update=3e-5)
    low = replace(settings, learning_rate=1e-5)
    residual, plain = (
        partial(VDSR, width=WIDTH),
        partial(VDSR, width=WIDTH, residual=False),
    )
    return {
        "residual, high rate, clipped": Variant(residual, clipped),
        "no residual, high rate, clipped": Variant(plain, clipped),
        "residual, low rate": Variant(residual, low),
        "no residual, low rate": Variant(plain, low),
        "residual, high rate, not clipped": Variant(residual, high),
        "residual, Adam": Variant(residual, adam),
    }


RECIPE = Recipe(
    "Ablation: VDSR's residual and its learning rate",
    ablation(variants, book=2_500),
)
