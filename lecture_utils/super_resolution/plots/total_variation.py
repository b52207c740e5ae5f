"""The drawings of the section on total variation.

Every function returns an open figure for `lecture_utils.show.figure`, which gives it its caption.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lecture_utils.metrics import psnr
from lecture_utils.show import COLOURS, DPI, grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]

_BLUE, _ORANGE, _GREEN, _PINK = COLOURS[:4]
_BLACK = COLOURS[6]


def panels_and_curves(
    panels: Mapping[str, Array],
    taus: Mapping[str, Sequence[float]],
    curves: Mapping[str, Sequence[float]],
    marks: Sequence[float],
    baseline: tuple[str, float],
) -> Figure:
    """Draw six images in two rows; below, PSNR against tau for two methods.

    ``marks`` are the weights of the panels (b) to (f) on the first curve; ``baseline`` is a name and
    its PSNR in dB, which does not depend on tau.
    """
    import matplotlib.pyplot as plt

    side = next(iter(panels.values())).shape[0]
    dots, gap, label = 3 * side, 18, 42
    width, low = 1440, 560
    height = low + 2 * (dots + label + gap)
    fig = plt.figure(figsize=(width / DPI, height / DPI))
    engine: Any = fig.get_layout_engine()
    engine.set(rect=(0, 0, 1, low / height))
    left_most = (width - 3 * dots - 2 * gap) // 2
    for index, (title, image) in enumerate(panels.items()):
        row, column = divmod(index, 3)
        left = left_most + column * (dots + gap)
        top = height - label - row * (dots + label + gap)
        box = (
            left / width,
            (top - dots) / height,
            dots / width,
            dots / height,
        )
        picture = fig.add_axes(box)
        picture.set_title(title, fontsize=10, pad=4)
        picture.imshow(image, vmin=0, vmax=255, interpolation="none")
        picture.set_axis_off()
    ax = fig.subplots()
    for (name, curve), look in zip(
        curves.items(), (("-", _BLUE), ("--", _ORANGE)), strict=True
    ):
        ax.semilogx(taus[name], curve, look[0], color=look[1], label=name)
    first = next(iter(curves))
    heights = np.interp(np.log10(marks), np.log10(taus[first]), curves[first])
    for letter, tau, value in zip("bcdef", marks, heights, strict=True):
        ax.plot(tau, value, "o", color=_BLUE, ms=5)
        ax.annotate(
            f"({letter})",
            (tau, value),
            (0, 8),
            textcoords="offset points",
            ha="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
    ax.axhline(baseline[1], color="0.45", lw=1.2, ls=":", label=baseline[0])
    top_value = max(max(curve) for curve in curves.values())
    ax.set_ylim(min(heights) - 0.5, top_value + 1.2)
    ax.set(
        xlabel="$\\tau$ (each method has its own scale)", ylabel="PSNR (dB)"
    )
    ax.legend(loc="lower center")
    return fig


def five_pixels(y: Array, x: Array, p: Array, tau: float) -> Figure:
    """Draw data and solution of a row, and below them the dual variable between the pixels."""
    import matplotlib.pyplot as plt

    fig, (above, below) = plt.subplots(2, 1, figsize=(5.5, 4.2), sharex=True)
    pixels = np.arange(1, len(y) + 1)
    above.stairs(
        x,
        np.arange(len(y) + 1) + 0.5,
        color=_BLUE,
        lw=2,
        baseline=None,
        label="$x$",
    )
    above.plot(pixels, y, "o", color=_BLACK, label="$y$")
    above.set(ylabel="grey value", ylim=(0, 10.5))
    above.legend(loc="upper left")
    below.axhspan(-tau, tau, color="0.9")
    below.plot(pixels[:-1] + 0.5, p, "s-", color=_ORANGE)
    touches = np.abs(np.abs(p) - tau) < 1e-9
    below.plot(
        (pixels[:-1] + 0.5)[touches],
        p[touches],
        "o",
        ms=14,
        mfc="none",
        mec=_BLACK,
    )
    below.set(
        ylabel="$p$",
        ylim=(-1.3 * tau, 1.45 * tau),
        xlabel="pixel",
        xticks=pixels,
    )
    below.set_yticks((-tau, 0, tau), ("$-\\tau$", "0", "$\\tau$"))
    return fig


def convergence(
    records: Mapping[str, Mapping[str, Array]], bound: str, least: float
) -> Figure:
    """Draw relative errors of the objective against iterations and seconds.

    Each record has the arrays "iteration", "seconds", "error" and "gap"; the gap of the record
    ``bound`` is drawn, relative to the objective's minimum ``least``.
    """
    import matplotlib.pyplot as plt

    gap = records[bound]["gap"] / least
    fig, axes = plt.subplots(1, 2, figsize=(7.5, 4.3), sharey=True)
    looks = (
        ("-", _BLACK),
        ("--", _GREEN),
        ("-.", _PINK),
        (":", _ORANGE),
        ("-", _BLUE),
    )
    for (name, record), (style, colour) in zip(
        records.items(), looks, strict=False
    ):
        for ax, axis in zip(axes, ("iteration", "seconds"), strict=True):
            ax.loglog(
                record[axis], record["error"], style, color=colour, label=name
            )
    for ax, axis in zip(axes, ("iteration", "seconds"), strict=True):
        label = f"gap of {bound}"
        ax.loglog(
            records[bound][axis],
            gap,
            color=_BLUE,
            lw=0.9,
            alpha=0.8,
            label=label,
        )
        ax.grid(True)
    axes[0].set(
        xlabel="iteration", ylabel="$(F(x) - F^\\star)\\, /\\, F^\\star$"
    )
    axes[1].set_xlabel("seconds")
    lowest = min(float(np.min(record["error"])) for record in records.values())
    axes[0].set_ylim(lowest / 2, 10)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(
        handles, labels, loc="outside upper center", ncols=3, fontsize=9
    )
    return fig


def profiles(
    signals: Mapping[str, Mapping[str, Array]],
    looks: Sequence[tuple[str, int]],
) -> Figure:
    """Draw one-dimensional signals: a panel each, several curves in it."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, len(signals), figsize=(7.5, 3.1), sharey=True)
    for ax, (title, curves) in zip(axes, signals.items(), strict=True):
        for (name, values), (style, colour) in zip(
            curves.items(), looks, strict=True
        ):
            wide = 0.8 if colour == 6 else 1.8
            ax.plot(
                values, style, color=COLOURS[colour], label=name, lw=wide, ms=3
            )
        ax.set(title=title, xlabel="pixel")
    axes[0].set_ylabel("value")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return fig


def corners(
    images: Mapping[str, Sequence[Array]],
    places: Mapping[str, tuple[int, int]],
    methods: Sequence[str],
) -> Figure:
    """Draw parts of 72 x 72 pixels: a row an image, the truth first, with the PSNR of each part.

    ``images`` are 8 bits, one for each of ``methods``; ``places`` has the upper left corner of each
    part.
    """
    parts, titles = [], []
    for name, (top, left) in places.items():
        row = [
            image[top : top + 72, left : left + 72] for image in images[name]
        ]
        for method, part in zip(methods, row, strict=True):
            score = "" if part is row[0] else f", {psnr(part, row[0]):.2f} dB"
            titles.append(f"{name}\n{method}{score}")
        parts += row
    return grid(parts, columns=len(methods), titles=titles, size=2.4)
