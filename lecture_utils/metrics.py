"""How far an image is from its reference: PSNR and SSIM, on luminance, as the papers measure them."""

from __future__ import annotations

from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# BT.601 in studio swing: what MATLAB's rgb2ycbcr computes, for RGB in [0, 1],
# on the scale 0 .. 255.
_LUMINANCE_WEIGHTS = (65.481, 128.553, 24.966)
_LUMINANCE_OFFSET = 16.0

Image = NDArray[np.uint8] | NDArray[np.float64] | NDArray[np.float32] | Tensor


@overload
def luminance(rgb: NDArray[np.uint8]) -> NDArray[np.float64]: ...


@overload
def luminance(rgb: Tensor) -> Tensor: ...


def luminance(rgb: NDArray[np.uint8] | Tensor) -> NDArray[np.float64] | Tensor:
    """Return the luminance Y of an RGB image (ITU-R BT.601, studio swing).

    Parameters
    ----------
    rgb
        8-bit values of shape (H, W, 3) in NumPy, or a tensor of shape (..., 3, H, W) in [0, 1].

    Returns
    -------
    Y before any rounding: float64 of shape (H, W) in [16, 235] for NumPy; a tensor of shape
    (..., 1, H, W) in [16/255, 235/255] for a tensor.

    Raises
    ------
    ValueError
        If the image has not three channels where they belong, or is not 8-bit in NumPy.
    """
    if isinstance(rgb, Tensor):
        if rgb.ndim < 3 or rgb.shape[-3] != 3:
            raise ValueError(
                f"luminance got a tensor of shape {tuple(rgb.shape)}; it needs"
                " (..., 3, H, W)."
            )
        weights = rgb.new_tensor(_LUMINANCE_WEIGHTS).view(3, 1, 1)
        return (
            (rgb * weights).sum(dim=-3, keepdim=True) + _LUMINANCE_OFFSET
        ) / 255
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(
            f"luminance got an array of {rgb.dtype} with shape {rgb.shape}; it"
            " needs uint8 with shape (H, W, 3). A grey image is its own"
            " luminance."
        )
    weighted: NDArray[np.float64] = rgb.astype(np.float64) @ np.array(
        _LUMINANCE_WEIGHTS
    )
    return weighted / 255 + _LUMINANCE_OFFSET


def psnr(
    image: Image,
    reference: Image,
    *,
    peak: float | None = None,
    border: int = 0,
) -> float:
    """Return the peak signal-to-noise ratio 10 log10(peak^2 / mean squared error) in dB.

    Parameters
    ----------
    image, reference
        Two images of one shape: (H, W) or (H, W, C) in NumPy, (..., H, W) as tensors.
    peak
        The largest possible value; without it 255 for 8-bit images and 1 for floating-point ones.
    border
        This many pixels on each side are left out.

    Returns
    -------
    The ratio in dB; infinity for equal images.
    """
    x, y, default_peak = _pair(image, reference, border, "psnr")
    error = float(np.mean((x - y) ** 2))
    top = default_peak if peak is None else peak
    return float("inf") if error == 0 else float(10 * np.log10(top**2 / error))


def ssim(
    image: Image,
    reference: Image,
    *,
    peak: float | None = None,
    border: int = 0,
) -> float:
    """Return the structural similarity of two grey images, averaged over the positions.

    Gaussian window of 11 x 11 pixels with a standard deviation of 1.5, K1 = 0.01, K2 = 0.03, only
    positions where the window lies inside: the published reference code's settings.

    Source: Z. Wang et al., "Image quality assessment: from error visibility to structural
    similarity", IEEE Trans. Image Processing 13(4), 2004. scikit-image computes it.

    Parameters
    ----------
    image, reference
        Two grey images of one shape, (H, W), at least 11 pixels in each direction after cropping.
    peak, border
        As in :func:`psnr`.
    """
    from skimage.metrics import structural_similarity

    x, y, default_peak = _pair(image, reference, border, "ssim")
    x, y = np.squeeze(x), np.squeeze(y)
    if x.ndim != 2 or min(x.shape) < 11:
        raise ValueError(
            f"ssim got images of shape {x.shape} after cropping {border}"
            " pixels; it needs one grey image of at least 11 x 11. Take the"
            " luminance of a colour image first."
        )
    value = structural_similarity(
        x,
        y,
        data_range=default_peak if peak is None else peak,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return float(value)


def psnr_y(
    image: NDArray[np.uint8], reference: NDArray[np.uint8], scale: int
) -> float:
    """Return the PSNR in dB on luminance, ``scale`` pixels cropped on each side.

    This is the figure of merit of the super-resolution papers: Y of BT.601 before rounding, peak 255.

    Parameters
    ----------
    image, reference
        8-bit RGB of shape (H, W, 3), or grey of shape (H, W).
    scale
        The scale factor of the super-resolution, in pixels of border.
    """
    return psnr(_grey(image), _grey(reference), peak=255.0, border=scale)


def ssim_y(
    image: NDArray[np.uint8], reference: NDArray[np.uint8], scale: int
) -> float:
    """Return the SSIM on luminance, ``scale`` pixels cropped on each side; see :func:`psnr_y`."""
    return ssim(_grey(image), _grey(reference), peak=255.0, border=scale)


def _grey(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    return luminance(image) if image.ndim == 3 else image.astype(np.float64)


def _pair(
    image: Image, reference: Image, border: int, caller: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Check that two images can be compared; return them as float64 with the peak of their type."""
    if tuple(image.shape) != tuple(reference.shape):
        raise ValueError(
            f"{caller} got images of shapes {tuple(image.shape)} and"
            f" {tuple(reference.shape)}; it needs two of one shape. Crop the"
            " larger (resize.modcrop) or resize."
        )
    eight_bits = [
        x.dtype in (np.uint8, torch.uint8) for x in (image, reference)
    ]
    if eight_bits[0] != eight_bits[1]:
        raise ValueError(
            f"{caller} got one image of {image.dtype} and one of"
            f" {reference.dtype}; it needs both in 8 bits or both in floating"
            " point, on one scale."
        )
    as_arrays = [
        (x.detach().cpu().numpy() if isinstance(x, Tensor) else x).astype(
            np.float64
        )
        for x in (image, reference)
    ]
    if border:
        # Rows and columns are the first two axes of an array in NumPy, the
        # last two of a tensor.
        inside = slice(border, -border)
        crop = (
            (..., inside, inside)
            if isinstance(image, Tensor)
            else (inside, inside)
        )
        as_arrays = [x[crop] for x in as_arrays]
    if border < 0 or as_arrays[0].size == 0:
        raise ValueError(
            f"{caller} got images of shape {tuple(image.shape)} and a border"
            f" of {border}; nothing is left to compare. Give a smaller border."
        )
    return as_arrays[0], as_arrays[1], 255.0 if eight_bits[0] else 1.0
