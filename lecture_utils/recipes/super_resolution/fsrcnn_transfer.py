"""FSRCNN at x2 and x4, from scratch and from that of x3: how much time the transfer saves."""

from collections.abc import Callable
from functools import partial

from torch import nn

from lecture_utils.recipe import Recipe
from lecture_utils.runtime import Run
from lecture_utils.super_resolution.fsrcnn import FSRCNN
from lecture_utils.super_resolution.training import (
    Settings,
    Variant,
    ablation,
    start_from_scale,
)


def _transferred(scale: int, *, frozen: bool) -> Callable[[], nn.Module]:
    """Return what builds FSRCNN from that of x3, whose features stay as they are if ``frozen``."""

    def build() -> nn.Module:
        network = FSRCNN(scale)
        start_from_scale(network, "fsrcnn_x3")
        network.features.requires_grad_(not frozen)
        return network

    return build


def variants(run: Run, steps: int) -> dict[str, Variant]:
    """Return the trainings: from scratch, all layers from x3's, only the deconvolution."""
    found: dict[str, Variant] = {}
    for scale in (2, 4):
        settings = Settings(
            scales=(scale,),
            steps=steps,
            batch=run.pick(ci=4, book=16, full=64),
            patch=20,
            learning_rate=2e-3,
        )
        ways: dict[str, Callable[[], nn.Module]] = {
            "from scratch": partial(FSRCNN, scale),
            "all layers from x3": _transferred(scale, frozen=False),
            "deconvolution only": _transferred(scale, frozen=True),
        }
        found |= {
            f"x{scale}, {name}": Variant(build, settings)
            for name, build in ways.items()
        }
    return found


RECIPE = Recipe(
    "Ablation: FSRCNN from the layers of another scale",
    ablation(variants, book=3_000),
)
