"""Nearest, bi-linear and bi-cubic interpolation and sharpening, each as its formula is written."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lecture_utils.images import floating, whole_number
from lecture_utils.resize import keys_kernel


def hr_positions(size: int, scale: int) -> NDArray[np.float64]:
    """Return where the centres of the high-resolution pixels lie on the low-resolution axis.

    Both axes cover the same stretch of the scene, and a pixel's value belongs to its centre. With
    the LR centres at 0, 1, ..., ``size - 1``, the centre of HR pixel i is at (i + 1/2) / s - 1/2,
    the half-pixel grid of MATLAB's ``imresize`` and of PyTorch's ``align_corners=False``.

    Parameters
    ----------
    size
        Number of LR pixels along the axis.
    scale
        Scale factor s, a whole number of at least 1.

    Returns
    -------
    array
        (size * scale,), in LR pixels, from -1/2 + 1/(2s) to size - 1/2 - 1/(2s).
    """
    scale = whole_number(scale, "The scale factor")
    return (np.arange(size * scale) + 0.5) / scale - 0.5


def nearest(image: Tensor, scale: int) -> Tensor:
    """Give each HR pixel the value of the closest LR pixel.

    Parameters
    ----------
    image
        (..., H, W), float.
    scale
        Scale factor, a whole number of at least 1.

    Returns
    -------
    Tensor
        (..., H * scale, W * scale), same type and device; no new values.

    Raises
    ------
    TypeError, ValueError
        If the image or the scale factor is not of that kind.
    """
    height, width = floating(image, "nearest").shape[-2:]
    scale = whole_number(scale, "The scale factor")
    # With a whole scale factor no HR centre is half-way between two LR
    # centres: no ties.
    x = np.rint(hr_positions(width, scale)).astype(int)
    y = np.rint(hr_positions(height, scale)).astype(int)
    return image[..., y[:, None], x]


def bilinear(image: Tensor, scale: int) -> Tensor:
    """Weigh the four LR pixels around each HR pixel by their distances in x and y.

    Outside the image the value of the nearest border pixel is taken.

    Parameters
    ----------
    image
        (..., H, W), float.
    scale
        Scale factor, a whole number of at least 1.

    Returns
    -------
    Tensor
        (..., H * scale, W * scale), same type and device; within the range of the input.

    Raises
    ------
    TypeError, ValueError
        If the image or the scale factor is not of that kind.
    """
    height, width = floating(image, "bilinear").shape[-2:]
    scale = whole_number(scale, "The scale factor")
    x1, u = _cells(width, scale)  # u = (x - x1) / (x2 - x1), with x2 = x1 + 1
    y1, v = _cells(height, scale)
    result = torch.zeros_like(nearest(image, scale))
    for m in (0, 1):  # rows y1, y2
        for n in (0, 1):  # columns x1, x2
            weight = np.outer(v if m else 1 - v, u if n else 1 - u)
            pixel = _at(image, y1 + m, x1 + n)
            result = result + _tensor(weight, image) * pixel
    return result


def bicubic(image: Tensor, scale: int, a: float = -0.5) -> Tensor:
    """Weigh the 4 x 4 LR pixels around each HR pixel by Keys' kernel in x times Keys' kernel in y.

    Outside the image the value of the nearest border pixel is taken.

    Parameters
    ----------
    image
        (..., H, W), float.
    scale
        Scale factor, a whole number of at least 1.
    a
        The kernel's parameter, as in ``keys_kernel``.

    Returns
    -------
    Tensor
        (..., H * scale, W * scale), same type and device; it can leave the range of the input.

    Raises
    ------
    TypeError, ValueError
        If the image or the scale factor is not of that kind.
    """
    height, width = floating(image, "bicubic").shape[-2:]
    scale = whole_number(scale, "The scale factor")
    x1, u = _cells(width, scale)
    y1, v = _cells(height, scale)
    result = torch.zeros_like(nearest(image, scale))
    for m in range(-1, 3):  # rows y1 - 1 .. y1 + 2
        for n in range(-1, 3):  # columns x1 - 1 .. x1 + 2
            weight = np.outer(keys_kernel(v - m, a), keys_kernel(u - n, a))
            pixel = _at(image, y1 + m, x1 + n)
            result = result + _tensor(weight, image) * pixel
    return result


def gaussian_blur(image: Tensor, sigma: float) -> Tensor:
    """Convolve with a Gaussian of standard deviation ``sigma`` pixels, cut off at 4 sigma.

    Outside the image the value of the nearest border pixel is taken.

    Parameters
    ----------
    image
        (..., H, W), float.
    sigma
        Standard deviation in pixels, above 0.

    Returns
    -------
    Tensor
        (..., H, W), same type and device.

    Raises
    ------
    TypeError, ValueError
        If the image is not of that kind or ``sigma`` is not above 0.
    """
    height, width = floating(image, "gaussian_blur").shape[-2:]
    if not (math.isfinite(sigma) and sigma > 0):
        raise ValueError(
            f"sigma is {sigma}; a Gaussian needs a standard deviation above 0,"
            " in pixels. Give, for example, sigma=1.0."
        )
    radius = math.ceil(4 * sigma)
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    weights /= weights.sum()
    rows, columns = np.arange(height), np.arange(width)
    across, result = torch.zeros_like(image), torch.zeros_like(image)
    for weight, offset in zip(weights.tolist(), offsets, strict=True):
        across = across + weight * _at(image, rows, columns + offset)
    for weight, offset in zip(weights.tolist(), offsets, strict=True):
        result = result + weight * _at(across, rows + offset, columns)
    return result


def sharpen(image: Tensor, amount: float, sigma: float = 1.0) -> Tensor:
    """Add to an image what a Gaussian blur takes from it: unsharp masking.

    Parameters
    ----------
    image
        (..., H, W), float.
    amount
        How much of the detail is added, 0 or more; 0 leaves the image as it is.
    sigma
        Standard deviation of the Gaussian, in pixels.

    Returns
    -------
    Tensor
        (..., H, W), same type and device; not clipped, so it can leave the range of the input.

    Raises
    ------
    TypeError, ValueError
        If the image is not of that kind, ``amount`` is below 0 or ``sigma`` is not above 0.
    """
    _check_amount(amount)
    return image + amount * (image - gaussian_blur(image, sigma))


def _cells(
    size: int, scale: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return for each HR pixel the LR pixel x1 at or before it and the way u from there, 0 to 1."""
    x = hr_positions(size, scale)
    x1 = np.floor(x).astype(np.int64)
    return x1, x - x1


def _at(image: Tensor, y: NDArray[np.int64], x: NDArray[np.int64]) -> Tensor:
    """Return the image at these rows and columns; outside, the nearest border pixel."""
    y, x = y.clip(0, image.shape[-2] - 1), x.clip(0, image.shape[-1] - 1)
    return image[..., y[:, None], x]


def _tensor(weight: NDArray[np.float64], like: Tensor) -> Tensor:
    """Return the weights with the type and on the device of an image."""
    return (
        torch.from_numpy(weight).to(like.dtype).to(like.device)
    )  # MPS has no float64


def _check_amount(amount: float) -> None:
    """Say what is wrong with an amount of sharpening that is not a finite number of 0 or more."""
    if not (math.isfinite(amount) and amount >= 0):
        raise ValueError(
            f"amount is {amount}; sharpening needs a finite amount of 0 or"
            " more. Use gaussian_blur to make an image softer."
        )
