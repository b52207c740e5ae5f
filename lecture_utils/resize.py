"""Resizing as MATLAB's bi-cubic ``imresize`` does it, and Keys' kernel, on which it rests.

Super-resolution papers make their low-resolution images with MATLAB's ``imresize``, and a network
trained for one resizing does measurably worse on another. So the numbers of this book can stand
beside the papers' only if the resizing is the same to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lecture_utils.images import (
    eight_bits,
    floating,
    rows_and_columns,
    whole_number,
)
from lecture_utils.kept import Kept

if TYPE_CHECKING:
    from scipy.sparse import csr_array


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
    An array of shape (length_out, length_in), nearly all of it zeros: `imresize` computes with the
    few others.
    """
    taps = _taps(length_in, length_out, scale, antialias)
    matrix: NDArray[np.float64] = taps.toarray()
    return matrix


def _taps(
    length_in: int, length_out: int, scale: float, antialias: bool
) -> csr_array:
    """Return `resize_matrix` without its zeros."""
    from scipy.sparse import csr_array

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
    starts = np.arange(0, weights.size + 1, taps)
    matrix = csr_array(
        (weights.ravel(), folded.ravel(), starts), (length_out, length_in)
    )
    matrix.sum_duplicates()  # what the mirror folds onto one sample
    matrix.eliminate_zeros()
    return matrix


@dataclass(frozen=True)
class _Resizing:
    """A resizing along one axis, in the two forms that are computed with.

    Attributes
    ----------
    taps
        The matrix without its zeros, for 8-bit arrays. Its sums are taken one after the other, so
        they are the same to the last bit on every machine.
    blocks
        The matrix in pieces for tensors: for each run of output samples the first and the last input
        sample that count, and the dense matrix between them. Small dense products are quick
        on every device, in every precision, and gradients pass.
    """

    taps: csr_array
    blocks: list[tuple[int, int, NDArray[np.float64]]]

    @property
    def nbytes(self) -> int:
        """How many bytes it takes."""
        taps = self.taps
        arrays = [taps.data, taps.indices, taps.indptr]
        arrays += [block for _, _, block in self.blocks]
        return sum(array.nbytes for array in arrays)


def _resizing(
    length_in: int, length_out: int, scale: float, antialias: bool
) -> _Resizing:
    taps = _taps(length_in, length_out, scale, antialias)
    # About as many input samples as output samples in a block: few zeros, and
    # few blocks. What is little more than one block is one.
    step = max(16, math.ceil(64 * min(scale, 1)))
    if length_out < 2 * step:
        step = length_out
    blocks = []
    for first in range(0, length_out, step):
        rows = taps[first : first + step]
        low, high = int(rows.indices.min()), int(rows.indices.max()) + 1
        blocks.append((low, high, rows[:, low:high].toarray()))
    return _Resizing(taps, blocks)


_KEPT = Kept(limit=16_000_000)  # of a photograph's side, about 0.5 MB each


def _kept(
    length_in: int, length_out: int, scale: float, antialias: bool
) -> _Resizing:
    key = (length_in, length_out, scale, antialias)
    return _KEPT(key, "resizing", lambda: _resizing(*key))


@overload
def imresize(
    image: NDArray[np.uint8],
    scale: float | None = None,
    *,
    size: tuple[int, int] | None = None,
    antialias: bool = True,
) -> NDArray[np.uint8]: ...


@overload
def imresize(
    image: Tensor,
    scale: float | None = None,
    *,
    size: tuple[int, int] | None = None,
    antialias: bool = True,
) -> Tensor: ...


def imresize(
    image: NDArray[np.uint8] | Tensor,
    scale: float | None = None,
    *,
    size: tuple[int, int] | None = None,
    antialias: bool = True,
) -> NDArray[np.uint8] | Tensor:
    """Resize with Keys' bi-cubic kernel (a = -1/2), as MATLAB's ``imresize`` does.

    Parameters
    ----------
    image
        Either 8-bit values of shape (H, W) or (H, W, C) in NumPy: the result equals MATLAB's to the
        last bit, rounded and clipped after each of the two passes, rows first. Or a floating-point
        tensor of shape (..., H, W) on any device: nothing is rounded or clipped, and gradients
        pass. Half precision is computed in float32 and rounded once.
    scale
        Size of the output over that of the input: 1/3 shrinks by three. The output has
        ``ceil(scale * H)`` rows.
    size
        Rows and columns of the output, instead of ``scale``.
    antialias
        Stretch the kernel when the image shrinks (MATLAB's default).

    Raises
    ------
    TypeError
        If the image is neither 8-bit in NumPy nor a floating-point tensor.
    ValueError
        If the shape does not fit, or not exactly one of ``scale`` and ``size`` is given.
    """
    if isinstance(image, Tensor):
        image = floating(image, "imresize")
    else:
        image = eight_bits(image, "imresize", channels=(1, 2, 3, 4))
    height, width = rows_and_columns(image, "imresize")
    if (scale is None) == (size is None):
        raise ValueError(
            "imresize needs exactly one of `scale` and `size`; give one of the"
            " two."
        )
    if scale is not None:
        if not (isinstance(scale, Real) and 0 < scale < math.inf):
            raise ValueError(
                f"The scale is {scale!r}; it must be a positive number: 2"
                " enlarges, 0.5 shrinks."
            )
        # The small slack keeps 1/3 of 255 at 85 rows: in floating point the
        # product may exceed it.
        rows, columns = (
            int(np.ceil(scale * n - 1e-9)) for n in (height, width)
        )
        scales = (float(scale), float(scale))
    else:
        if not isinstance(size, Sequence | np.ndarray) or len(size) != 2:
            raise ValueError(
                f"The size is {size!r}; it must be two numbers, the rows and"
                " the columns of the result."
            )
        rows, columns = (
            whole_number(n, f"The number of {what}")
            for n, what in zip(size, ("rows", "columns"), strict=True)
        )
        scales = (rows / height, columns / width)
    vertical = _kept(height, rows, scales[0], antialias)
    horizontal = _kept(width, columns, scales[1], antialias)

    if isinstance(image, np.ndarray):
        flat = image.reshape(height, -1).astype(np.float64)
        down = _round_to_8_bits(vertical.taps @ flat)
        # Columns become rows, and back.
        down = down.reshape(rows, width, -1).swapaxes(0, 1)
        across = _round_to_8_bits(horizontal.taps @ down.reshape(width, -1))
        turned = across.astype(np.uint8).reshape(columns, rows, -1)
        return np.ascontiguousarray(turned.swapaxes(0, 1)).reshape(
            rows, columns, *image.shape[2:]
        )
    values = image if image.dtype.itemsize >= 4 else image.float()
    parts = [
        torch.from_numpy(block).to(values) @ values[..., low:high, :]
        for low, high, block in vertical.blocks
    ]
    values = parts[0] if len(parts) == 1 else torch.cat(parts, dim=-2)
    parts = [
        values[..., low:high] @ torch.from_numpy(block).to(values).mT
        for low, high, block in horizontal.blocks
    ]
    values = parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)
    return values.to(image.dtype)


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
    TypeError
        If it is no image.
    ValueError
        If its axes are in another order, or it is smaller than ``scale`` in either direction.
    """
    height, width = rows_and_columns(image, "modcrop")
    scale = whole_number(scale, "The scale of modcrop")
    if min(height, width) < scale:
        raise ValueError(
            f"modcrop got an image of {height} x {width} and the scale"
            f" {scale}; it needs an image at least that large."
        )
    rows, columns = height - height % scale, width - width % scale
    return (
        image[:rows, :columns]
        if isinstance(image, np.ndarray)
        else image[..., :rows, :columns]
    )
