"""The drawings of the section on multi-frame super-resolution.

Every function returns an open figure for `lecture_utils.show.figure`, which gives it its caption.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from lecture_utils.layout import parts, use
from lecture_utils.runtime import Run
from lecture_utils.show import COLOURS
from lecture_utils.super_resolution.degrade import Degradation, box_kernel
from lecture_utils.super_resolution.interpolate import nearest
from lecture_utils.super_resolution.multi_frame import Frames, multi_frame
from lecture_utils.super_resolution.solvers import tikhonov

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]

_LOOKS = (("-", 0), ("--", 1), ("-.", 2), (":", 3))
_MARKS = ("o", "s", "D", "^")


def preview(photo: Array, run: Run) -> dict[str, Array]:
    """Return what the section arrives at: a frame, one frame's and sixteen frames' estimate, the truth.

    ``photo`` is 8-bit RGB (H, W, 3), sides multiples of 4.
    """
    scale, generator = 4, run.generator(1)
    camera = Degradation(box_kernel(3), scale)
    hr = torch.from_numpy(photo.copy()).permute(2, 0, 1).double() / 255
    shifts = scale * torch.rand(16, 2, dtype=hr.dtype, generator=generator)
    shifts[0] = 0
    ys = Frames(camera, shifts).apply(hr)
    noise = torch.randn(ys.shape, dtype=hr.dtype, generator=generator)
    ys = ys + 2 / 255 * noise
    images = {
        "one LR frame": nearest(ys[0], scale),
        "from one frame": tikhonov(ys[0], camera, 1e-3),
        "from 16 frames": multi_frame(ys, shifts, camera, 10**-2.5),
        "HR image": hr,
    }
    return {
        name: (255 * image.clamp(0, 1)).round().byte().permute(1, 2, 0).numpy()
        for name, image in images.items()
    }


def samples(shifts: Mapping[str, Array], scale: int, receptor: int) -> Figure:
    """Draw where the LR pixels of each set of frames lie on a part of the HR grid.

    ``shifts`` are (K, 2), down and right, in HR pixels; the receptor's side is in HR pixels too.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    side = 3 * scale
    fig, axes = plt.subplots(1, len(shifts), figsize=(7.5, 2.08))
    for ax, (title, moves) in zip(axes, shifts.items(), strict=True):
        lines = np.arange(-0.5, side)
        ax.hlines(lines, -0.5, side - 0.5, color="0.85", lw=0.6)
        ax.vlines(lines, -0.5, side - 0.5, color="0.85", lw=0.6)
        for index in range(len(moves) - 1, -1, -1):
            # A scene that has moved down by d is seen by a pixel that lies d
            # further up in it.
            rows, columns = np.meshgrid(
                *(scale * np.arange(-2, 6) - d for d in moves[index])
            )
            look: dict[str, Any] = {"color": COLOURS[0], "ms": 2.6}
            if index == 0:
                look = {"color": COLOURS[1], "ms": 4.5}
            ax.plot(columns.ravel(), rows.ravel(), "o", mec="none", **look)
        corner = 1 * scale - receptor / 2
        ax.add_patch(
            Rectangle(
                (corner, corner),
                receptor,
                receptor,
                color=COLOURS[1],
                alpha=0.25,
            )
        )
        ax.set(
            title=title,
            aspect="equal",
            xlim=(-0.5, side - 0.5),
            ylim=(side - 0.5, -0.5),
        )
        ax.set(xticks=[], yticks=[])
        for spine in ax.spines.values():
            spine.set_visible(True)
            spine.set_color("0.6")
    return fig


def conditioning(
    values: Mapping[str, Array],
    counts: Sequence[int],
    gains: Mapping[str, Array],
) -> Figure:
    """Draw sorted singular values of stacked operators, and noise gains of many draws of shifts.

    ``gains`` hold (draws, len(counts)), or one row for shifts that are not drawn.
    """
    import matplotlib.pyplot as plt

    fig, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.4))
    for (name, curve), (style, colour) in zip(
        values.items(), _LOOKS, strict=True
    ):
        rank = np.arange(1, len(curve) + 1) / max(
            len(v) for v in values.values()
        )
        left.semilogy(rank, curve, style, color=COLOURS[colour], label=name)
    left.set(
        xlabel="index, as a part of the unknowns", ylabel="singular value"
    )
    left.set(
        title="Singular values of the stacked operator",
        ylim=(2e-3, 3),
        xlim=(0, 1.02),
    )
    left.legend(loc="lower left")
    for (name, table), (style, colour) in zip(
        gains.items(), _LOOKS, strict=False
    ):
        middle = np.median(table, axis=0)
        right.loglog(
            counts,
            middle,
            style,
            color=COLOURS[colour],
            marker=_MARKS[colour],
            ms=4,
            label=name,
        )
        if len(table) > 1:
            low, high = np.quantile(table, (0.1, 0.9), axis=0)
            right.fill_between(
                counts, low, high, color=COLOURS[colour], alpha=0.18, lw=0
            )
    right.set(
        xlabel="frames $K$",
        ylabel="noise gain",
        title="Noise in the solution, $\\tau = 0$",
    )
    right.set_xticks(counts, [str(count) for count in counts])
    right.minorticks_off()
    right.legend(loc="upper right")
    right.grid(True)
    return fig


def single_and_multi(
    images: Mapping[str, Array],
    counts: Sequence[int],
    by_noise: Mapping[str, Sequence[float]],
    by_motion: Mapping[str, Sequence[float]],
) -> Figure:
    """Draw a part of four images; below, PSNR against the number of frames, twice."""
    import matplotlib.pyplot as plt

    fig = plt.figure(figsize=(7.5, 5.5))
    use(fig, (0, 0, 1, 0.565))
    axes = fig.subplots(1, 2, sharey=True)
    for ax, curves in zip(axes, (by_noise, by_motion), strict=True):
        for (name, curve), (style, colour) in zip(
            curves.items(), _LOOKS, strict=False
        ):
            ax.plot(
                counts,
                curve,
                style,
                color=COLOURS[colour],
                marker=_MARKS[colour],
                ms=4,
                label=name,
            )
        ax.set_xscale("log", base=2)
        ax.set_xticks(counts, [str(count) for count in counts])
        ax.set_xlabel("frames $K$")
        ax.legend(loc="upper left")
        ax.grid(True)
    axes[0].set(
        ylabel="PSNR (dB)", title="By the noise of a frame (grey levels)"
    )
    axes[1].set_title("By the motion, noise of 2 grey levels")
    parts(fig, images, bottom=0.592)
    return fig


def registration(
    errors: Mapping[str, Array],
    deviations: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    marks: Mapping[str, tuple[float, float]],
) -> Figure:
    """Draw errors of estimated shifts as points, and what errors of the shifts cost in PSNR."""
    import matplotlib.pyplot as plt

    fig, (left, right) = plt.subplots(
        1, 2, figsize=(7.5, 3.5), width_ratios=(0.85, 1)
    )
    left.axhline(0, color="0.8", lw=0.8)
    left.axvline(0, color="0.8", lw=0.8)
    for (name, cloud), (_, colour) in zip(
        errors.items(), _LOOKS, strict=False
    ):
        left.plot(
            cloud[:, 1],
            cloud[:, 0],
            _MARKS[colour],
            ms=4,
            color=COLOURS[colour],
            label=name,
        )
    edge = 1.15 * max(np.abs(cloud).max() for cloud in errors.values())
    left.set(xlim=(-edge, edge), ylim=(edge, -edge), aspect="equal")
    left.set(
        xlabel="error to the right (HR pixels)",
        ylabel="error downwards (HR pixels)",
    )
    left.set_title("Errors of the estimated shifts")
    left.legend(loc="lower left", handletextpad=0.1)
    for (name, curve), (style, colour) in zip(
        curves.items(), (("-", 6), ("--", 4)), strict=False
    ):
        right.plot(deviations, curve, style, color=COLOURS[colour], label=name)
    for (name, place), (_, colour) in zip(marks.items(), _LOOKS, strict=False):
        right.plot(
            *place, _MARKS[colour], ms=8, color=COLOURS[colour], label=name
        )
    right.set(
        xlabel="error of the shifts (HR pixels, root mean square)",
        ylabel="PSNR (dB)",
    )
    right.set_title("What it costs")
    right.legend(loc="lower left")
    right.grid(True)
    return fig


def failures(
    images: Mapping[str, Array], errors: Mapping[str, Array]
) -> Figure:
    """Draw a part of four images; below, the power of errors against frequency, as images.

    ``errors`` have frequency 0 in their middle, in decibels beside the power of the HR image.
    """
    import matplotlib.pyplot as plt

    fig = plt.figure(figsize=(7.5, 4.75))
    use(fig, (0, 0, 1, 0.525))
    axes: Any = fig.subplots(1, len(errors))
    for ax, (name, power) in zip(axes, errors.items(), strict=True):
        extent = (-0.5, 0.5, 0.5, -0.5)
        drawn = ax.imshow(power, extent=extent, cmap="magma", vmin=-40, vmax=0)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_ticks(
                [-0.5, -0.25, 0, 0.25, 0.5],
                ["−1/2", "−1/4", "0", "1/4", "1/2"],
            )
        ax.set_title(name)
        ax.set_xlabel("cycles a pixel")
    fig.colorbar(
        drawn, ax=axes, label="error / HR (dB)", extend="both", shrink=0.9
    )
    parts(fig, images, bottom=0.575)
    return fig
