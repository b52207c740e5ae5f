"""The drawings of the section on interpolation and sharpening.

Every function returns an open figure for `lecture_utils.show.figure`, which gives it its caption.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from lecture_utils.layout import parts, use
from lecture_utils.show import COLOURS, grid
from lecture_utils.super_resolution.interpolate import bilinear, hr_positions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]
Method = Callable[[torch.Tensor, int], torch.Tensor]

_BLUE, _ORANGE = COLOURS[:2]
_GREYS: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 0.7}


def low_and_high(lr: Array, hr: Array) -> Figure:
    """Draw an LR image at the scale of the HR image, with its pixels enlarged, and the HR image."""
    scale = hr.shape[0] // lr.shape[0]
    rows, columns = ((scale - 1) * length // 2 for length in lr.shape[:2])
    frame = ((rows, rows), (columns, columns), (0, 0))
    centred = np.pad(lr, frame, constant_values=255)
    enlarged = lr.repeat(scale, 0).repeat(scale, 1)
    titles = [
        f"LR, {lr.shape[0]} × {lr.shape[1]}",
        "LR, pixels enlarged",
        f"HR, {hr.shape[0]} × {hr.shape[1]}",
    ]
    return grid([centred, enlarged, hr], titles=titles, size=2.4)


def four_steps(samples: Array) -> Figure:
    """Draw the lecture's four steps on 4 x 4 samples and a scale factor of 2."""
    import matplotlib.pyplot as plt

    titles = (
        "1. LR pixels on the LR grid",
        "2. Points in the plane",
        "3. The HR grid, laid over",
        "4. HR values, deduced",
    )
    x, y = np.meshgrid(np.arange(4), np.arange(4))
    centres = np.meshgrid(hr_positions(4, 2), hr_positions(4, 2))
    lines = np.arange(-0.5, 3.6, 0.5)
    fig, axes = plt.subplots(2, 2, figsize=(7.5, 7.4))
    for step, (ax, title) in enumerate(
        zip(axes.flat, titles, strict=True), start=1
    ):
        ax.set(title=title, xlabel="$x$", ylabel="$y$", aspect="equal")
        ax.set(
            xlim=(-0.55, 3.55),
            ylim=(3.55, -0.55),
            xticks=range(4),
            yticks=range(4),
        )
        if step in (1, 4):
            image = (
                samples
                if step == 1
                else bilinear(torch.from_numpy(samples), 2).numpy()
            )
            ax.imshow(image, extent=(-0.5, 3.5, 3.5, -0.5), **_GREYS)
        else:
            ax.set_facecolor("#DCE9F3")
        if step > 2:
            ax.hlines(lines, -0.5, 3.5, color=_ORANGE, lw=0.7)
            ax.vlines(lines, -0.5, 3.5, color=_ORANGE, lw=0.7)
            ax.plot(
                centres[0].ravel(),
                centres[1].ravel(),
                "x",
                color=_ORANGE,
                ms=5,
                mew=1.4,
            )
        if step > 1:
            ax.scatter(
                x, y, c=samples, s=90, ec=_BLUE, lw=1.6, zorder=3, **_GREYS
            )
    for column, row, value in zip(x.flat, y.flat, samples.flat, strict=True):
        ink = "white" if value < 0.35 else "black"
        axes[0, 0].text(
            column, row, f"{value:.2f}", ha="center", va="center", color=ink
        )
    return fig


def voronoi_cells(samples: Array, result: Array) -> Figure:
    """Draw the Voronoi cells of 4 x 4 points, anywhere and on a grid, and a result beside them."""
    import matplotlib.pyplot as plt
    from scipy.spatial import Voronoi

    grid = np.stack(
        np.meshgrid(np.arange(4.0), np.arange(4.0)), axis=-1
    ).reshape(-1, 2)
    scattered = grid + np.random.default_rng(4).uniform(
        -0.36, 0.36, grid.shape
    )
    fig, axes = plt.subplots(1, 3, figsize=(7.5, 2.75))
    for ax, points in zip(axes, (scattered, grid), strict=False):
        # Mirrored at the four sides of the frame, the points give every cell
        # inside a border.
        mirrored = [points * (-1, 1) + (c, 0) for c in (-1, 7)]
        mirrored += [points * (1, -1) + (0, c) for c in (-1, 7)]
        voronoi = Voronoi(np.concatenate([points, *mirrored]))
        for index, value in enumerate(samples.flat):
            cell = voronoi.vertices[
                voronoi.regions[voronoi.point_region[index]]
            ]
            ax.fill(
                *cell.T,
                facecolor=str(value / _GREYS["vmax"]),
                edgecolor=_ORANGE,
                lw=1,
            )
        ax.scatter(
            *points.T, c=samples.ravel(), s=45, ec=COLOURS[5], lw=1.6, **_GREYS
        )
        ax.set(xlim=(-0.55, 3.55), ylim=(3.55, -0.55))
    axes[2].imshow(result)
    titles = ("Points anywhere", "Points on a grid", "Result, × 4")
    for ax, title in zip(axes, titles, strict=True):
        ax.set(title=title, aspect="equal")
        ax.set_axis_off()
    return fig


def bilinear_weights(u: float, v: float) -> Figure:
    """Draw bi-linear interpolation at (u, v) as three linear ones, and its weights as areas."""
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    fig, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.9))
    left.set_title("Three linear interpolations")
    right.set_title("The weights as areas")
    left.plot([0, 0, 1, 1], [0, 1, 1, 0], color="0.75", lw=1)
    left.plot([u, u], [0, 1], "--", color="black", lw=2)
    left.text(u + 0.05, v + 0.2, "2. linear in $y$", va="center")
    for q, side in ((0, "top"), (1, "bottom")):
        left.plot([0, 1], [q, q], color="black", lw=2)
        left.plot(u, q, "D", ms=9, color="black", zorder=4)
        left.text(u + 0.16, 0.06 + 0.88 * q, "1. linear in $x$", va=side)
    for index, (p, q) in enumerate(((0, 0), (1, 0), (0, 1), (1, 1))):
        # The rectangle opposite to the corner (p, q) has the corner's colour.
        width, height = (u if p else 1 - u), (v if q else 1 - v)
        x, y = (0 if p else u), (0 if q else v)
        area = Rectangle((x, y), width, height, ec="black", lw=1.2, alpha=0.45)
        area.set_facecolor(COLOURS[index])
        right.add_patch(area)
        label = f"$w_{{{p + 1}{q + 1}}}$\n{width * height:.2f}"
        right.text(
            x + width / 2, y + height / 2, label, ha="center", va="center"
        )
        for ax in (left, right):
            ax.plot(p, q, "o", ms=13, color=COLOURS[index], zorder=4)
            corner = f"$(x_{p + 1}, y_{q + 1})$"
            ax.text(
                p,
                q + (0.1 if q else -0.1),
                corner,
                ha="center",
                va="top" if q else "bottom",
            )
    for ax in (left, right):
        ax.plot(
            u, v, "s", ms=10, color="white", mec="black", mew=1.6, zorder=5
        )
        ax.set(
            xlim=(-0.22, 1.22),
            ylim=(1.2, -0.2),
            aspect="equal",
            xticks=[],
            yticks=[],
        )
        ax.spines[["left", "bottom"]].set_visible(False)
    return fig


def step_and_order(
    methods: Mapping[str, Method],
    counts: Sequence[int],
    errors: Mapping[str, Sequence[float]],
) -> Figure:
    """Draw how four methods interpolate a step, and their errors on a sine of ``counts`` samples."""
    import matplotlib.pyplot as plt

    step = torch.zeros(4, 12, dtype=torch.float64)
    step[:, 6:] = 1
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.5))
    left.plot(
        range(-3, 4),
        [0, 0, 0, 1, 1, 1, 1],
        "o",
        color="black",
        label="LR samples",
        zorder=5,
    )
    looks = zip(
        COLOURS,
        (":", "--", "-", "-."),
        ("$h$", "$h^2$", "$h^3$", "$h$"),
        strict=False,
    )
    for (colour, style, order), (name, method) in zip(
        looks, methods.items(), strict=True
    ):
        curve = method(step, 64)[0]
        left.plot(
            hr_positions(12, 64) - 6, curve, style, color=colour, label=name
        )
        right.loglog(
            1 / np.array(counts),
            errors[name],
            style,
            marker="o",
            ms=4,
            color=colour,
        )
        middle = len(counts) // 2
        place = (1 / counts[middle], 1.3 * errors[name][middle])
        right.text(*place, order, ha="right", va="bottom", color="0.3")
    left.set(
        xlim=(-3.2, 3.2),
        ylim=(-0.25, 1.25),
        xlabel="$x$ (LR pixels)",
        ylabel="value",
    )
    left.set(title="A step: jump, kink, overshoot", xticks=range(-3, 4))
    left.legend(loc="lower right", fontsize=8)
    right.set(
        xlabel="distance $h$ of the samples (periods)", ylabel="largest error"
    )
    right.set(title="A sine: order of accuracy")
    right.set_xticks(1 / np.array(counts), [f"1/{count}" for count in counts])
    right.minorticks_off()
    right.grid(True)
    return fig


def surfaces(
    samples: Array, methods: Mapping[str, Method], images: Mapping[str, Array]
) -> Figure:
    """Draw the surface of each method through 4 x 4 samples; below, a part of four images."""
    import matplotlib.pyplot as plt

    fig = plt.figure(figsize=(7.5, 4.75))
    use(fig, (0, 0.49, 1, 0.51))
    x, y = np.meshgrid(hr_positions(4, 16), hr_positions(4, 16))
    for column, (name, method) in enumerate(methods.items(), start=1):
        ax: Any = fig.add_subplot(
            1, 3, column, projection="3d", computed_zorder=False
        )
        z = method(torch.from_numpy(samples), 16).numpy()
        ax.plot_surface(
            x, y, z, color="#8CBFE6", rcount=64, ccount=64, antialiased=False
        )
        for k in range(
            7, 64, 16
        ):  # the HR rows and columns next to the LR ones
            ax.plot(x[k], y[k], z[k], color="black", lw=0.7)
            ax.plot(x[:, k], y[:, k], z[:, k], color="black", lw=0.7)
        ax.scatter(
            *np.meshgrid(range(4), range(4)),
            samples,
            color=_ORANGE,
            s=22,
            depthshade=False,
            zorder=9,
        )
        ax.set(xlabel="$x$", ylabel="$y$", xticks=range(4), yticks=range(4))
        ax.set(zlim=(0, 0.7), zticks=[0, 0.3, 0.6])
        ax.set_title(name, y=0.97)
        ax.tick_params(labelsize=8, pad=-2)
        ax.xaxis.labelpad = ax.yaxis.labelpad = -6
        ax.view_init(elev=35, azim=35)
        ax.set_box_aspect((1, 1, 0.7))
    parts(fig, images, bottom=0.0)
    return fig


def sharpening(
    images: Mapping[str, Array],
    profiles: Mapping[str, Array],
    amounts: Sequence[float],
    curves: Mapping[str, Sequence[float]],
) -> Figure:
    """Draw a part of four images; below, profiles of an edge, and PSNR against the amount.

    ``profiles`` holds 12 LR pixels each, with the edge in the middle; ``curves`` are in dB.
    """
    import matplotlib.pyplot as plt

    fig = plt.figure(figsize=(7.5, 5.3))
    use(fig, (0, 0, 1, 0.56))
    left, right = fig.subplots(1, 2)
    for (name, profile), look in zip(
        profiles.items(), (("-", 6), ("--", 0), ("-.", 1)), strict=True
    ):
        x = (np.arange(len(profile)) + 0.5) * 12 / len(profile) - 6
        left.plot(x, profile, look[0], color=COLOURS[look[1]], label=name)
    left.set(
        xlim=(-4, 4),
        ylim=(-0.35, 1.35),
        xlabel="$x$ (LR pixels)",
        ylabel="value",
    )
    left.set_title("Profile of an edge, with its halo")
    left.axhspan(-1, 0, color="0.9")
    left.axhspan(1, 2, color="0.9")
    left.text(3.9, 1.05, "beyond white", color="0.3", fontsize=9, ha="right")
    left.text(
        3.9,
        -0.05,
        "beyond black",
        color="0.3",
        fontsize=9,
        ha="right",
        va="top",
    )
    left.legend(loc="upper left", bbox_to_anchor=(0, 0.8))
    for (name, curve), look in zip(
        curves.items(), (("-", 0), ("--", 1)), strict=True
    ):
        right.plot(amounts, curve, look[0], color=COLOURS[look[1]], label=name)
        right.plot(
            amounts[int(np.argmax(curve))],
            max(curve),
            "o",
            color=COLOURS[look[1]],
        )
    right.set(
        xlabel="amount $\\alpha$",
        ylabel="PSNR (dB)",
        title="PSNR against the amount",
    )
    right.legend()
    parts(fig, images, bottom=0.585)
    return fig


def spectra(
    transforms: Mapping[str, Array],
    frequencies: Array,
    power: Mapping[str, Array],
    coherence: Mapping[str, Array],
    nyquist: float,
) -> Figure:
    """Draw three power spectra; below, their averages over rings, and the coherence with the first.

    Transforms have frequency 0 in their middle; frequencies are in cycles a pixel, up to 1/2.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    fig = plt.figure(figsize=(7.5, 5.6))
    rows = fig.add_gridspec(2, 1, height_ratios=(0.8, 1.0))
    panels: Any = rows[0].subgridspec(1, 3).subplots()
    top = max(
        np.log10(np.abs(values).max() ** 2) for values in transforms.values()
    )
    for ax, (name, values) in zip(panels, transforms.items(), strict=True):
        logarithm = np.log10(np.abs(values) ** 2 + 1e-30)
        extent, limits = (
            (-0.5, 0.5, 0.5, -0.5),
            {
                "vmin": top - 8,
                "vmax": top - 1,
            },
        )
        drawn = ax.imshow(logarithm, extent=extent, cmap="magma", **limits)
        corner, side = (-nyquist, -nyquist), 2 * nyquist
        ax.add_patch(
            Rectangle(corner, side, side, fill=False, ec="white", lw=1.2)
        )
        ax.set(title=name, xticks=[-0.5, 0, 0.5], yticks=[-0.5, 0, 0.5])
        ax.set_xlabel("cycles a pixel, $x$")
    panels[0].set_ylabel("cycles a pixel, $y$")
    fig.colorbar(drawn, ax=panels, shrink=0.9, label="log$_{10}$ power")
    lower: Any = rows[1].subgridspec(1, 2).subplots()
    left, right = lower
    looks = dict(
        zip(transforms, (("-", 6), ("--", 0), ("-.", 1)), strict=True)
    )
    for name, (style, colour) in looks.items():
        left.semilogy(
            frequencies, power[name], style, color=COLOURS[colour], label=name
        )
        if name in coherence:
            right.plot(
                frequencies,
                coherence[name],
                style,
                color=COLOURS[colour],
                label=name,
            )
    left.set(ylabel="mean power", title="Power, averaged over rings")
    right.set(
        ylabel="coherence with HR",
        title="How much of it is right",
        ylim=(0, 1.05),
    )
    for ax in (left, right):
        ax.axvline(nyquist, color="0.5", lw=1)
        ax.set_xlabel("frequency (cycles a pixel)")
        ax.legend(loc="upper right")
    left.text(
        nyquist + 0.008,
        left.get_ylim()[0] * 3,
        "Nyquist, LR",
        color="0.35",
        fontsize=9,
    )
    return fig
