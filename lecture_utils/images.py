"""What an image is, in one place: checks that say what they got, what is needed and what to do.

An array has rows first and channels last, as files have them: (H, W) or (H, W, C). A tensor has
rows and columns last, as networks have them: (..., H, W) or (..., C, H, W). Eight bits run from 0 to
255 and floats from 0 to 1. Nothing is guessed: a picture on another scale, or with its axes in
another order, gives numbers that look like results, so it is refused.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Image = NDArray[Any] | Tensor
Pixels = NDArray[np.uint8]

# Estimates overshoot the range of images, by noise much. What lies further
# out than a whole range on either side is on another scale.
OVERSHOOT = 1.0


def described(image: object) -> str:
    """Return what something is, in the words of a message: kind, type and shape."""
    if isinstance(image, Tensor):
        kind = str(image.dtype).removeprefix("torch.")
        return f"a tensor of {kind} with shape {tuple(image.shape)}"
    if isinstance(image, np.ndarray):
        return f"an array of {image.dtype} with shape {image.shape}"
    if _is_pillow(image):
        return "a Pillow image"
    return f"a {type(image).__name__}"


def rows_and_columns(image: object, caller: str) -> tuple[int, int]:
    """Return height and width of an array (H, W[, C]) or a tensor (..., H, W).

    Raises
    ------
    TypeError
        If it is neither an array nor a tensor.
    ValueError
        If its axes are others or in another order, or it is empty.
    """
    if not isinstance(image, np.ndarray | Tensor):
        raise TypeError(
            f"{caller} got {described(image)}; it needs an array of shape (H,"
            " W) or (H, W, 3), or a tensor of shape (..., H, W)."
            f" {_to_array(image)}"
        )
    shape = tuple(image.shape)
    if isinstance(image, Tensor):
        # Four pixels are no photograph, but such patches are tried out.
        turned = (
            len(shape) >= 3
            and shape[-1] in (1, 3, 4)
            and min(shape[-3:-1]) > 4
        )
        fits = len(shape) >= 2 and not turned
        needed = "(..., H, W), channels before the rows"
        remedy = "Reorder the axes with image.movedim(-1, -3)."
        height, width = shape[-2:] if fits else (0, 0)
    else:
        fits = len(shape) == 2 or (
            len(shape) == 3 and shape[2] in (1, 2, 3, 4)
        )
        turned = not fits and len(shape) == 3 and shape[0] in (1, 2, 3, 4)
        needed = "(H, W), or (H, W, C) with up to four channels"
        remedy = (
            "Reorder the axes with np.moveaxis(image, 0, -1)."
            if turned
            else "Pick one image out of a batch."
        )
        height, width = shape[:2] if fits else (0, 0)
    if not fits:
        raise ValueError(
            f"{caller} got {described(image)}; it needs {needed}."
            + (f" {remedy}" if turned or len(shape) > 2 else "")
        )
    if not height or not width or 0 in shape:
        raise ValueError(
            f"{caller} got {described(image)}; an image has at least one row"
            " and one column."
        )
    return height, width


def eight_bits(
    image: object, caller: str, channels: Sequence[int] = (1, 3)
) -> Pixels:
    """Return an image if it is an array of 8 bits, (H, W) or (H, W, C) with so many channels.

    Raises
    ------
    TypeError
        If it is not a NumPy array of uint8.
    ValueError
        If it has another shape or another number of channels.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise TypeError(
            f"{caller} got {described(image)}; it needs uint8 in 0 .. 255, a"
            f" NumPy array. {to_eight_bits(image)}"
        )
    rows_and_columns(image, caller)
    if image.ndim == 3 and image.shape[2] not in channels:
        remedy = {
            2: "Leave out the alpha channel with image[..., 0].",
            4: "Leave out the alpha channel with image[..., :3].",
        }.get(image.shape[2], "")
        raise ValueError(
            f"{caller} got {described(image)}; it needs grey (H, W) or RGB (H,"
            f" W, 3). {remedy}".rstrip()
        )
    return image


def floating(
    image: object, caller: str, *, transforms: bool = False
) -> Tensor:
    """Return an image if it is a tensor of floats (..., H, W), whatever their range.

    Parameters
    ----------
    image
        What was given.
    caller
        Who asks, in the words of the message.
    transforms
        Whether Fourier transforms follow, which exist in float32 and float64 only.

    Raises
    ------
    TypeError
        If it is not a tensor of floats.
    ValueError
        If its axes are others or in another order, or it is empty.
    """
    fits = isinstance(image, Tensor) and image.is_floating_point()
    if transforms and isinstance(image, Tensor):
        fits = image.dtype in (torch.float32, torch.float64)
    if not isinstance(image, Tensor) or not fits:
        kind = "tensor of float32 or float64" if transforms else "float tensor"
        raise TypeError(
            f"{caller} got {described(image)}; it needs a {kind} of shape"
            f" (..., H, W). {_to_floats(image)}"
        )
    rows_and_columns(image, caller)
    return image


def check_range(image: Image, caller: str, top: float, remedy: str) -> None:
    """Say that the values of an image are not on the scale from 0 to ``top``.

    Estimates may overshoot by as much again on either side. NaN passes: it stays visible.

    Raises
    ------
    ValueError
        If a value lies outside, with the range that was found.
    """
    low, high = extremes(image)
    if low < -OVERSHOOT * top or high > (1 + OVERSHOOT) * top:
        raise ValueError(
            f"{caller} got {described(image)} and values from {low:.4g} to"
            f" {high:.4g}; they must lie in 0 .. {top:g}. {remedy}"
        )


def extremes(image: Image) -> tuple[float, float]:
    """Return the least and the largest value; NaN for both if the image holds one."""
    if isinstance(image, Tensor):
        values = image.detach()
        if not values.is_floating_point():  # uint16 has hardly any operations
            values = values.cpu().double()
        low, high = values.aminmax()
        return float(low), float(high)
    return float(image.min()), float(image.max())


def is_real(image: Image) -> bool:
    """Say whether the values are booleans, whole or real numbers, and not complex or something else."""
    if isinstance(image, Tensor):
        return not image.is_complex()
    return image.dtype.kind in "buif"


def whole_number(value: object, what: str, least: int = 1) -> int:
    """Return a number as an int: Python's, NumPy's, a tensor's, or a float such as 2.0.

    Raises
    ------
    ValueError
        If it is not a whole number, or below ``least``.
    """
    number: int | None = None
    if not isinstance(value, bool | np.bool_):
        try:
            number = operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            if isinstance(value, float | np.floating) and value % 1 == 0:
                number = int(value)
    if number is None or number < least:
        raise ValueError(
            f"{what} is {value!r}; it must be a whole number of at least"
            f" {least}."
        )
    return number


def _is_pillow(image: object) -> bool:
    return type(image).__module__.partition(".")[0] == "PIL"


def _to_array(image: object) -> str:
    """Say how something that is no array becomes one."""
    if _is_pillow(image):
        return 'np.asarray(picture.convert("RGB")) makes an array of it.'
    return "np.array(values) makes an array of a list."


def to_eight_bits(image: object) -> str:
    """Return a sentence on how an image becomes an array of 8 bits."""
    if isinstance(image, Tensor):
        moved = "" if image.ndim < 3 else ".movedim(-3, -1)"
        scaled = (
            "(255 * image).round().clip(0, 255).byte()"
            if image.is_floating_point()
            else "image"
        )
        return f"{scaled}{moved}.cpu().numpy() makes one."
    if not isinstance(image, np.ndarray):
        return _to_array(image)
    if np.issubdtype(image.dtype, np.floating):
        return (
            "Of values in [0, 1], np.rint(255 * image.clip(0,"
            " 1)).astype(np.uint8) makes one."
        )
    if image.dtype == np.bool_:
        return "image.astype(np.uint8) * 255 makes one."
    if image.dtype == np.uint16:
        return (
            "Of 16 bits, np.rint(image / 257).astype(np.uint8) makes one; of"
            " values in 0 .. 255, image.astype(np.uint8)."
        )
    return "Of values in 0 .. 255, image.astype(np.uint8) makes one."


def _to_floats(image: object) -> str:
    """Say how an image becomes a tensor of floats."""
    if isinstance(image, Tensor):
        if image.is_floating_point():
            return "Convert it with image.float()."
        return "Of 8 bits, image.float() / 255 makes one."
    if not isinstance(image, np.ndarray):
        return _to_array(image)
    moved = "" if image.ndim < 3 else ".movedim(-1, -3)"
    scaled = "" if np.issubdtype(image.dtype, np.floating) else " / 255"
    return f"torch.from_numpy(image){moved}{scaled} makes one."
