"""How far an image is from its reference: PSNR and SSIM, on luminance, as the papers measure them."""

from __future__ import annotations

from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lecture_utils.images import (
    Image,
    check_range,
    described,
    eight_bits,
    extremes,
    is_real,
    rows_and_columns,
    whole_number,
)

# BT.601 in studio swing: what MATLAB's rgb2ycbcr computes, for RGB in [0, 1],
# on the scale 0 .. 255.
_LUMINANCE_WEIGHTS = (65.481, 128.553, 24.966)
_LUMINANCE_OFFSET = 16.0


@overload
def luminance(rgb: NDArray[np.uint8]) -> NDArray[np.float64]: ...


@overload
def luminance(rgb: Tensor) -> Tensor: ...


def luminance(rgb: NDArray[np.uint8] | Tensor) -> NDArray[np.float64] | Tensor:
    """Return the luminance Y of an RGB image (ITU-R BT.601, studio swing).

    Parameters
    ----------
    rgb
        8-bit values of shape (H, W, 3) in NumPy, or a tensor of shape (..., 3, H, W): floats in
        [0, 1], which may overshoot it as estimates do, or 8 bits.

    Returns
    -------
    Y before any rounding: float64 of shape (H, W) in [16, 235] for NumPy; a tensor of shape
    (..., 1, H, W) in [16/255, 235/255] for a tensor, in float32 for 8 bits and half precision.

    Raises
    ------
    TypeError
        If the values are integers other than 8 bits, or floats in NumPy.
    ValueError
        If the image has not three channels where they belong, or its floats are on another scale.
    """
    if isinstance(rgb, Tensor):
        rows_and_columns(rgb, "luminance")
        if rgb.ndim < 3 or rgb.shape[-3] != 3:
            raise ValueError(
                f"luminance got {described(rgb)}; it needs (..., 3, H, W). A"
                " grey image is its own luminance."
            )
        if rgb.dtype == torch.uint8:
            rgb = rgb.float() / 255
        elif not rgb.is_floating_point():
            raise TypeError(
                f"luminance got {described(rgb)}; it needs floats in [0, 1] or"
                " uint8. Of values in 0 .. 255, image.byte() makes one."
            )
        check_range(rgb, "luminance", 1, "Divide values in 0 .. 255 by 255.")
        if rgb.dtype.itemsize < 4:
            rgb = rgb.float()
        weights = rgb.new_tensor(_LUMINANCE_WEIGHTS).view(3, 1, 1)
        return (
            (rgb * weights).sum(dim=-3, keepdim=True) + _LUMINANCE_OFFSET
        ) / 255
    rgb = eight_bits(rgb, "luminance")
    if rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(
            f"luminance got {described(rgb)}; it needs the shape (H, W, 3). A"
            " grey image is its own luminance."
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
        Two images of one shape: (H, W) or (H, W, C) in NumPy, (..., H, W) as tensors. Half
        precision is measured, too; the error is taken in float64.
    peak
        The largest possible value. Without it 255 for 8 bits, and 1 for booleans and for floats,
        which then lie in [0, 1] and may overshoot it as estimates do. Other integers need it.
    border
        This many pixels on each side are left out.

    Returns
    -------
    The ratio in dB; infinity for equal images, NaN if a value is NaN.

    Raises
    ------
    TypeError
        If one of them is no image, or ``peak`` is missing for integers other than 8 bits.
    ValueError
        If shapes, types or scales differ, the axes are in another order, or the border leaves
        nothing.
    """
    x, y, top = _pair(image, reference, peak, border, "psnr")
    error = float(np.mean((x - y) ** 2))
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

    Raises
    ------
    TypeError, ValueError
        As in :func:`psnr`, and if the images are not grey or too small.
    """
    from skimage.metrics import structural_similarity

    x, y, top = _pair(image, reference, peak, border, "ssim")
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
        data_range=top,
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
        8-bit RGB of shape (H, W, 3), or grey of shape (H, W). A grey image is its own luminance,
        with values up to 255; that of the same image in three channels ends at 235, so its PSNR is
        1.3 dB higher.
    scale
        The scale factor of the super-resolution, in pixels of border.

    Raises
    ------
    TypeError
        If the images are not arrays of 8 bits.
    ValueError
        If they differ in shape, have another number of channels, or the border leaves nothing.
    """
    x, y = _luminances(image, reference, "psnr_y")
    return psnr(x, y, peak=255.0, border=scale)


def ssim_y(
    image: NDArray[np.uint8], reference: NDArray[np.uint8], scale: int
) -> float:
    """Return the SSIM on luminance, ``scale`` pixels cropped on each side; see :func:`psnr_y`."""
    x, y = _luminances(image, reference, "ssim_y")
    return ssim(x, y, peak=255.0, border=scale)


def _luminances(
    image: NDArray[np.uint8], reference: NDArray[np.uint8], caller: str
) -> list[NDArray[np.float64]]:
    """Return the luminance of two 8-bit images of one shape."""
    images = [eight_bits(x, caller) for x in (image, reference)]
    _check_shapes(image, reference, caller)
    return [
        luminance(x)
        if x.shape[2:] == (3,)
        else x.reshape(x.shape[:2]).astype(np.float64)
        for x in images
    ]


def _check_shapes(image: Image, reference: Image, caller: str) -> None:
    """Say that two images differ in shape."""
    shapes = [tuple(x.shape) for x in (image, reference)]
    if shapes[0] == shapes[1]:
        return
    colours = {len(shape) for shape in shapes} == {2, 3}
    raise ValueError(
        f"{caller} got images of shapes {shapes[0]} and {shapes[1]}; it needs"
        " two of one shape. "
        + (
            "Compare grey with grey or colour with colour, and arrays with"
            " arrays."
            if colours or type(image) is not type(reference)
            else "Crop the larger (resize.modcrop) or resize."
        )
    )


def _default_peak(image: Image) -> float | None:
    """Return the largest value that a type stands for, or None where it may be another."""
    if image.dtype in (np.uint8, torch.uint8):
        return 255.0
    floating = (
        image.is_floating_point()
        if isinstance(image, Tensor)
        else np.issubdtype(image.dtype, np.floating)
    )
    return 1.0 if floating or image.dtype in (np.bool_, torch.bool) else None


def _pair(
    image: Image,
    reference: Image,
    peak: float | None,
    border: int,
    caller: str,
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Check that two images can be compared; return them as float64, cropped, with the peak."""
    pair = (image, reference)
    for x in pair:
        rows_and_columns(x, caller)
        if not is_real(x):
            raise TypeError(
                f"{caller} got {described(x)}; it needs real numbers."
            )
        if isinstance(x, np.ndarray) and x.shape[2:] in ((2,), (4,)):
            raise ValueError(
                f"{caller} got {described(x)}; an alpha channel is not"
                " compared. Leave it out with image[..., :-1]."
            )
    _check_shapes(image, reference, caller)
    peaks = [_default_peak(x) for x in pair]
    if peak is None and None in peaks:
        raise TypeError(
            f"{caller} got {described(image)} and {described(reference)};"
            " without a peak it takes uint8 (255), and floats in [0, 1] and"
            " booleans (1). Say what white is: peak=255 for values in 0 .."
            " 255, peak=65535 for 16 bits."
        )
    if (peaks[0] == 255) != (peaks[1] == 255):
        raise ValueError(
            f"{caller} got one image of {image.dtype} and one of"
            f" {reference.dtype}; it needs both in 8 bits or both in floating"
            " point, on one scale."
        )
    top = peaks[0] if peak is None else peak
    if not (isinstance(top, int | float | np.number) and 0 < top < np.inf):
        raise ValueError(
            f"{caller} got the peak {peak!r}; it must be a finite number above"
            " 0, such as 255."
        )
    if peak is None:
        for x in pair:
            check_range(
                x,
                caller,
                top,
                "Divide values in 0 .. 255 by 255, or say peak=255; an"
                " estimate that is far off, clip or compare with peak=1.",
            )
    else:
        check_range(reference, caller, top, "Say peak= what white is.")
        largest = max(map(abs, extremes(reference)))
        if 0 < largest <= top / 200:
            raise ValueError(
                f"{caller} got the peak {top:g} and a reference whose values"
                f" go up to {largest:.4g}; they must use the range up to the"
                " peak. Leave peak out for floats in [0, 1], and say peak=255"
                " for values in 0 .. 255."
            )
    border = whole_number(border, f"The border of {caller}", least=0)
    as_arrays = []
    for x in pair:
        # Rows and columns are the first two axes of an array, the last two of
        # a tensor.
        inside = slice(border, -border or None)
        if isinstance(x, Tensor):
            cropped = x.detach()[..., inside, inside].cpu().double().numpy()
        else:
            cropped = x[inside, inside].astype(np.float64)
        as_arrays.append(cropped)
    if as_arrays[0].size == 0:
        raise ValueError(
            f"{caller} got images of shape {tuple(image.shape)} and a border"
            f" of {border}; nothing is left to compare. Give a smaller border."
        )
    return as_arrays[0], as_arrays[1], float(top)
