"""The drawings of the section on FSRCNN.

Every function returns an open figure for `lecture_utils.show.figure`, which gives it its caption.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from lecture_utils.layout import place
from lecture_utils.show import COLOURS, DPI, PAGE
from lecture_utils.super_resolution.networks import weight_count
from lecture_utils.timing import LayerCost

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]
Curve = Sequence[tuple[int, float]]

_BLUE, _ORANGE, _GREEN, _PINK, _YELLOW, _SKY = COLOURS[:6]
_PHASES = (_BLUE, _ORANGE, _GREEN, _PINK)
_PALE = {_BLUE: "#CCE3F0", _ORANGE: "#F7DFCC", _GREEN: "#CCECE3"}


def deconvolution(
    cases: Sequence[tuple[int, int, int]], pixels: int = 6
) -> Figure:
    """Draw where a row of kernels lies when it is pasted on the HR grid, a panel for each case.

    A case is (scale, size of the kernel, padding). Each LR pixel pastes a bar of ``size`` taps. The
    number in an HR pixel counts the bars above it.
    """
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(len(cases), 1, figsize=(7.5, 3.1 * len(cases)))
    for ax, (scale, size, padding) in zip(
        np.atleast_1d(axes), cases, strict=True
    ):
        _pasted(ax, scale, size, padding, pixels)
    return fig


def _pasted(
    ax: Axes, scale: int, size: int, padding: int, pixels: int
) -> None:
    from matplotlib.patches import Rectangle

    width = scale * pixels
    rows = -(-size // scale) + 1  # bars that overlap stand in different rows
    top = 1.9 + 0.42 * rows
    for i in range(pixels):
        left, centre = scale * i, scale * i + scale / 2
        ax.add_patch(
            Rectangle(
                (left, top), scale, 0.9, fc="#E8E8E8", ec="black", lw=0.9
            )
        )
        ax.text(centre, top + 0.45, f"$z_{i}$", ha="center", va="center")
        start, level = scale * i - padding, 1.6 + 0.42 * (rows - 1 - i % rows)
        for k in range(size):
            phase = (start + k) % scale
            if 0 <= start + k < width:
                ax.add_patch(
                    Rectangle(
                        (start + k, level),
                        1,
                        0.26,
                        fc=_PHASES[phase],
                        ec="white",
                        lw=0.7,
                    )
                )
        ax.plot(
            [centre, centre],
            [level + 0.26, top],
            color="0.55",
            lw=0.8,
            ls=":",
            zorder=0,
        )
        middle = start + size / 2
        if 0 <= middle <= width:
            ax.plot(middle, level + 0.13, "o", color="black", ms=3.5)
    for j in range(width):
        count = sum(
            0 <= j - scale * i + padding < size
            for i in range(-size, pixels + size)
        )
        ax.add_patch(
            Rectangle(
                (j, 0.3), 1, 0.9, fc=_PHASES[j % scale], ec="white", lw=0.9
            )
        )
        colour = "black" if j % scale == 3 else "white"
        ax.text(
            j + 0.5,
            0.75,
            str(count),
            ha="center",
            va="center",
            color=colour,
            weight="bold",
        )
    side: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": 9}
    ax.text(-0.4, top + 0.45, "LR grid", **side)
    ax.text(-0.4, 1.6 + 0.21 * rows, "pasted\nkernels", **side)
    ax.text(-0.4, 0.75, "HR grid:\ntaps", **side)
    off = scale / 2 - (size / 2 - padding)
    where = (
        "on the pixel's centre"
        if off == 0
        else f"{abs(off):g} HR pixel beside it"
    )
    ax.set_title(
        f"× {scale}, kernel of {size}, padding {padding}: middle {where}"
    )
    ax.set(xlim=(-0.12 * width, width + 0.1), ylim=(0.1, top + 1.0))
    ax.set_axis_off()


def _convolutions(network: nn.Module) -> list[nn.Conv2d | nn.ConvTranspose2d]:
    return [
        m
        for m in network.modules()
        if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)
    ]


def _name(layer: nn.Conv2d | nn.ConvTranspose2d) -> str:
    kind = "DeConv" if isinstance(layer, nn.ConvTranspose2d) else "Conv"
    return f"{kind}({layer.kernel_size[0]},{layer.out_channels},{layer.in_channels})"


def _stacks(network: nn.Module) -> list[tuple[str, bool, int]]:
    """Return (layer's name, whether its output is on the HR grid, feature maps), the input first."""
    high = bool(network.interpolated)
    stacks = [("$x^{ILR}$" if high else "$x^{LR}$", high, 1)]
    for layer in _convolutions(network):
        enlarges = isinstance(layer, nn.ConvTranspose2d)
        stacks.append((_name(layer), high or enlarges, layer.out_channels))
    return stacks


def architecture(networks: Mapping[str, nn.Module], scale: int) -> Figure:
    """Draw networks below each other, feature maps on the HR grid ``scale`` times as tall."""
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    tall, length, row = 2.4, 12.4, 4.1
    drawn = {
        f"{title}, {weight_count(network):,} weights": _stacks(network)
        for title, network in networks.items()
    }
    fig, ax = plt.subplots(figsize=(7.5, 7.4))
    for number, (title, layers) in enumerate(drawn.items()):
        base = -row * number
        ax.text(
            0,
            base + tall / 2 + 0.42,
            title,
            weight="bold",
            va="bottom",
            fontsize=9.5,
        )
        widths = [0.14 + 0.0085 * maps for _, _, maps in layers]
        space = min((length - sum(widths)) / (len(layers) - 1), 1.9)
        x = 0.0
        for k, ((name, high, maps), wide) in enumerate(
            zip(layers, widths, strict=True)
        ):
            height = tall if high else tall / scale
            colour = _ORANGE if high else _BLUE
            face = colour if k == len(layers) - 1 else _PALE[colour]
            if k:
                arrow = {"arrowstyle": "-|>", "lw": 0.9, "color": "black"}
                ax.annotate(
                    "",
                    (x - 0.03, base),
                    (x - space + 0.03, base),
                    arrowprops=arrow,
                )
                label = name.replace("(", "\n(")
                ax.text(
                    x - space / 2,
                    base + 0.12,
                    label,
                    ha="center",
                    va="bottom",
                    size=8,
                )
            else:
                ax.text(
                    x - 0.12, base, name, ha="right", va="center", fontsize=9
                )
            box = Rectangle(
                (x, base - height / 2),
                wide,
                height,
                fc=face,
                ec=colour,
                lw=1.3,
            )
            ax.add_patch(box)
            ax.text(
                x + wide / 2,
                base - height / 2 - 0.1,
                f"{maps}",
                ha="center",
                va="top",
                size=8,
            )
            x += wide + space
    ax.set(
        xlim=(-0.95, length + 0.1),
        ylim=(-row * (len(networks) - 1) - 1.75, tall / 2 + 1.0),
    )
    low = -row * (len(networks) - 1) - 1.55
    for k, (colour, text) in enumerate(
        ((_ORANGE, "on the HR grid"), (_BLUE, "on the LR grid"))
    ):
        ax.add_patch(
            Rectangle(
                (0.4 + 4 * k, low),
                0.35,
                0.3,
                fc=_PALE[colour],
                ec=colour,
                lw=1.3,
            )
        )
        ax.text(0.9 + 4 * k, low + 0.14, text, va="center", fontsize=9)
    ax.set_axis_off()
    return fig


def table(
    networks: Mapping[str, nn.Module],
    speeds: Mapping[str, Sequence[float]],
    decibels: Mapping[str, Sequence[float]],
) -> Figure:
    """Draw the networks' layers, inputs and weights as a table, above their speed-ups and PSNR."""
    parts = [
        [_name(layer) for layer in _convolutions(n)] for n in networks.values()
    ]
    middles = [
        p[1] if len(p) == 3 else f"{p[1]}\n{len(p) - 4} {p[2]}\n{p[-2]}"
        for p in parts
    ]
    inputs = [
        "$S_{HR}$" if n.interpolated else "$S_{LR}$" for n in networks.values()
    ]
    rows = {
        "first part": [p[0] for p in parts],
        "middle part": middles,
        "last part": [p[-1] for p in parts],
        "input": inputs,
        "weights": [f"{weight_count(n):,}" for n in networks.values()],
    }
    rows |= {
        name: [f"{v:.1f} ×" for v in values] for name, values in speeds.items()
    }
    rows |= {
        name: [f"{v:.2f} dB" for v in values]
        for name, values in decibels.items()
    }
    names = [
        title.replace(" state", "\nstate").replace(" (", "\n(")
        for title in networks
    ]
    return _table(
        names,
        rows,
        ("first part", "input", next(iter(speeds)), next(iter(decibels))),
    )


def _table(
    columns: Sequence[str],
    rows: Mapping[str, Sequence[str]],
    rules: Sequence[str],
) -> Figure:
    """Draw a table with rules above the rows that ``rules`` names; entries may have several lines."""
    import matplotlib.pyplot as plt

    lines = {
        name: max(entry.count("\n") + 1 for entry in row)
        for name, row in rows.items()
    }
    lines = {name: max(n, name.count("\n") + 1) for name, n in lines.items()}
    heights = {name: 0.19 * n + 0.13 for name, n in lines.items()}
    total = sum(heights.values()) + 0.45
    fig = plt.figure(figsize=(7.5, total), layout="none")
    ax = fig.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, 7.5), ylim=(0, total))
    ax.set_axis_off()
    centres = [
        1.5 + (k + 0.5) * 5.9 / len(columns) for k in range(len(columns))
    ]
    y = total - 0.24
    for centre, name in zip(centres, columns, strict=True):
        ax.text(
            centre,
            y,
            name,
            ha="center",
            va="center",
            weight="bold",
            fontsize=9.5,
        )
    y -= 0.2
    for name, row in rows.items():
        if name in rules:
            ax.plot([0.06, 7.44], [y, y], color="black", lw=0.9)
        middle = y - heights[name] / 2
        ax.text(
            0.08,
            middle,
            name,
            ha="left",
            va="center",
            fontsize=9,
            linespacing=1.2,
        )
        for centre, entry in zip(centres, row, strict=True):
            ax.text(
                centre,
                middle,
                entry,
                ha="center",
                va="center",
                fontsize=9,
                linespacing=1.2,
            )
        y -= heights[name]
    return fig


def speed(
    counted: Mapping[str, float],
    measured: Mapping[str, float],
    shuffled: Mapping[str, float],
    layers: Mapping[str, Sequence[LayerCost]],
) -> Figure:
    """Draw speed-ups; beside them, layers: operations a second against intensity.

    ``shuffled`` holds the speed-ups with pixel shuffle, of some of the networks; ``layers`` two
    networks.
    """
    import matplotlib.pyplot as plt

    fig, (left, right) = plt.subplots(
        1, 2, figsize=(7.5, 3.9), width_ratios=(1, 1.15)
    )
    names = list(counted)
    for shift, values, colour, label in (
        (-0.27, counted, _SKY, "multiply-adds"),
        (0.0, measured, _ORANGE, "measured"),
        (0.27, shuffled, _GREEN, "measured, nine filters"),
    ):
        places = [names.index(name) + shift for name in values]
        bars = left.barh(
            places, list(values.values()), 0.26, color=colour, label=label
        )
        left.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    left.set_yticks(
        range(len(names)), [name.replace(" ", "\n", 1) for name in names]
    )
    left.set(xscale="log", xlabel="speed-up over SRCNN-Ex", xlim=(0.7, 300))
    left.set_ylim(len(names) - 0.5, -1.5)
    left.legend(loc="upper right", fontsize=8.5)

    looks = {
        "convolution": ("o", _BLUE),
        "deconvolution": ("s", _GREEN),
        "rectifier": ("^", _PINK),
    }
    filled = {name: k > 0 for k, name in enumerate(layers)}
    for name, points in layers.items():
        for cost in points:
            marker, colour = looks[cost.kind]
            face = colour if filled[name] else "white"
            right.loglog(
                cost.intensity,
                cost.rate,
                marker,
                color=colour,
                mfc=face,
                ms=6.5,
                mew=1.5,
                alpha=0.9,
            )
    first, second = layers
    for kind, (marker, colour) in looks.items():
        right.plot([], [], marker, color=colour, label=kind)
    right.plot(
        [], [], "o", color="0.4", mfc="white", mew=1.5, label=f"open: {first}"
    )
    right.plot([], [], "o", color="0.4", label=f"filled: {second}")
    right.set(
        xlabel="arithmetic intensity (operations a byte)",
        ylabel="operations a second",
    )
    right.grid(True)
    low, high = right.get_ylim()
    right.set_ylim(low, high * (high / low) ** 0.45)
    right.legend(loc="upper left", fontsize=8)
    return fig


def training(
    live: Curve, baseline: float, long: Curve, settings: tuple[str, str]
) -> Figure:
    """Draw the PSNR of held-out images over a live training and over the shipped one."""
    import matplotlib.pyplot as plt

    fig, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.3))
    left.plot(*zip(*live, strict=True), color=_BLUE, marker="o", ms=3)
    left.axhline(baseline, color=_ORANGE, lw=1.4, ls="--")
    left.text(
        live[-1][0],
        baseline,
        "bi-cubic",
        color=_ORANGE,
        ha="right",
        va="bottom",
        fontsize=9,
    )
    steps, values = zip(*long, strict=True)
    right.plot(np.array(steps) / 1000, values, color=_BLUE, marker="o", ms=3)
    left.set(xlabel="step", ylabel="PSNR (dB)", title=settings[0])
    right.set(xlabel="thousand steps", title=settings[1])
    for ax in (left, right):
        ax.grid(True)
    return fig


def filters(first: Tensor, last: Tensor) -> Figure:
    """Draw first-layer filters above deconvolution kernels, (N, size, size) each, strongest first.

    Filters are sorted by variance, kernels by their norm.
    """
    import matplotlib.pyplot as plt

    first = first.detach().cpu()
    last = last.detach().cpu()
    first = first[first.flatten(1).var(1).argsort(descending=True)]
    last = last[last.flatten(1).norm(dim=1).argsort(descending=True)]

    columns, gap = 14, 10
    rows = -(-len(first) // columns)
    head, bar = 64, 150
    cell = (PAGE - bar - 16 - (columns - 1) * gap) // columns
    zooms = [cell // first.shape[1], cell // last.shape[1]]
    sides = [zooms[0] * first.shape[1], zooms[1] * last.shape[1]]
    height = sum(head + rows * (side + gap) for side in sides) + 16
    fig = plt.figure(figsize=(PAGE / DPI, height / DPI), layout="none")
    top = 0
    titles = (
        (
            f"First layer: {len(first)} filters of {first.shape[1]} ×"
            f" {first.shape[1]} LR pixels"
        ),
        (
            f"Deconvolution: {len(last)} kernels of {last.shape[1]} ×"
            f" {last.shape[1]} HR pixels"
        ),
    )
    for kernels, zoom, side, title in zip(
        (first, last), zooms, sides, titles, strict=True
    ):
        fig.text(
            8 / PAGE,
            1 - (top + head - 16) / height,
            title,
            ha="left",
            va="bottom",
            size=10,
        )
        top += head
        limit = float(np.percentile(kernels.abs().numpy(), 99.5))
        for index, kernel in enumerate(kernels.numpy()):
            row, column = divmod(index, columns)
            ax = place(
                fig,
                kernel,
                8 + column * (side + gap),
                top + row * (side + gap),
                zoom,
                cmap="RdBu_r",
                vmin=-limit,
                vmax=limit,
            )
        span = rows * (side + gap) - gap
        box = (
            (PAGE - bar + 20) / PAGE,
            1 - (top + span) / height,
            22 / PAGE,
            span / height,
        )
        fig.colorbar(ax.images[0], cax=fig.add_axes(box), extend="both")
        top += rows * (side + gap)
    return fig


def transfer_rows(
    curves: Mapping[int, Mapping[str, Sequence[tuple[int, float]]]],
) -> list[tuple[str, ...]]:
    """Return, as rows of a table, when each training passes the end of the first one."""
    first = next(iter(next(iter(curves.values())).values()))[0][0]
    head = f"after {first} steps, dB", "end, dB"
    passes = "passes *from scratch* after at most"
    rows: list[tuple[str, ...]] = [
        ("scale", "training", *head, passes, "saved")
    ]
    for s, several in curves.items():
        length, goal = next(iter(several.values()))[-1]
        for number, (way, curve) in enumerate(several.items()):
            passed = next((step for step, v in curve if v >= goal), None)
            after, saved = "not in this training", ""
            if passed is not None:
                after = f"{passed:,} steps"
                if number:
                    saved = f"{1 - passed / length:.0%} or more"
            values = [f"{curve[k][1]:.2f}" for k in (0, -1)]
            rows.append((f"× {s}", way, *values, after, saved))
    return rows


def transfer(
    curves: Mapping[int, Mapping[str, Curve]], floor: float = 6.0
) -> Figure:
    """Draw PSNR over training, a panel for each scale; dots mark where the first curve's end is passed.

    Values more than ``floor`` dB below the first curve's end are cut off.
    """
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, len(curves), figsize=(7.5, 3.6))
    looks = ((_ORANGE, "--"), (_BLUE, "-"), (_GREEN, "-."))
    for ax, (scale, several) in zip(axes, curves.items(), strict=True):
        end = next(iter(several.values()))[-1][1]
        ax.axhline(end, color="0.55", lw=0.9, ls=":")
        for (name, curve), (colour, style) in zip(
            several.items(), looks, strict=True
        ):
            ax.plot(
                *zip(*curve, strict=True), color=colour, ls=style, label=name
            )
            passed = next(((i, v) for i, v in curve if v >= end), None)
            if passed is not None and colour != _ORANGE:
                ax.plot(*passed, "o", color=colour, ms=6)
        top = max(v for curve in several.values() for _, v in curve)
        low = min(v for curve in several.values() for _, v in curve)
        low = max(low, end - floor)
        ax.set_ylim(low - 0.05 * (top - low), top + 0.08 * (top - low))
        ax.set(title=f"× {scale}", xlabel="step")
        ax.grid(True)
    axes[0].set_ylabel("PSNR of held-out images (dB)")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=3)
    return fig


def comparison(
    rows: Sequence[
        tuple[Mapping[str, Array], tuple[int, int], tuple[int, int]]
    ],
    part: int = 174,
    inset: int = 58,
) -> Figure:
    """Draw a part of several images, a row each, and a magnified inset below every panel.

    A row is (images by label, corner of the part, corner of the inset within the part).
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    zoom, small = 2, 6
    side, gap, head, between = zoom * part, 16, 84, 36
    one = head + 2 * side + gap
    height = len(rows) * one + (len(rows) - 1) * between + 10
    fig = plt.figure(figsize=(PAGE / DPI, height / DPI), layout="none")
    for number, (images, (top, left), (down, right)) in enumerate(rows):
        start = number * (one + between)
        for column, (label, image) in enumerate(images.items()):
            x = column * (side + gap)
            shown = image[top : top + part, left : left + part]
            ax = place(fig, shown, x, start + head, zoom)
            for colour, line in (("white", 2.4), (_ORANGE, 1.2)):
                ax.add_patch(
                    Rectangle(
                        (right - 0.5, down - 0.5),
                        inset,
                        inset,
                        fill=False,
                        ec=colour,
                        lw=line,
                    )
                )
            close = shown[down : down + inset, right : right + inset]
            place(fig, close, x, start + head + side + gap, small)
            centre, bottom = (
                (x + side / 2) / PAGE,
                1 - (start + head - 8) / height,
            )
            fig.text(
                centre,
                bottom,
                label,
                ha="center",
                va="bottom",
                size=9.5,
                linespacing=1.25,
            )
    return fig
