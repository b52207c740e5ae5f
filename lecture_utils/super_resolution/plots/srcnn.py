"""The drawings of the section on SRCNN.

Every function returns an open figure for `lecture_utils.show.figure`, which gives it its caption.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lecture_utils import checkpoints
from lecture_utils.layout import place
from lecture_utils.show import COLOURS, DPI, PAGE
from lecture_utils.super_resolution.networks import weight_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lecture_utils.super_resolution.training import Variant

Array = NDArray[Any]
Curve = Sequence[tuple[float, float]]

_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D", "v")
_MARK = COLOURS[1]


def architecture(
    given: Array, made: Array, filters: Sequence[int], widths: Sequence[int]
) -> Figure:
    """Draw the three layers: the image, two stacks of feature maps, and the image that comes out.

    ``given`` and ``made`` are grey images in 0 .. 255, (H, W); ``filters`` are the three filters' sizes,
    ``widths`` the numbers of feature maps of the two hidden layers.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    fig = plt.figure(figsize=(7.5, 3.2), layout="none")
    ax = fig.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, 75), ylim=(0, 32), aspect="equal")
    ax.set_axis_off()
    side, base = 11.0, 11.0
    sheets = (1, 6, 5, 1)
    lefts = (2.0, 19.0, 40.0, 61.0)
    names = (
        "$x^{\\mathrm{ILR}}$\nH × W × 1",
        f"{widths[0]} maps\nH × W × {widths[0]}",
        f"{widths[1]} maps\nH × W × {widths[1]}",
        "$x^{\\mathrm{SR}}$\nH × W × 1",
    )
    fronts = []
    for left, count, name in zip(lefts, sheets, names, strict=True):
        for sheet in reversed(range(count)):
            x, y = left + 0.8 * sheet, base + 0.8 * sheet
            if count == 1:
                box = (x, x + side, y, y + side)
                picture = given if left == lefts[0] else made
                ax.imshow(
                    picture,
                    extent=box,
                    vmin=0,
                    vmax=255,
                    interpolation="none",
                    zorder=2,
                )
                face = "none"
            else:
                face = ("#DCEAF5", "#EEF5FA")[sheet % 2]
            ax.add_patch(
                Rectangle(
                    (x, y), side, side, fc=face, ec="0.25", lw=0.9, zorder=3
                )
            )
        fronts.append((left, base))
        ax.text(
            left + side / 2,
            base - 1.0,
            name,
            ha="center",
            va="top",
            fontsize=9,
        )
    readings = ("patch extraction", "non-linear mapping", "reconstruction")
    ends = ("ReLU", "ReLU", "linear")
    inputs = (1, *widths)
    for k, size in enumerate(filters):
        x, y = fronts[k]
        small = 0.42 * size
        corner = (x + 0.55 * side, y + 0.45 * side)
        ax.add_patch(
            Rectangle(
                corner, small, small, fc="none", ec=_MARK, lw=1.6, zorder=5
            )
        )
        target = (
            fronts[k + 1][0] + 0.45 * side,
            fronts[k + 1][1] + 0.55 * side,
        )
        for dy in (0.0, small):
            ax.plot(
                (corner[0] + small, target[0]),
                (corner[1] + dy, target[1]),
                color=_MARK,
                lw=0.9,
                zorder=5,
            )
        ax.plot(*target, "o", color=_MARK, ms=3, zorder=6)
        middle = (lefts[k] + lefts[k + 1] + side) / 2 + (0.0, 0.8, 0.8)[k]
        outputs = (*widths, 1)[k]
        text = f"{readings[k]}\n{size} × {size} × {outputs}, {ends[k]}"
        ax.text(middle, 31.2, text, ha="center", va="top", fontsize=9)
        ax.text(
            middle,
            5.0,
            f"{size}² · {inputs[k]} · {outputs} ="
            f" {size**2 * inputs[k] * outputs:,} weights",
            ha="center",
            va="top",
            fontsize=9,
            color="0.25",
        )
    reach = 1 + sum(size - 1 for size in filters)
    total = sum(
        s**2 * a * b
        for s, a, b in zip(filters, inputs, (*widths, 1), strict=True)
    )
    ax.text(
        37.5,
        0.8,
        f"together {total:,} weights; one output pixel sees {reach} × {reach}"
        " input pixels",
        ha="center",
        fontsize=9.5,
    )
    return fig


def ablation(
    name: str, variants: Mapping[str, Variant]
) -> tuple[dict[str, Curve], str]:
    """Return the curves of an ablation's variants, and its numbers as a table in Markdown.

    Parameters
    ----------
    name
        A checkpoint of variants; its record names what it holds "VARIANT: NAME".
    variants
        The variants that its recipe trains, whose networks are built to count their weights.
    """
    record = checkpoints.record(name)
    curves: dict[str, Curve] = {
        variant: record.history[f"{variant}: held_out_x3_psnr_y"]
        for variant in variants
    }
    held = {
        variant: record.metrics[f"{variant}: held_out_x3_psnr_y"]
        for variant in variants
    }
    first = next(iter(held.values()))
    lines = [
        (
            "| variant | steps | held out (dB) | against the first | Set5 (dB)"
            " | weights |"
        ),
        "| --- " * 6 + "|",
    ]
    for variant, value in held.items():
        steps = f"{curves[variant][-1][0]:,}"
        set5 = record.metrics[f"{variant}: set5_x3_psnr_y"]
        weights = weight_count(variants[variant].build())
        lines.append(
            f"| {variant} | {steps} | {value:.2f} | {value - first:+.2f} |"
            f" {set5:.2f} | {weights:,} |"
        )
    return curves, "\n".join(lines)


def strongest(maps: Array, count: int = 6) -> tuple[list[int], list[Array]]:
    """Return the numbers of the maps (n, H, W) that vary most, and these maps."""
    spread = maps.reshape(len(maps), -1).std(axis=1)
    best = [int(k) for k in np.argsort(-spread)[:count]]
    return best, [maps[k] for k in best]


def curves(
    panels: Mapping[str, Mapping[str, Curve]],
    *,
    label: str = "PSNR on held-out images (dB)",
    level: tuple[str, float] | None = None,
    low: Mapping[str, float] | None = None,
) -> Figure:
    """Draw values against steps, a panel for each group of curves.

    Parameters
    ----------
    panels
        By title, the curves by name: pairs of step and value.
    label
        What the values are.
    level
        Name and value of a horizontal line.
    low
        The smallest value that a panel shows, by its title; without it the lowest one after the
        first tenth of the steps.
    """
    import matplotlib.pyplot as plt

    fig, found = plt.subplots(
        1, len(panels), figsize=(7.5, 3.7), squeeze=False
    )
    axes: list[Axes] = list(found[0])
    for ax, (title, group) in zip(axes, panels.items(), strict=True):
        looks = zip(_STYLES, _MARKERS, COLOURS, strict=False)
        for (name, curve), (style, marker, colour) in zip(
            group.items(), looks, strict=False
        ):
            steps, values = np.array(curve).T
            every = max(1, len(steps) // 6)
            ax.plot(
                steps,
                values,
                ls=style,
                marker=marker,
                ms=4,
                markevery=every,
                color=colour,
                label=name,
            )
        if level is not None:
            ax.axhline(level[1], color="0.35", lw=1.2, ls=":", label=level[0])
        bottom, top = _window(
            list(group.values()), level, (low or {}).get(title)
        )
        ax.set(title=title, xlabel="step", ylim=(bottom, top))
        ax.grid(True)
        ax.legend(loc="lower right")
    axes[0].set_ylabel(label)
    return fig


def _window(
    group: Sequence[Curve], level: tuple[str, float] | None, low: float | None
) -> tuple[float, float]:
    """Return the limits of the values: the start of a training would hide the differences."""
    last = max(curve[-1][0] for curve in group)
    settled = [
        value for curve in group for step, value in curve if step >= 0.1 * last
    ]
    if level is not None:
        settled.append(level[1])
    top, bottom = max(settled), min(settled) if low is None else low
    room = 0.06 * max(top - bottom, 0.05)
    return bottom - (room if low is None else 0.0), top + room


def filters(blocks: Mapping[str, Array], order: Sequence[int]) -> Figure:
    """Draw blocks of filters, each block (n, f, f) in the same order under its heading.

    Each filter has its own scale: grey is zero.
    """
    import matplotlib.pyplot as plt

    count, size = next(iter(blocks.values())).shape[:2]
    columns, zoom, gap, head = 16, 9, 8, 56
    cell = size * zoom + gap
    rows = -(-count // columns)
    height = len(blocks) * (head + rows * cell) + 8
    fig = plt.figure(figsize=(PAGE / DPI, height / DPI), layout="none")
    left = (PAGE - columns * cell + gap) // 2
    for number, (name, weights) in enumerate(blocks.items()):
        top = number * (head + rows * cell) + head
        fig.text(
            left / PAGE,
            1 - (top - 12) / height,
            name,
            va="bottom",
            fontsize=10,
        )
        for rank, index in enumerate(order):
            row, column = divmod(rank, columns)
            end = float(np.abs(weights[index]).max()) or 1.0
            place(
                fig,
                weights[index],
                left + column * cell,
                top + row * cell,
                zoom,
                cmap="gray",
                vmin=-end,
                vmax=end,
            )
    return fig


def local_filters(
    parts: Mapping[str, Array], kernels: Mapping[str, Array]
) -> Figure:
    """Draw parts of an image with the pixel in their middle marked; below, the filter used there.

    ``kernels`` are on one scale, grey is zero. One without a part has its name above it.
    """
    import matplotlib.pyplot as plt

    size = next(iter(kernels.values())).shape[0]
    zoom = 20
    side = size * zoom
    gap = (PAGE - len(kernels) * side) // (len(kernels) + 1)
    height = 2 * side + 90
    fig = plt.figure(figsize=(PAGE / DPI, height / DPI), layout="none")
    end = float(np.quantile(np.abs(np.stack(list(kernels.values()))), 0.985))
    for column, (name, kernel) in enumerate(kernels.items()):
        left = gap + column * (side + gap)
        if name in parts:
            part = parts[name]
            fine = side // part.shape[0]
            rest = (side - fine * part.shape[0]) // 2
            ax = place(
                fig, part, left + rest, 50 + rest, fine, name, vmin=0, vmax=255
            )
            middle = part.shape[0] // 2
            half = size / 2
            box = np.array([-half, half, half, -half, -half])
            ax.plot(
                middle + box,
                middle + np.roll(box, 1)[[0, 1, 2, 3, 0]],
                color=_MARK,
                lw=1.4,
            )
            ax.set(
                xlim=(-0.5, part.shape[1] - 0.5),
                ylim=(part.shape[0] - 0.5, -0.5),
            )
        title = "" if name in parts else name
        place(
            fig,
            kernel,
            left,
            side + 80,
            zoom,
            title,
            cmap="gray",
            vmin=-end,
            vmax=end,
        )
    return fig


def feature_maps(
    rows: Mapping[str, Sequence[Array]], signed: Sequence[str]
) -> Figure:
    """Draw feature maps, a row with a heading for each layer, each map on its own scale.

    The maps of the rows in ``signed`` have both signs: grey is zero there, elsewhere black is.
    """
    import matplotlib.pyplot as plt

    first = next(iter(rows.values()))
    count, size = len(first), first[0].shape[0]
    gap, head = 10, 52
    zoom = (PAGE - (count - 1) * gap) // (count * size)
    side = zoom * size
    height = len(rows) * (side + head) + 8
    fig = plt.figure(figsize=(PAGE / DPI, height / DPI), layout="none")
    left = (PAGE - count * side - (count - 1) * gap) // 2
    for row, (name, maps) in enumerate(rows.items()):
        top = head + row * (side + head)
        fig.text(
            left / PAGE,
            1 - (top - 10) / height,
            name,
            va="bottom",
            fontsize=10,
        )
        for column, values in enumerate(maps):
            end = float(np.abs(values).max()) or 1.0
            limits: dict[str, Any] = {
                "vmin": -end if name in signed else 0.0,
                "vmax": end,
            }
            if values.dtype == np.uint8:
                limits = {"vmin": 0, "vmax": 255}
            place(
                fig,
                values,
                left + column * (side + gap),
                top,
                zoom,
                cmap="gray",
                **limits,
            )
    return fig


def gains(
    panels: Mapping[
        str, tuple[str, Sequence[float], Mapping[str, Sequence[float]]]
    ],
) -> Figure:
    """Draw what methods gain over bi-cubic interpolation, in dB, against a change of the camera.

    Each panel is by its title: the label of its horizontal axis, the positions, and the gains by
    name. A dotted vertical line marks the position 0 of the first panel's training condition.
    """
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, len(panels), figsize=(7.5, 3.5), sharey=True)
    for ax, (title, (label, where, group)) in zip(
        axes, panels.items(), strict=True
    ):
        looks = zip(_STYLES, _MARKERS, COLOURS, strict=False)
        for (name, values), (style, marker, colour) in zip(
            group.items(), looks, strict=False
        ):
            ax.plot(
                where,
                values,
                ls=style,
                marker=marker,
                ms=5,
                color=colour,
                label=name,
            )
        ax.axhline(0, color="0.35", lw=1.2, ls=":")
        ax.set(title=title, xlabel=label, xticks=list(where))
        ax.grid(True)
    axes[0].set_ylabel("gain over bi-cubic (dB)")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return fig
