"""CelebA's aligned faces cut and shrunk in one way, for every section that models them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lecture_utils.resize import imresize

ALIGNED = (109, 89, 3)
CROP = (
    slice(22, 94),
    slice(8, 80),
)  # 72 x 72: from the hair line to below the chin


def face_crops(images: NDArray[np.uint8], size: int = 64) -> Tensor:
    """Cut the square around the face and shrink it with an antialiased bi-cubic filter.

    Parameters
    ----------
    images
        Aligned faces as `lecture_utils.data.celeba_10k` gives them: uint8, shape (N, 109, 89, 3).
    size
        Height and width of the result in pixels.

    Returns
    -------
    Tensor
        float32 in [0, 1], shape (N, 3, size, size).

    Raises
    ------
    ValueError
        If the images have another type or shape.
    """
    if (
        images.dtype != np.uint8
        or images.ndim != 4
        or images.shape[1:] != ALIGNED
    ):
        raise ValueError(
            f"The images are {images.dtype} of shape {images.shape}; they must"
            " be uint8 of shape (N, 109, 89, 3), as data.celeba_10k() gives"
            " them."
        )
    squares = torch.from_numpy(images[:, CROP[0], CROP[1]]).permute(0, 3, 1, 2)
    # In parts: the squares of ten thousand faces in floating point would take
    # gigabytes at once.
    parts = [
        imresize(squares[first : first + 500].float() / 255, size=(size, size))
        for first in range(0, len(squares), 500)
    ]
    return torch.cat(parts).clamp(0, 1)
