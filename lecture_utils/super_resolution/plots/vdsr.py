"""The drawings of the section on VDSR.

Every function returns an open figure for `lecture_utils.show.figure`, which gives it its caption.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lecture_utils.layout import place
from lecture_utils.show import COLOURS, DPI

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lecture_utils.checkpoints import Record

Array = NDArray[Any]
Curve = Sequence[tuple[int, float]]

_BLUE, _ORANGE, _GREEN, _PINK, _YELLOW, _SKY, _BLACK = COLOURS
_LOOKS = (
    (_BLUE, "-"),
    (_ORANGE, "-"),
    (_BLUE, "--"),
    (_ORANGE, "--"),
    (_BLACK, ":"),
    (_GREEN, "-."),
)


def architecture(ilr: Array, detail: Array, sr: Array) -> Figure:
    """Draw the 20 layers and the connection around them; the images are grey, (H, W), 8 bits."""
    import matplotlib.pyplot as plt
    from matplotlib.patches import FancyBboxPatch

    width, height = 1440, 470
    fig = plt.figure(figsize=(width / DPI, height / DPI), layout="none")
    ax = fig.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(height, 0))
    ax.set_axis_off()
    middle, low, plus = 170, 370, 1196
    zoom = 150 // ilr.shape[0]
    dots = zoom * ilr.shape[0]
    top = middle - dots // 2
    lefts = (14, 982, width - 14 - dots)
    names = (
        "$\\boldsymbol{x}^{\\mathrm{ILR}}$",
        "detail",
        "$\\boldsymbol{x}^{\\mathrm{SR}}$",
    )
    for left, name, image in zip(lefts, names, (ilr, detail, sr), strict=True):
        place(fig, image, left, top, zoom, name, cmap="gray", vmin=0, vmax=255)

    boxes = (
        (214, "conv 3×3×1\n64 filters", "layer 1", _SKY),
        (476, "conv 3×3×64\n64 filters", "layers 2 to 19,\n18 times", _SKY),
        (756, "conv 3×3×64\n1 filter", "layer 20", _YELLOW),
    )
    for left, text, below, colour in boxes:
        for shift in (24, 12, 0) if left == boxes[1][0] else (0,):
            ax.add_patch(
                _box(
                    FancyBboxPatch,
                    left + shift,
                    middle - 60 - shift,
                    176,
                    colour,
                )
            )
        ax.text(left + 88, middle, text, ha="center", va="center", size=9)
        ax.text(left + 88, middle + 74, below, ha="center", va="top", size=9)
    arrows = (
        (lefts[0] + dots + 4, 210, ""),
        (394, 472, "ReLU"),
        (680, 752, "ReLU"),
        (936, lefts[1] - 4, ""),
        (lefts[1] + dots + 4, plus - 26, ""),
        (plus + 26, lefts[2] - 4, ""),
    )
    for start, end, text in arrows:
        _arrow(ax, (start, middle), (end, middle))
        ax.text(
            (start + end) / 2,
            middle - 12,
            text,
            ha="center",
            va="bottom",
            size=8,
        )
    box = {"boxstyle": "circle", "fc": "white", "ec": _BLACK, "pad": 0.15}
    ax.text(
        plus,
        middle,
        "+",
        ha="center",
        va="center",
        size=14,
        weight="bold",
        bbox=box,
    )
    x = lefts[0] + dots / 2
    ax.plot([x, x, plus], [top + dots + 8, low, low], color=_ORANGE, lw=2.4)
    _arrow(ax, (plus, low), (plus, middle + 24), _ORANGE)
    text = (
        "residual connection: the input is added to what the 20 layers predict"
    )
    ax.text(640, low + 12, text, ha="center", va="top", color=_ORANGE, size=10)
    return fig


def _box(kind: Any, left: float, top: float, width: float, colour: str) -> Any:
    style = "round,pad=0,rounding_size=10"
    return kind(
        (left, top), width, 120, boxstyle=style, fc=colour, ec="black", lw=0.9
    )


def _arrow(
    ax: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: str = "black",
) -> None:
    ax.annotate(
        "",
        end,
        start,
        arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.6},
    )


def receptive_fields(
    maps: Mapping[str, tuple[Array, int]], lr_pixel: int
) -> Figure:
    """Draw the influence of each input pixel on the output pixel in the middle, on one scale.

    ``maps`` holds, by title, the influence (odd side, in [0, 1], largest 1) and the side of the
    receptive field; a small square shows how large a pixel of the LR image is.
    """
    import matplotlib.pyplot as plt
    from matplotlib.colors import LogNorm
    from matplotlib.patches import Rectangle

    fig, axes = plt.subplots(1, len(maps), figsize=(7.5, 3.9))
    norm = LogNorm(1e-4, 1)
    colours = plt.get_cmap("viridis").copy()
    colours.set_bad("white")
    for ax, (title, (influence, side)) in zip(axes, maps.items(), strict=True):
        half = influence.shape[0] // 2
        extent = (-half - 0.5, half + 0.5, half + 0.5, -half - 0.5)
        seen = np.ma.masked_less_equal(influence, 0)
        drawn = ax.imshow(seen, norm=norm, cmap=colours, extent=extent)
        edge = side / 2
        ax.add_patch(
            Rectangle((-edge, -edge), side, side, fill=False, ec=_ORANGE, lw=2)
        )
        ax.add_patch(
            Rectangle(
                (half - 3.5 - lr_pixel / 2, -half + 2),
                lr_pixel,
                lr_pixel,
                fc="0.4",
            )
        )
        ax.set(
            title=title,
            xlabel="pixels from the middle",
            xticks=(-20, -10, 0, 10, 20),
        )
        ax.set(yticks=(-20, -10, 0, 10, 20))
    fig.colorbar(
        drawn,
        ax=axes,
        label="mean |gradient|, largest = 1",
        extend="min",
        shrink=0.82,
    )
    return fig


def depth(
    norms: Mapping[str, tuple[Array, Array]],
    readouts: Mapping[int, float],
    level: float,
) -> Figure:
    """Draw gradient norms by layer (measured, expected) and what is left of the input by layer."""
    import matplotlib.pyplot as plt

    fig, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.6))
    looks = ((_ORANGE, "s"), (_BLUE, "o"), (_GREEN, "^"))
    for (name, (measured, expected)), (colour, mark) in zip(
        norms.items(), looks, strict=True
    ):
        layers = np.arange(1, len(measured) + 1)
        left.semilogy(layers, measured, mark, color=colour, ms=5, label=name)
        left.semilogy(layers, expected, "--", color=colour, lw=1)
    left.set(title="Gradient, from the last layer back", xlabel="after layer")
    left.set_ylabel("norm, that after layer 19 = 1")
    left.set_xticks((1, 5, 10, 15, 19))
    left.grid(True)
    left.legend(
        title="weights' standard deviation", loc="upper right", fontsize=8.5
    )
    low, high = left.get_ylim()
    left.set_ylim(low, high * 30)
    right.plot(
        list(readouts),
        list(readouts.values()),
        "o-",
        color=_BLUE,
        label="best read-out",
    )
    right.axhline(level, color="0.35", ls=":", label="the residual's level")
    right.set(
        title="The input, read from a layer",
        xlabel="after layer",
        ylabel="PSNR (dB)",
    )
    right.set_xticks((1, 5, 10, 15, 19))
    right.grid(True)
    right.legend()
    return fig


def by_variant(
    record: Record, variants: Iterable[str]
) -> tuple[dict[str, Curve], dict[str, int]]:
    """Return the curve of each variant that a record has, and the steps at which some diverged."""
    found, metrics = record.history, record.metrics
    curves: dict[str, Curve] = {
        name: found.get(f"{name}: held_out_x3_psnr_y", [])
        for name in variants
        if f"{name}: seconds" in metrics
    }
    stops = {
        name: int(metrics[f"{name}: diverged_at_step"])
        for name in curves
        if f"{name}: diverged_at_step" in metrics
    }
    return curves, stops


def trainings(
    curves: Mapping[str, Curve], diverged: Mapping[str, int]
) -> Figure:
    """Draw PSNR over the steps of several trainings: the whole range, and its upper end.

    ``diverged`` gives the step at which a training ended; such a curve may be short or empty.
    """
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, 2, figsize=(7.5, 4.3))
    values = [
        value
        for curve in curves.values()
        for _, value in curve
        if np.isfinite(value)
    ]
    best = max(values, default=1.0)
    bottom = min(values, default=0.0)
    for (name, curve), (colour, style) in zip(
        curves.items(), _LOOKS, strict=False
    ):
        label = (
            f"{name} (diverged at step {diverged[name]})"
            if name in diverged
            else name
        )
        steps, heights = np.array(curve, dtype=float).reshape(-1, 2).T
        mark = "." if len(steps) < 3 else ""
        for ax in axes:
            ax.plot(
                steps,
                heights,
                style,
                marker=mark,
                color=colour,
                label=label,
                lw=1.6,
            )
        if name in diverged:
            for ax, height in zip(axes, (bottom, best - 1.5), strict=True):
                ax.plot(
                    diverged[name],
                    height,
                    "X",
                    ms=9,
                    color=colour,
                    clip_on=False,
                    zorder=5,
                )
    axes[0].set(
        title="All", xlabel="step", ylabel="PSNR on held-out images (dB)"
    )
    axes[1].set(
        title="The upper end", xlabel="step", ylim=(best - 1.5, best + 0.1)
    )
    for ax in axes:
        ax.set_xlim(left=0)
        ax.grid(True)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(
        handles, labels, loc="outside lower center", ncols=2, fontsize=8.5
    )
    return fig


def scales_table(
    rows: Sequence[int],
    columns: Sequence[str],
    lecture: Mapping[str, Sequence[float | None]],
    ours: Mapping[str, Sequence[float | None]],
) -> Figure:
    """Draw PSNR of each training set of scales on each test scale, the lecture's above ours.

    Each cell is coloured by its distance from bi-cubic interpolation, the column "bi-cubic", at the
    same scale; framed are the scales that the network was trained for.
    """
    import matplotlib.pyplot as plt
    from matplotlib.colors import TwoSlopeNorm
    from matplotlib.patches import Rectangle

    norm = TwoSlopeNorm(0, -8, 6)
    colours = plt.get_cmap("PuOr")
    fig, ax = plt.subplots(figsize=(7.5, 3.7))
    ax.set(xlim=(-1.42, len(columns)), ylim=(len(rows) + 0.02, -0.95))
    ax.set_axis_off()
    ax.text(
        -0.12,
        -0.3,
        "trained for",
        ha="right",
        va="center",
        size=9,
        style="italic",
    )
    for column, name in enumerate(columns):
        label = name.replace("x", "× ")
        ax.text(
            column + 0.5,
            -0.3,
            label,
            ha="center",
            va="center",
            size=9,
            weight="bold",
        )
    for row, scale in enumerate(rows):
        ax.text(
            -1.4,
            row + 0.5,
            f"test\n× {scale}",
            ha="left",
            va="center",
            size=9,
            weight="bold",
        )
        for column, name in enumerate(columns):
            for source, numbers, start in (
                ("lecture", lecture, 0.04),
                ("ours", ours, 0.5),
            ):
                value = numbers.get(name, [None] * len(rows))[row]
                base = numbers["bi-cubic"][row]
                shade: Any = "white"
                if (
                    value is not None
                    and base is not None
                    and name != "bi-cubic"
                ):
                    shade = colours(norm(value - base))
                box = Rectangle(
                    (column + 0.03, row + start),
                    0.94,
                    0.46,
                    fc=shade,
                    ec="none",
                )
                ax.add_patch(box)
                text = "–" if value is None else f"{value:.2f}"
                dark = (
                    shade != "white"
                    and np.dot(shade[:3], (0.3, 0.59, 0.11)) < 0.5
                )
                ax.text(
                    column + 0.5,
                    row + start + 0.23,
                    text,
                    ha="center",
                    va="center",
                    size=9,
                    color="white" if dark else "black",
                )
                if column == 0:
                    ax.text(
                        -0.1,
                        row + start + 0.23,
                        source,
                        ha="right",
                        va="center",
                        size=8.5,
                    )
            if str(scale) in name.replace("full", "2,3,4").replace(
                "bi-cubic", ""
            ):
                ax.add_patch(
                    Rectangle(
                        (column + 0.03, row + 0.04),
                        0.94,
                        0.92,
                        fill=False,
                        lw=1.3,
                    )
                )
    scalar = plt.cm.ScalarMappable(norm, colours)
    bar = fig.colorbar(
        scalar,
        ax=ax,
        orientation="horizontal",
        fraction=0.045,
        pad=0.02,
        aspect=45,
    )
    bar.set_label("dB above bi-cubic interpolation")
    bar.set_ticks([-8, -6, -4, -2, 0, 2, 4, 6])
    return fig


def strip(
    rows: Mapping[str, Sequence[Array]], titles: Sequence[Sequence[str]]
) -> Figure:
    """Draw rows of equally large grey images, each pixel on whole dots, with a title each."""
    import matplotlib.pyplot as plt

    columns = len(next(iter(rows.values())))
    side = next(iter(rows.values()))[0].shape[0]
    gap, label, head, margin = 10, 66, 44, 8
    zoom = (1440 - 2 * margin - (columns - 1) * gap) // (columns * side)
    dots = zoom * side
    width = 2 * margin + columns * dots + (columns - 1) * gap
    height = len(rows) * (head + label + dots + gap) + margin
    fig = plt.figure(figsize=(width / DPI, height / DPI), layout="none")
    for row, (name, images) in enumerate(rows.items()):
        top = row * (head + label + dots + gap)
        fig.text(
            0.5,
            1 - (top + head - 8) / height,
            name,
            ha="center",
            va="bottom",
            weight="bold",
        )
        for column, image in enumerate(images):
            left = margin + column * (dots + gap)
            ax = place(
                fig,
                image,
                left,
                top + head + label,
                zoom,
                cmap="gray",
                vmin=0,
                vmax=255,
            )
            ax.set_title(titles[row][column], fontsize=8.5, pad=3)
    return fig
