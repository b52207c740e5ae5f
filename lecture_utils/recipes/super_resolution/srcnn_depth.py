"""SRCNN at x3 with more layers: the curves of one figure."""

from functools import partial

from torch import nn

from lecture_utils.recipe import Recipe
from lecture_utils.runtime import Run
from lecture_utils.super_resolution.initialisation import pass_through
from lecture_utils.super_resolution.training import (
    Variant,
    ablation,
    ablation_settings,
)


class PlainCascade(nn.Sequential):
    """Convolutions with rectifiers between them: SRCNN with any number of layers.

    Parameters
    ----------
    filters
        Size of each filter, such as (9, 1, 1, 5).
    widths
        Feature maps after each layer but the last.
    """

    interpolated = True  # the input is the bi-cubically enlarged LR image

    def __init__(
        self, filters: tuple[int, ...], widths: tuple[int, ...]
    ) -> None:
        sizes = (1, *widths, 1)
        layers: list[nn.Module] = []
        for n_in, n_out, size in zip(
            sizes[:-1], sizes[1:], filters, strict=True
        ):
            layer = nn.Conv2d(n_in, n_out, size, padding=size // 2)
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
            if n_out == 1:
                nn.init.normal_(layer.weight, std=1e-3)
            pass_through(layer)
            layers += [layer, nn.ReLU()]
        super().__init__(*layers[:-1])


def variants(run: Run, steps: int) -> dict[str, Variant]:
    """Return the trainings: three, four and five layers, with middle filters of 1 and of 3."""
    settings = ablation_settings(run, steps)
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


RECIPE = Recipe(
    "Ablation: SRCNN with more layers", ablation(variants, book=4_000)
)
