"""The drawings of the section on DCGAN, open figures for `lecture_utils.show.figure`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from lecture_utils.generation.dcgan import widths
from lecture_utils.show import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLUE, _ORANGE, _GREEN = COLOURS[:3]


def architecture(size: int, width: int, latent: int) -> Figure:
    """Draw the maps of both players as blocks, with their shapes and the layers between them."""
    import matplotlib.pyplot as plt

    maps = widths(size, width)
    places = [4 << k for k in range(len(maps))]
    shapes = [f"{n}\n{p} × {p}" for n, p in zip(maps, places, strict=True)] + [
        f"3\n{size} × {size}"
    ]
    inner = [*zip(maps, places, strict=True), (3, size)]
    fig, axes = plt.subplots(2, 1, figsize=(7.5, 5.2))
    _blocks(
        axes[0],
        [(latent, 1), *inner],
        [f"$z$\n{latent}", *shapes],
        "generator: after the first, each arrow doubles; batch normalisation"
        " and ReLU follow, tanh at the end",
        _BLUE,
    )
    _blocks(
        axes[1],
        [*inner[::-1], (1, 1)],
        [*shapes[::-1], "logit\n1"],
        "discriminator: each arrow is a convolution of stride 2 with leaky"
        " ReLU",
        _ORANGE,
    )
    return fig


def _blocks(
    ax: Axes,
    shapes: Sequence[tuple[int, int]],
    labels: Sequence[str],
    title: str,
    colour: str,
) -> None:
    """Draw one block a map: as high as its pixels, as wide as its channels, both on a root scale."""
    from matplotlib.patches import Rectangle

    x, middles = 0.0, []
    for (channels, places), label in zip(shapes, labels, strict=True):
        high = 0.16 * places**0.6
        wide = 0.05 + 0.03 * channels**0.5
        box = (x, -high / 2)
        ax.add_patch(Rectangle(box, wide, high, facecolor=colour, alpha=0.35))
        ax.text(x + wide / 2, -1.08, label, ha="center", va="top", size=8.5)
        middles.append((x, x + wide))
        x += wide + 0.55
    for (_, right), (left, _) in pairwise(middles):
        ax.annotate(
            "",
            (left - 0.05, 0),
            (right + 0.05, 0),
            arrowprops={"arrowstyle": "->", "color": "0.35"},
        )
    ax.set(xlim=(-0.3, x - 0.2), ylim=(-1.75, 1.1))
    ax.set_title(title, size=9)
    ax.axis("off")


def transposed(S: Tensor, sums: Mapping[str, Tensor]) -> Figure:
    """Draw a strided convolution's matrix, its transpose, and how often each output is written to.

    Parameters
    ----------
    S
        The matrix, (m, n).
    sums
        By the name of a filter, the sum of the weights that reach each output place.
    """
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(
        1, 3, figsize=(7.5, 2.9), width_ratios=(1, 0.62, 1.3)
    )
    limit = float(S.abs().max())
    for ax, matrix, title in (
        (axes[0], S, "$S$: stride 2"),
        (axes[1], S.T, "$S^T$: stride 1/2"),
    ):
        ax.imshow(matrix, cmap="Greys", vmin=0, vmax=limit)
        ax.set_title(title)
        ax.set(xticks=[], yticks=[])
        for (i, j), value in np.ndenumerate(matrix.numpy()):
            if value:
                dark = value > 0.6 * limit
                ax.text(
                    j,
                    i,
                    f"{value:g}",
                    ha="center",
                    va="center",
                    size=8,
                    color="white" if dark else "black",
                )
    for (name, values), colour, style in zip(
        sums.items(), (_ORANGE, _BLUE), ("o-", "s--"), strict=True
    ):
        axes[2].plot(values, style, color=colour, label=name, ms=4)
    axes[2].set(xlabel="output place", ylim=(0, None))
    axes[2].set_title("sum of the weights")
    axes[2].legend(loc="lower center", fontsize=8)
    return fig


def curves(
    history: Mapping[str, Sequence[tuple[int, float]]],
    names: Sequence[str],
    key: str,
    *,
    ylabel: str,
    batch: int,
    levels: Mapping[str, float] | None = None,
) -> Figure:
    """Draw one logged number of several trainings against the images shown.

    Parameters
    ----------
    history
        A record's, by ``VARIANT: CURVE``.
    names, key
        Variants and the curve.
    ylabel
        What it is.
    batch
        Images of a step.
    levels
        Horizontal lines by name.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(7.5, 3.4))
    styles = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))
    marks = "osv^D*"
    for k, name in enumerate(names):
        curve = history.get(f"{name}: {key}", [])
        steps = np.array([step for step, _ in curve])
        ax.plot(
            steps * batch / 1000,
            [value for _, value in curve],
            ls=styles[k % 6],
            marker=marks[k % 6],
            ms=4,
            color=COLOURS[k % len(COLOURS)],
            label=name,
        )
    for name, value in (levels or {}).items():
        ax.axhline(value, color="0.5", lw=1)
        ax.text(
            0.01,
            value,
            name,
            transform=ax.get_yaxis_transform(),
            color="0.35",
            va="bottom",
            size=8,
        )
    ax.set(
        xlabel="thousand images shown",
        ylabel=ylabel,
        xlim=(0, None),
        ylim=(0, None),
    )
    ax.grid(True)
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)
    return fig


def sheet(images: Tensor, columns: int, zoom: int = 1) -> Tensor:
    """Put images (N, C, H, W) beside and below one another, each pixel ``zoom`` times as large."""
    from torchvision.utils import make_grid

    large = (
        images.clip(0, 1)
        .repeat_interleave(zoom, -1)
        .repeat_interleave(zoom, -2)
    )
    whole: Tensor = make_grid(large, nrow=columns, padding=2, pad_value=1)
    return whole


def arithmetic(
    terms: Mapping[str, tuple[Tensor, Tensor]], around: Tensor
) -> Figure:
    """Draw the samples of each term above their mean code's image, and the result's neighbours.

    Parameters
    ----------
    terms
        By title: three samples, (3, 3, H, W), and the image of their mean code, (3, H, W).
    around
        Nine images, that of the result in the middle.
    """
    import matplotlib.pyplot as plt

    fig = plt.figure(figsize=(7.5, 3.6))
    grid = fig.add_gridspec(1, len(terms) + 1, width_ratios=(1, 1, 1, 2.6))
    for k, (title, (samples, mean)) in enumerate(terms.items()):
        column = grid[k].subgridspec(2, 1, height_ratios=(3, 1.3))
        above, below = (
            fig.add_subplot(column[0]),
            fig.add_subplot(column[1]),
        )
        above.imshow(sheet(samples, 1).permute(1, 2, 0))
        above.set_title(title, size=9)
        below.imshow(mean.clip(0, 1).permute(1, 2, 0))
        below.set_title("mean", size=8)
        for ax in (above, below):
            ax.axis("off")
    ax = fig.add_subplot(grid[len(terms)])
    ax.imshow(sheet(around, 3).permute(1, 2, 0))
    ax.set_title("result (centre) and neighbours", size=9)
    ax.axis("off")
    return fig


def steps(
    lengths: Mapping[str, Sequence[float]],
    norms: Mapping[str, Sequence[float]],
) -> Figure:
    """Draw the lengths of codes along paths, and of the steps in feature space, by path."""
    import matplotlib.pyplot as plt

    fig, (left, right) = plt.subplots(1, 2, figsize=(7.5, 2.8))
    for ax, values in ((left, norms), (right, lengths)):
        for k, (name, numbers) in enumerate(values.items()):
            share = torch.linspace(0, 1, len(numbers))
            ax.plot(
                share,
                numbers,
                ls=("-", "--", ":")[k],
                marker="os^"[k],
                ms=4,
                color=COLOURS[k],
                label=name,
            )
        ax.set(xlabel="along the path", ylim=(0, None))
        ax.grid(True)
        ax.legend(fontsize=8)
    left.set_title("length of the code")
    right.set_title("step in feature space")
    return fig
