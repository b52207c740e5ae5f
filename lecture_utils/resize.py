"""Resizing as MATLAB's bi-cubic ``imresize`` does it, and Keys' kernel, on which it rests.

Super-resolution papers make their low-resolution images with MATLAB's ``imresize``, and a network
trained for one resizing does measurably worse on another. So the numbers of this book can stand
beside the papers' only if the resizing is the same to the last bit.
"""

from __future__ import annotations

from functools import lru_cache
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def keys_kernel(
    t: NDArray[np.float64], a: float = -0.5
) -> NDArray[np.float64]:
    """Evaluate Keys' cubic convolution kernel of support [-2, 2] at ``t``.

    Source: R. G. Keys, "Cubic convolution interpolation for digital image processing", IEEE
    Trans. ASSP 29(6), 1981, equation (15) for a = -1/2 (MATLAB, PIL); PyTorch takes a = -3/4.

    Parameters
    ----------
    t
        Distances in pixels, any shape.
    a
        The slope of the kernel at t = 1.
    """
    s = np.abs(t)
    inner = (a + 2) * s**3 - (a + 3) * s**2 + 1
    outer = a * (s**3 - 5 * s**2 + 8 * s - 4)
    return np.where(s <= 1, inner, np.where(s < 2, outer, 0.0))


@lru_cache(maxsize=64)
def resize_matrix(
    length_in: int, length_out: int, scale: float, antialias: bool = True
) -> NDArray[np.float64]:
    """Return the matrix that resizes a signal of ``length_in`` samples to ``length_out``.

    Pixel k covers [k, k+1], so output pixel i has its centre at (i + 1/2)/scale - 1/2 on the input's
    axis (the half-pixel grid). When the signal shrinks and ``antialias`` is on, the kernel is
    stretched by 1/scale: it then also low-passes. Beyond its ends the signal is mirrored, the last
    sample being repeated. Each row sums to one.

    Returns
    -------
    A read-only array of shape (length_out, length_in).
    """
    stretch = scale if antialias and scale < 1 else 1.0
    centres = (np.arange(length_out) + 0.5) / scale - 0.5
    half_width = 2.0 / stretch
    taps = int(np.ceil(2 * half_width)) + 2
    positions = np.floor(centres - half_width)[:, None] + np.arange(taps)
    weights = stretch * keys_kernel(stretch * (centres[:, None] - positions))
    weights /= weights.sum(axis=1, keepdims=True)

    # Mirror: ..., 1, 0 | 0, 1, ..., n-1 | n-1, n-2, ...
    folded = positions.astype(np.int64) % (2 * length_in)
    folded = np.where(folded < length_in, folded, 2 * length_in - 1 - folded)
    matrix = np.zeros((length_out, length_in))
    np.add.at(matrix, (np.arange(length_out)[:, None], folded), weights)
    matrix.setflags(write=False)
    return matrix


@overload
def imresize(
    image: NDArray[np.uint8],
    scale: float | None = None,
    *,
    size: tuple[int, int] | None = None,
    antialias: bool = True,
    round_between: bool = True,
) -> NDArray[np.uint8]: ...


@overload
def imresize(
    image: Tensor,
    scale: float | None = None,
    *,
    size: tuple[int, int] | None = None,
    antialias: bool = True,
    round_between: bool = True,
) -> Tensor: ...


def imresize(
    image: NDArray[np.uint8] | Tensor,
    scale: float | None = None,
    *,
    size: tuple[int, int] | None = None,
    antialias: bool = True,
    round_between: bool = True,
) -> NDArray[np.uint8] | Tensor:
    """Resize with Keys' bi-cubic kernel (a = -1/2), as MATLAB's ``imresize`` does.

    Parameters
    ----------
    image
        Either 8-bit grey values of shape (H, W) or (H, W, C) in NumPy: the result equals MATLAB's
        to the last bit, rounded and clipped after each of the two passes, rows first. Or a
        floating-point tensor of shape (..., H, W) on any device: nothing is rounded or clipped, and
        gradients pass.
    scale
        Size of the output over that of the input: 1/3 shrinks by three. The output has
        ``ceil(scale * H)`` rows.
    size
        Rows and columns of the output, instead of ``scale``.
    antialias
        Stretch the kernel when the image shrinks (MATLAB's default).
    round_between
        For 8-bit images: round and clip between the two passes too, as MATLAB does. Some published
        low-resolution sets come from ports that keep fractions there: the x8 images that circulate
        with Set5 do, while its x2, x3 and x4 images are MATLAB's.

    Raises
    ------
    TypeError
        If the image is neither 8-bit in NumPy nor a floating-point tensor.
    ValueError
        If the shape does not fit, or not exactly one of ``scale`` and ``size`` is given.
    """
    as_array = isinstance(image, np.ndarray)
    if as_array and image.dtype != np.uint8:
        raise TypeError(
            f"imresize got a NumPy array of {image.dtype}; it needs uint8. For"
            " floating-point values pass torch.from_numpy(image), with rows"
            " and columns as the last two axes."
        )
    if not as_array and not (
        isinstance(image, Tensor) and image.is_floating_point()
    ):
        got = (
            image.dtype if isinstance(image, Tensor) else type(image).__name__
        )
        raise TypeError(
            f"imresize got {got}; it needs uint8 in NumPy or a floating-point"
            " tensor. Convert with image.float() / 255, for example."
        )
    if image.ndim < 2 or (as_array and image.ndim > 3):
        raise ValueError(
            f"imresize got the shape {tuple(image.shape)}; it needs (H, W) or"
            " (H, W, C) in NumPy, or (..., H, W) as a tensor."
        )
    height, width = image.shape[:2] if as_array else image.shape[-2:]
    if (scale is None) == (size is None):
        raise ValueError(
            "imresize needs exactly one of `scale` and `size`; give one of the"
            " two."
        )
    if scale is not None:
        if not scale > 0:
            raise ValueError(
                f"The scale is {scale}; it must be positive: 2 enlarges, 0.5"
                " shrinks."
            )
        # The small slack keeps 1/3 of 255 at 85 rows: in floating point the
        # product may exceed it.
        rows, columns = (
            int(np.ceil(scale * n - 1e-9)) for n in (height, width)
        )
        scales = (scale, scale)
    else:
        assert size is not None
        rows, columns = size
        scales = (
            (rows / height, columns / width)
            if height and width
            else (0.0, 0.0)
        )
    if min(height, width, rows, columns) < 1:
        raise ValueError(
            f"imresize got an image of {height} x {width} and was asked for"
            f" {rows} x {columns}; both need at least one row and one column."
        )
    vertical = resize_matrix(height, rows, scales[0], antialias)
    horizontal = resize_matrix(width, columns, scales[1], antialias)

    if isinstance(image, np.ndarray):
        flat = image.reshape(height, -1).astype(np.float64)
        down = vertical @ flat
        if round_between:
            down = _round_to_8_bits(down)
        down = down.reshape(rows, width, -1)
        across = np.einsum("ow,rwc->roc", horizontal, down, optimize=True)
        return (
            _round_to_8_bits(across)
            .astype(np.uint8)
            .reshape(rows, columns, *image.shape[2:])
        )
    down_matrix = torch.from_numpy(vertical.copy()).to(image)
    across_matrix = torch.from_numpy(horizontal.copy()).to(image)
    return down_matrix @ image @ across_matrix.T


def _round_to_8_bits(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round halves up, as MATLAB does for positive numbers (NumPy would round them to even)."""
    return np.clip(np.floor(values + 0.5), 0, 255)


@overload
def modcrop(image: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]: ...


@overload
def modcrop(image: Tensor, scale: int) -> Tensor: ...


def modcrop(
    image: NDArray[np.uint8] | Tensor, scale: int
) -> NDArray[np.uint8] | Tensor:
    """Cut the last rows and columns so that height and width are multiples of ``scale``.

    Parameters
    ----------
    image
        (H, W) or (H, W, C) in NumPy, (..., H, W) as a tensor.
    scale
        The scale factor of the super-resolution, an integer of at least 1.

    Raises
    ------
    ValueError
        If the image is smaller than ``scale`` in either direction.
    """
    height, width = (
        image.shape[:2] if isinstance(image, np.ndarray) else image.shape[-2:]
    )
    if scale < 1 or min(height, width) < scale:
        raise ValueError(
            f"modcrop got an image of {height} x {width} and the scale"
            f" {scale}; it needs a scale of at least 1 and an image at least"
            " that large."
        )
    rows, columns = height - height % scale, width - width % scale
    return (
        image[:rows, :columns]
        if isinstance(image, np.ndarray)
        else image[..., :rows, :columns]
    )
