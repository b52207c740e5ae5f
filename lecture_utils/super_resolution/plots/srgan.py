"""The drawings of the section on SRGAN.

Every function returns an open figure for `lecture_utils.show.figure`, which gives it its caption.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from lecture_utils.layout import place, use
from lecture_utils.show import COLOURS, DPI, PAGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]
Curve = Sequence[tuple[float, float]]

_BLUE, _ORANGE, _GREEN, _PINK, _YELLOW, _SKY, _BLACK = COLOURS
_MARKS = ("o", "s", "D", "^", "v")


def misplaced_edge(
    signals: Mapping[str, Array], positions: Array, shifts: Array
) -> Figure:
    """Draw an edge, a shifted one and a blurred one, and what shift and blur cost.

    ``signals`` are three signals on ``positions`` (pixels), the true one first; ``shifts`` are the
    shifts in pixels for which the costs are drawn, h^2 d and h^2 w / 12.
    """
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, 2, figsize=(7.5, 2.9))
    looks = (("-", _BLACK, 2.6), ("--", _ORANGE, 1.8), ("-", _BLUE, 1.8))
    truth = next(iter(signals.values()))
    for index, (name, values) in enumerate(signals.items()):
        style, colour, width = looks[index]
        axes[0].plot(
            positions, values, style, color=colour, lw=width, label=name
        )
        if index:
            axes[0].fill_between(
                positions, truth, values, color=colour, alpha=0.18, lw=0
            )
    axes[0].set(
        xlabel="position (pixels)",
        ylabel="value",
        ylim=(-0.08, 1.5),
        xticks=range(-8, 9, 4),
    )
    axes[0].legend(loc="upper left")
    axes[1].plot(
        shifts,
        shifts,
        "--",
        color=_ORANGE,
        label="sharp, shifted by the length",
    )
    axes[1].plot(
        shifts,
        shifts / 12,
        color=_BLUE,
        label="in place, blurred over the length",
    )
    axes[1].plot([1, 12], [1, 1], ":", color="0.4", lw=1.2)
    axes[1].plot([1], [1], "s", color=_ORANGE, ms=6)
    axes[1].plot([12], [1], "o", color=_BLUE, ms=6)
    axes[1].annotate(
        "equal error",
        (6.5, 1),
        (0, 5),
        textcoords="offset points",
        ha="center",
    )
    axes[1].set(
        xlabel="length (pixels)", ylabel="squared error / $h^2$", ylim=(0, 3)
    )
    axes[1].legend(loc="upper right", fontsize=8.5)
    axes[1].grid(True)
    return fig


def solutions(
    low: Array,
    real: Sequence[Array],
    answers: Mapping[str, Array],
    detail: Mapping[str, Array],
) -> Figure:
    """Draw patches with one LR patch in common, their plane, and how much detail each holds.

    Parameters
    ----------
    low
        The LR patch, (h, h) in [0, 1].
    real
        HR patches (H, H) in [0, 1] of real images; eight are drawn large.
    answers
        Mean, SRResNet's and SRGAN's answer and the original patch by name, (H, H) each.
    detail
        By the same names, and "real" for all real ones: the size of the part that H does not see.
    """
    import matplotlib.pyplot as plt
    from matplotlib.colors import Normalize
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    side = real[0].shape[0]
    zoom, gap = 7, 16
    step = zoom * side + gap
    left = (PAGE - 9 * step + gap) // 2
    height, label = 1290, 44
    fig = plt.figure(figsize=(PAGE / DPI, height / DPI))
    grey: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 1}
    place(
        fig, low, left, label, zoom * side // low.shape[0], "LR patch", **grey
    )
    for column, patch in enumerate(real[:8], 1):
        title = "real HR patches with this LR patch" if column == 4 else ""
        ax = place(fig, patch, left + column * step, label, zoom, **grey)
        ax.set_title(title, x=1.05)
    looks = dict(
        zip(
            answers,
            ((_BLUE, "X"), (_ORANGE, "s"), (_GREEN, "D"), (_BLACK, "*")),
            strict=True,
        )
    )
    top = 2 * label + zoom * side + gap
    start = (PAGE - 4 * (step + 150)) // 2 + 75
    for column, (name, patch) in enumerate(answers.items()):
        ax = place(
            fig, patch, start + column * (step + 150), top, zoom, name, **grey
        )
        _frame(ax, looks[name][0])

    use(fig, (0, 0, 1, 1 - (top + zoom * side + 20) / height))
    plane, shares = fig.subplots(1, 2, width_ratios=(1.4, 1))
    points = np.stack(
        [np.asarray(patch, dtype=np.float64).ravel() for patch in real]
    )
    mean = points.mean(axis=0)
    basis = np.linalg.svd(points - mean, full_matrices=False)[2][:2]

    def place_of(patch: Array) -> Array:
        """Return the two components, their square roots with the sign kept."""
        found = (np.asarray(patch, dtype=np.float64).ravel() - mean) @ basis.T
        compressed: Array = np.sign(found) * np.sqrt(np.abs(found))
        return compressed

    places = np.stack([place_of(patch) for patch in real])
    for patch, where in zip(real, places, strict=True):
        picture = OffsetImage(
            np.asarray(patch),
            zoom=72 / DPI * 2,
            cmap="gray",
            norm=Normalize(0, 1),
        )
        box = AnnotationBbox(
            picture,
            where,
            pad=0.1,
            bboxprops={"edgecolor": "0.55", "linewidth": 0.5},
        )
        plane.add_artist(box)
    for index, (name, patch) in enumerate(answers.items()):
        colour, mark = looks[name]
        look: dict[str, Any] = {"color": colour, "mec": "white", "mew": 1.4}
        look["ms"] = 16 if mark in "X*" else 10
        plane.plot(
            *place_of(patch),
            mark,
            zorder=5 + index,
            label=name,
            ls="none",
            **look,
        )
        value = float(detail[name])
        shares.axvline(value, color=colour, lw=1.4)
        shares.plot(
            value,
            0.97 - 0.07 * index,
            mark,
            transform=shares.get_xaxis_transform(),
            **look,
        )
    shares.hist(detail["real"], bins=16, color="0.75", zorder=0)
    room = 0.12 * np.ptp(places, axis=0)
    (low_x, low_y), (high_x, high_y) = (
        places.min(axis=0) - room,
        places.max(axis=0) + room,
    )
    plane.set(xlim=(low_x, high_x), ylim=(low_y, high_y), xticks=[], yticks=[])
    plane.set(
        xlabel="first principal component", ylabel="second principal component"
    )
    shares.set(
        xlabel="detail, relative to the\ncontrast of the LR patch",
        ylabel="real patches",
    )
    shares.set_xlim(left=0)
    handles, labels = plane.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=4)
    return fig


def _frame(ax: Axes, colour: str) -> None:
    """Draw a coloured frame around an image without axes."""
    from matplotlib.patches import Rectangle

    box = (0.0, 0.0), 1.0, 1.0
    ax.add_patch(
        Rectangle(
            *box,
            transform=ax.transAxes,
            fill=False,
            edgecolor=colour,
            linewidth=3,
            clip_on=False,
        )
    )


def _text_of(layer: nn.Module) -> str:
    """Name a layer as the lecture's figure does, with k, n and s of a convolution."""
    if isinstance(layer, nn.Conv2d):
        return (
            f"Conv  k{layer.kernel_size[0]} n{layer.out_channels}"
            f" s{layer.stride[0]}"
        )
    if isinstance(layer, nn.Linear):
        return f"Dense  {layer.out_features}"
    return {
        "BatchNorm2d": "Batch norm",
        "PReLU": "PReLU",
        "LeakyReLU": "Leaky ReLU",
        "PixelShuffle": "Pixel shuffle × 2",
        "AdaptiveAvgPool2d": "Mean over pixels",
        "Sigmoid": "Sigmoid",
    }[type(layer).__name__]


_TINTS = {
    "C": "#CFE3F1",
    "B": "#F3E3C3",
    "P": "#D5EBE0",
    "L": "#D5EBE0",
    "D": "#E9D5E2",
}


def _boxes(
    ax: Axes, texts: Sequence[str], starts: Sequence[float], bottom: float
) -> None:
    """Draw boxes with upright text, and arrows from each to the next."""
    from matplotlib.patches import Rectangle

    for text, x in zip(texts, starts, strict=True):
        tint = (
            "#E0D7F0"
            if text.startswith("Pixel")
            else _TINTS.get(text[0], "#E8E8E8")
        )
        if text == "+":
            ax.text(
                x + 0.4, bottom + 2, "⊕", ha="center", va="center", size=13
            )
            continue
        ax.add_patch(
            Rectangle(
                (x, bottom), 0.8, 4, facecolor=tint, edgecolor="0.3", lw=0.8
            )
        )
        ax.text(
            x + 0.4,
            bottom + 2,
            text,
            rotation=90,
            ha="center",
            va="center",
            size=8,
        )
    for before, after in pairwise(starts):
        arrow = {
            "arrowstyle": "-|>",
            "lw": 0.8,
            "color": "0.3",
            "shrinkA": 0,
            "shrinkB": 0,
        }
        ax.annotate(
            "",
            (after, bottom + 2),
            (before + 0.8, bottom + 2),
            arrowprops=arrow,
        )


def _skip(
    ax: Axes, start: float, end: float, bottom: float, height: float, text: str
) -> None:
    """Draw a connection that goes over the boxes into a sum."""
    top = bottom + 4 + height
    ax.plot(
        [start, start, end],
        [bottom + 2, top, top],
        color=_ORANGE,
        lw=1.4,
        zorder=0,
    )
    arrow = {
        "arrowstyle": "-|>",
        "lw": 1.4,
        "color": _ORANGE,
        "shrinkA": 0,
        "shrinkB": 0,
    }
    ax.annotate("", (end, bottom + 2.5), (end, top), arrowprops=arrow)
    ax.text(
        (start + end) / 2, top + 0.12, text, ha="center", va="bottom", size=8.5
    )


def architecture(generator: nn.Module, discriminator: nn.Module) -> Figure:
    """Draw the layers of generator and discriminator with k, n and s, read from the networks."""
    import matplotlib.pyplot as plt

    def leaves(module: Any) -> list[str]:
        kept = [m for m in module.modules() if not list(m.children())]
        return [_text_of(m) for m in kept if not isinstance(m, nn.Flatten)]

    made: Any = generator
    first, after = leaves(made.first), leaves(made.after)
    block, count = leaves(made.blocks[0]), len(made.blocks)
    texts = [
        *first,
        *block,
        "+",
        *after,
        "+",
        *leaves(made.enlarge),
        *leaves(made.last),
    ]
    starts = [1.15 + 1.12 * k for k in range(len(texts))]
    end = starts[-1] + 1.12
    judge: Any = discriminator
    groups: list[list[str]] = [[]]
    for text in leaves(judge.features):
        if text.startswith("Conv"):
            groups.append([])
        groups[-1].append(text)
    decisions = leaves(judge.decide)

    fig, (ax, below) = plt.subplots(
        2, 1, figsize=(7.5, 4.9), height_ratios=(1.5, 1)
    )
    for axes in (ax, below):
        axes.set_axis_off()
        axes.set_xlim(-0.1, end + 1)
    arrow = {"arrowstyle": "-|>", "lw": 0.8, "color": "0.3"}
    ax.set(ylim=(-1.3, 7.2), title="Generator")
    _boxes(ax, texts, starts, 0)
    n = len(first)
    _skip(
        ax,
        starts[n] - 0.1,
        starts[n + len(block)] + 0.4,
        0,
        0.6,
        f"residual block, {count} ×",
    )
    whole = n + len(block) + 1 + len(after)
    ends = (starts[n] - 0.24, starts[whole] + 0.4)
    _skip(ax, *ends, 0, 1.9, "skip over all blocks")
    ax.text(0.45, 2, r"$x^{\mathrm{LR}}$", ha="center", va="center", size=11)
    ax.text(
        end + 0.35, 2, r"$x^{\mathrm{SR}}$", ha="center", va="center", size=11
    )
    ax.annotate("", (starts[0], 2), (0.85, 2), arrowprops=arrow)
    ax.annotate("", (end, 2), (end - 0.3, 2), arrowprops=arrow)
    for left, right, text in (
        (0, whole, "on the grid of the LR image"),
        (whole + 1, len(texts) - 1, "× 2, then × 4"),
    ):
        ax.annotate(
            "",
            (starts[left], -0.4),
            (starts[right] + 0.8, -0.4),
            arrowprops={
                "arrowstyle": "|-|",
                "lw": 0.9,
                "color": "0.4",
                "mutation_scale": 3,
            },
        )
        middle = (starts[left] + starts[right] + 0.8) / 2
        ax.text(middle, -0.6, text, ha="center", va="top", size=8.5)

    below.set(ylim=(-1.3, 4.3), title="Discriminator")
    flat = [text for group in groups if group for text in group]
    short = [t for t in flat if t.startswith("Conv")] + decisions
    places = [1.15 + 1.45 * k for k in range(len(short))]
    _boxes(below, short, places, 0)
    below.text(0.35, 2, "HR\nor\nSR", ha="center", va="center", size=9)
    below.annotate("", (places[0], 2), (0.7, 2), arrowprops=arrow)
    below.annotate(
        "",
        (places[0], -0.4),
        (places[7] + 0.8, -0.4),
        arrowprops={
            "arrowstyle": "|-|",
            "lw": 0.9,
            "color": "0.4",
            "mutation_scale": 3,
        },
    )
    below.text(
        (places[0] + places[7] + 0.8) / 2,
        -0.7,
        "each followed by batch norm and leaky ReLU (the first by leaky ReLU"
        " alone)",
        ha="center",
        va="top",
        size=8.5,
    )
    last = places[-1] + 0.8
    below.annotate("", (last + 0.5, 2), (last, 2), arrowprops=arrow)
    below.text(last + 0.55, 2, "logit $t$", ha="left", va="center", size=9)
    return fig


def training(
    live: Mapping[str, Curve], recorded: Mapping[str, Mapping[str, Curve]]
) -> Figure:
    """Draw the losses of the short training, and of the recorded ones the perceptual distance."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, 3, figsize=(7.5, 2.9))
    for (name, curve), style, colour in zip(
        live.items(), ("-", "--", "-."), (_BLUE, _ORANGE, _GREEN), strict=False
    ):
        axes[0].plot(*np.array(curve).T, style, color=colour, label=name)
    axes[0].set(title="here: losses", xlabel="step")
    axes[0].axhline(2 * np.log(2), color="0.5", lw=1, ls=":")
    axes[0].set_ylim(0, 1.7 * axes[0].get_ylim()[1])  # room for the legend
    axes[0].legend(fontsize=8, loc="upper left")
    titles = ("shipped: PSNR (dB)", "shipped: distance")
    for ax, title, (_, curves) in zip(
        axes[1:], titles, recorded.items(), strict=True
    ):
        for (name, curve), mark, colour in zip(
            curves.items(), _MARKS, COLOURS, strict=False
        ):
            ax.plot(
                *np.array(curve).T,
                mark + "-",
                color=colour,
                ms=4,
                lw=1.4,
                label=name,
            )
        ax.set(title=title, xlabel="step")
    axes[2].legend(fontsize=8)
    return fig


def trade_off(
    records: Mapping[str, Mapping[str, tuple[float, float]]],
    paths: Mapping[str, Sequence[tuple[float, float]]],
    points: Mapping[str, tuple[float, float]],
) -> Figure:
    """Draw PSNR against perceptual distance: recorded networks, and paths between two of them.

    Each pair is (PSNR in dB, distance). ``records`` holds two measurements of the same networks.
    """
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, 2, figsize=(7.5, 3.6))
    for (group, networks), filled in zip(
        records.items(), (True, False), strict=True
    ):
        for (name, pair), mark, colour in zip(
            networks.items(), _MARKS, COLOURS, strict=False
        ):
            face = colour if filled else "white"
            axes[0].plot(*pair, mark, color=colour, mfc=face, ms=8, mew=1.6)
            if filled:
                axes[0].plot([], [], mark, color=colour, ms=7, label=name)
        pairs = list(networks.values())
        best = min(pairs, key=lambda pair: pair[1])
        axes[0].annotate(
            group,
            best,
            (0, -11),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=9,
        )
    axes[0].margins(0.2)
    axes[0].legend(fontsize=8)
    axes[0].set_title("from the records")
    for (name, path), style, colour in zip(
        paths.items(), ("o-", "s--"), (_BLUE, _ORANGE), strict=True
    ):
        axes[1].plot(*np.array(path).T, style, color=colour, ms=5, label=name)
    for (name, pair), mark in zip(
        points.items(), ("X", "P", "^"), strict=False
    ):
        axes[1].plot(*pair, mark, color=_BLACK, ms=7, ls="none")
        right = (
            pair[0] < np.mean(next(iter(paths.values())), axis=0)[0]
        )  # away from the paths
        axes[1].annotate(
            name,
            pair,
            (7, 4) if right else (-7, -3),
            textcoords="offset points",
            ha="left" if right else "right",
            fontsize=8.5,
        )
    axes[1].margins(0.2)
    axes[1].set_title("between two networks")
    axes[1].legend(fontsize=8, loc="best")
    for ax in axes:
        ax.set_xlabel("PSNR (dB) → better")
        ax.grid(True)
    axes[0].set_ylabel("perceptual distance ↓ better")
    return fig


def written(lines: Sequence[str], side: int, size: float) -> NDArray[np.uint8]:
    """Return a square RGB image, ``side`` pixels wide, with dark text on a light ground."""
    from matplotlib import font_manager
    from PIL import Image, ImageDraw, ImageFont

    page = Image.new("RGB", (side, side), (236, 230, 216))
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size)
    pen = ImageDraw.Draw(page)
    for index, line in enumerate(lines):
        centre = (side / 2, side * (index + 0.5) / len(lines))
        pen.text(centre, line, font=font, fill=(32, 34, 58), anchor="mm")
    return np.asarray(page)
