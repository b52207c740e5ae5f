"""What the ablations share: short trainings of equal length, whose curves are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from torch import nn

from lecture_utils.models._initial import pass_through
from lecture_utils.recipes import Result
from lecture_utils.recipes._super_resolution import Settings, Variant, train_variants
from lecture_utils.runtime import Run

Variants = Callable[[Run, int], Mapping[str, Variant]]


def srcnn_settings(run: Run, steps: int) -> Settings:
    """Return the choices that all ablations of SRCNN start from."""
    return Settings(scales=(3,), steps=steps, batch=run.pick(ci=2, book=16, full=64), patch=36)


def trainer(variants: Variants, *, book: int, ship: bool = False) -> Callable[..., Result]:
    """Return a recipe's function: train every variant, ``book`` steps each in profile ``book``."""

    def train(run: Run, state: Path | None, progress: bool) -> Result:
        steps = run.pick(ci=10, book=book, full=20 * book)
        return train_variants(run, state, progress, variants(run, steps), ship=ship)

    return train


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

    def __init__(self, filters: tuple[int, ...], widths: tuple[int, ...]) -> None:
        sizes = (1, *widths, 1)
        layers: list[nn.Module] = []
        for n_in, n_out, size in zip(sizes[:-1], sizes[1:], filters, strict=True):
            layer = nn.Conv2d(n_in, n_out, size, padding=size // 2)
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
            if n_out == 1:
                nn.init.normal_(layer.weight, std=1e-3)
            pass_through(layer)
            layers += [layer, nn.ReLU()]
        super().__init__(*layers[:-1])
