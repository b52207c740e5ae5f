"""The drawings of the section on linear inverse problems.

Every function returns an open figure for `lecture_utils.show.figure`, which gives it its caption.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lecture_utils.layout import parts, place, use
from lecture_utils.metrics import psnr
from lecture_utils.show import COLOURS, DPI, PAGE
from lecture_utils.super_resolution.degrade import Degradation, gaussian_kernel
from lecture_utils.super_resolution.solvers import (
    pseudo_inverse as pseudo_inverse_of,
)
from lecture_utils.super_resolution.solvers import tikhonov as tikhonov_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]

_STYLES = ("-", "--", "-.", ":")


def preview(
    hr: Tensor, generator: torch.Generator
) -> tuple[dict[str, Tensor], list[str]]:
    """Return what the section arrives at, by name, and a sentence for each.

    Parameters
    ----------
    hr
        A photograph, (3, H, W) in [0, 1], sides multiples of 4.
    generator
        Draws the camera's noise.
    """
    scale = 4
    camera = Degradation(gaussian_kernel(2.4), scale)
    lr = camera.apply(hr)
    drawn = torch.randn(lr.shape, generator=generator, dtype=lr.dtype)
    lr = lr + 3 / 255 * drawn
    images = {
        "LR image": lr.repeat_interleave(4, 1).repeat_interleave(4, 2),
        "exact solution": pseudo_inverse_of(lr, camera),
        "regularised": tikhonov_of(lr, camera, 0.03),
        "HR image": hr,
    }
    sentences = ["what the camera gives"]
    for name in ("exact solution", "regularised"):
        estimate = images[name].clamp(0, 1)
        value = psnr(estimate.float(), hr.float(), border=scale)
        sentences.append(f"{value:.1f} dB")
    return images, [*sentences, "what the camera saw"]


def forward_model(
    images: Mapping[str, Array], matrices: Mapping[str, Array]
) -> Figure:
    """Draw the camera on an image and, below, its matrices for a small one.

    ``images`` holds the HR image, the kernel, the blurred and the LR image; ``matrices`` H, S, B.
    """
    import matplotlib.pyplot as plt

    fig = plt.figure(figsize=(PAGE / DPI, 1050 / DPI), layout="none")
    middle = 52 + 216
    left = 8
    zooms = (2, 8, 2, 2)
    signs = ("$*$", "$=$", "$\\to$", "")
    for (name, image), zoom, sign in zip(
        images.items(), zooms, signs, strict=True
    ):
        height, width = zoom * image.shape[0], zoom * image.shape[1]
        # The kernel is drawn in greys from 0 to its peak, the images as they
        # are.
        limits = (
            {}
            if image.ndim == 3
            else {"cmap": "gray", "vmin": 0, "vmax": image.max()}
        )
        place(fig, image, left, middle - height // 2, zoom, name, **limits)
        left += width
        fig.text(
            (left + 46) / PAGE,
            1 - middle / 1050,
            sign,
            ha="center",
            va="center",
            size=16,
        )
        left += 92

    top, left = 600, 8
    for (name, matrix), sign in zip(
        matrices.items(), ("$=$", "$\\cdot$", ""), strict=True
    ):
        zoom = 6
        height = zoom * matrix.shape[0]
        ax = place(
            fig,
            matrix,
            left,
            top + 192 - height // 2,
            zoom,
            name,
            cmap="Blues",
            vmin=0,
            vmax=0.12,
        )
        ax.set_axis_on()
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(True)
        ax.spines[:].set_linewidth(0.8)
        left += zoom * matrix.shape[1]
        fig.text(
            (left + 66) / PAGE,
            1 - (top + 192) / 1050,
            sign,
            ha="center",
            va="center",
            size=16,
        )
        left += 132
    return fig


def pseudo_inverse(
    images: Mapping[str, Array],
    spectra: Mapping[str, Array],
    sigmas: Sequence[float],
    curves: Mapping[str, Sequence[float]],
) -> Figure:
    """Draw a part of four images; below, singular values of H, and PSNR against the blur.

    ``spectra`` holds the singular values for each camera; ``curves`` are in dB, one value a sigma.
    """
    import matplotlib.pyplot as plt

    fig = plt.figure(figsize=(7.5, 5.3))
    use(fig, (0, 0, 1, 0.56))
    left, right = fig.subplots(1, 2)
    for (name, values), style, colour in zip(
        spectra.items(), _STYLES, COLOURS, strict=False
    ):
        index = np.arange(1, len(values) + 1)
        left.semilogy(index, values, style, color=colour, label=name)
    left.set(
        xlabel="index $k$",
        ylabel="singular value $\\sigma_k$",
        title="Singular values of H",
    )
    left.legend(loc="lower left")
    left.grid(True)
    for (name, curve), style, colour in zip(
        curves.items(), _STYLES, COLOURS, strict=False
    ):
        right.plot(
            sigmas, curve, style, color=colour, marker="o", ms=4, label=name
        )
    right.set(xlabel="blur $\\sigma$ (HR pixels)", ylabel="PSNR (dB)")
    right.set_title("Pseudo-inverse, against the blur")
    right.legend(loc="lower center")
    right.grid(True)
    parts(fig, images, bottom=0.585)
    return fig


def tikhonov(
    panels: Mapping[str, Array],
    taus: Array,
    curves: Mapping[int, Sequence[float]],
    marks: Sequence[float],
    baseline: float,
    residuals: Mapping[str, Sequence[float]],
) -> Figure:
    """Draw six panels of one size; below, PSNR and residual against tau.

    ``curves`` are in dB, by the noise in grey levels; ``baseline`` is the PSNR of bi-cubic
    interpolation at noise 5, ``marks`` are the panels' tau; ``residuals`` are over their expected
    value at the truth.
    """
    import matplotlib.pyplot as plt

    side = next(iter(panels.values())).shape[0]
    zoom = 432 // side
    height = 2 * (432 + 84) + 590
    fig = plt.figure(figsize=(PAGE / DPI, height / DPI))
    use(fig, (0, 0, 1, 575 / height))
    for index, (name, image) in enumerate(panels.items()):
        row, column = divmod(index, 3)
        place(fig, image, 8 + 496 * column, 76 + row * 516, zoom, name)

    left, right = fig.subplots(1, 2)
    looks = list(zip(_STYLES, (2, 4, 0, 3), strict=True))
    for (level, curve), (style, colour) in zip(
        curves.items(), looks, strict=False
    ):
        name = f"noise {level}"
        left.semilogx(taus, curve, style, color=COLOURS[colour], label=name)
        best = int(np.argmax(curve))
        left.plot(taus[best], curve[best], "o", color=COLOURS[colour])
    left.axhline(baseline, color="0.45", lw=1, label="bi-cubic, noise 5")
    for mark, letter in zip(marks, "bcdef", strict=True):
        left.text(
            mark,
            0.94,
            letter,
            ha="center",
            transform=left.get_xaxis_transform(),
        )
    low, high = left.get_ylim()
    left.set(ylim=(low - 0.2 * (high - low), high + 0.1 * (high - low)))
    left.set(
        xlabel="$\\tau$", ylabel="PSNR (dB)", title="PSNR against $\\tau$"
    )
    left.legend(loc="lower right", fontsize=8)
    for (name, values), (style, colour) in zip(
        residuals.items(), looks[1:], strict=False
    ):
        right.loglog(taus, values, style, color=COLOURS[colour], label=name)
    right.axhline(1, color="0.45", lw=1)
    right.set(xlabel="$\\tau$", ylabel="residual / $\\sqrt{m}\\,\\varepsilon$")
    right.set_title("Residual: discrepancy asks for 1")
    right.legend(loc="upper left", fontsize=8)
    for ax in (left, right):
        ax.grid(True)
    return fig
