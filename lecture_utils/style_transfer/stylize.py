"""Paint a photograph of any size by a transform network, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lecture_utils.files import write_atomically
from lecture_utils.images import eight_bits
from lecture_utils.style_transfer.fast_style import (
    ConditionalInstanceNorm,
    TransformNetwork,
)

SMALLEST = 16  # pixels a side, that the mirrored borders need
# Pixels that go through the network at once: at width 16 about 1 GB.
AT_ONCE = 2 * 1024 * 1024
TILE = 512  # pixels a side
# What a pixel of the result depends on reaches 4 + 1 + 2 pixels through the
# first layers, 10 x 4 through the residual blocks, 2 + 1 + 4 through the last
# ones and at most 3 through the doublings: 57. A multiple of 4 keeps the tiles
# on the grid of the strides.
MARGIN = 64
WINDOW = 256  # pixels a side, of the parts that statistics are taken from
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601, of R, G, B
FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}


def stylize(
    network: TransformNetwork,
    photograph: NDArray[np.uint8],
    *,
    strength: float = 1.0,
    keep_colour: bool = False,
    mix: Tensor | None = None,
    at_once: int = AT_ONCE,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.uint8]:
    """Paint a photograph in the network's style.

    A photograph of at most ``at_once`` pixels passes the network whole. A larger one passes in tiles
    that overlap by more than the network sees, so that none has an edge. What is left to decide is
    instance normalisation, which needs each layer's mean and variance over the whole image: with
    those of each tile the same blue of a sky would be painted differently from tile to tile. They
    are taken beforehand, from windows of full resolution on a regular grid over the photograph, with
    ``at_once`` pixels together, which pass the network as one image. They are an estimate: exact
    where the windows cover everything, and else as good as the windows represent the photograph.
    (A reduced photograph would show the network all of it, but sharper than it is: its layers'
    variances are others.)

    Parameters
    ----------
    network
        A transform network, on any device.
    photograph
        8-bit RGB, (H, W, 3), sides of at least 16 pixels.
    strength
        From 0, the photograph, to 1, the painting; between them a blend of the two.
    keep_colour
        Take only the luminance from the painting (L. A. Gatys et al., "Preserving color in neural
        artistic style transfer", 2016, section 4).
    mix
        (1, S), which weighs the network's styles; without it the first one is taken.
    at_once
        How many pixels may be in memory as features.
    progress
        Called with the tiles that are done and how many there are.

    Returns
    -------
    8-bit RGB of the photograph's size.

    Raises
    ------
    ValueError
        If the photograph is too small or the strength is not in [0, 1].
    TypeError
        If it is no 8-bit image.
    """
    photograph = eight_bits(photograph, "stylize")
    height, width = photograph.shape[:2]
    photograph = np.broadcast_to(
        photograph.reshape(height, width, -1), (height, width, 3)
    )
    if min(height, width) < SMALLEST:
        raise ValueError(
            f"stylize got a photograph of {width} x {height} pixels; its"
            f" sides need at least {SMALLEST}. Take a larger one."
        )
    if not 0 <= strength <= 1:
        raise ValueError(
            f"stylize got the strength {strength}; it must be in 0 .. 1."
        )
    painted = np.empty(photograph.shape, np.uint8)
    tiles = list(_tiles(height, width, whole=height * width <= at_once))
    try:
        if len(tiles) > 1:
            _fix_statistics(network, photograph, mix, at_once)
        for done, (inner, outer) in enumerate(tiles, 1):
            y = _paint(network, photograph[outer], mix)
            top, left = (
                i.start - o.start for i, o in zip(inner, outer, strict=True)
            )
            y = y[top:, left:][
                : inner[0].stop - inner[0].start,
                : inner[1].stop - inner[1].start,
            ]
            painted[inner] = _blend(
                y, photograph[inner], strength, keep_colour
            )
            if progress is not None:
                progress(done, len(tiles))
    finally:
        for norm in _norms(network):
            norm.fixed = None
    return painted


def encode(image: NDArray[np.uint8], out: Path | str) -> bytes:
    """Return an 8-bit RGB image as the bytes of a file, in the format that the file's name says."""
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(image).save(
        buffer, format=FORMATS[check_format(out)], quality=95
    )
    return buffer.getvalue()


def check_format(out: Path | str) -> str:
    """Return the ending of a file's name, or say which there are.

    Raises
    ------
    ValueError
        If it is none of `FORMATS`.
    """
    ending = Path(out).suffix.lower()
    if ending not in FORMATS:
        raise ValueError(
            f"The painting is to be written to {out}; the name must end in"
            f" one of {', '.join(FORMATS)}."
        )
    return ending


def write(image: NDArray[np.uint8], out: Path | str) -> Path:
    """Write an 8-bit RGB image in one step, in the format that the name says; return the path."""
    return write_atomically(out, encode(image, out))


def _norms(network: TransformNetwork) -> list[ConditionalInstanceNorm]:
    return [
        m for m in network.modules() if isinstance(m, ConditionalInstanceNorm)
    ]


def _tiles(
    height: int, width: int, *, whole: bool
) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Yield for each tile what it gives to the result, and what the network sees for it."""
    rows, columns = (
        [(slice(0, n), slice(0, n))]
        if whole
        else [
            (
                slice(start, min(start + TILE, n)),
                slice(max(start - MARGIN, 0), min(start + TILE + MARGIN, n)),
            )
            for start in range(0, n, TILE)
        ]
        for n in (height, width)
    )
    for inner_rows, outer_rows in rows:
        for inner_columns, outer_columns in columns:
            yield (inner_rows, inner_columns), (outer_rows, outer_columns)


@torch.no_grad()
def _fix_statistics(
    network: TransformNetwork,
    photograph: NDArray[np.uint8],
    mix: Tensor | None,
    at_once: int,
) -> None:
    """Give each normalisation the mean and the variance over windows of the photograph."""
    height, width = photograph.shape[:2]
    h, w = min(WINDOW, height), min(WINDOW, width)
    count = max(1, at_once // (h * w))
    # Rows and columns in the photograph's proportions.
    rows = round((count * height * w / (width * h)) ** 0.5)
    rows = min(max(rows, 1), count, -(-height // h))
    columns = min(max(count // rows, 1), -(-width // w))
    windows = np.stack(
        [
            photograph[top : top + h, left : left + w]
            for top in np.linspace(0, height - h, rows).astype(int)
            for left in np.linspace(0, width - w, columns).astype(int)
        ]
    )

    def measure(norm: torch.nn.Module, inputs: tuple[Tensor, Tensor]) -> None:
        x = inputs[0]  # (windows, C, h, w)
        variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
        assert isinstance(norm, ConditionalInstanceNorm)
        norm.fixed = (mean[:, None, None], variance[:, None, None])

    hooks = [
        norm.register_forward_pre_hook(measure) for norm in _norms(network)
    ]
    try:
        _forward(network, windows, mix)
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def _forward(
    network: TransformNetwork, images: NDArray[np.uint8], mix: Tensor | None
) -> Tensor:
    """Map images (N, H, W, 3) to paintings (N, 3, H, W) in [0, 1]."""
    like = next(network.parameters())
    x = torch.from_numpy(images.copy()).to(like.device).permute(0, 3, 1, 2)
    weights = None if mix is None else mix.to(like).expand(len(images), -1)
    y: Tensor = network(x.to(like.dtype) / 255, weights)
    return y


def _paint(
    network: TransformNetwork, part: NDArray[np.uint8], mix: Tensor | None
) -> NDArray[np.float32]:
    """Return the painting of a part, (H, W, 3) in [0, 1]."""
    y = _forward(network, part[None], mix)[0].permute(1, 2, 0)
    return y.float().cpu().numpy()


def _blend(
    painted: NDArray[np.float32],
    photograph: NDArray[np.uint8],
    strength: float,
    keep_colour: bool,
) -> NDArray[np.uint8]:
    """Return the painting, (H, W, 3) in [0, 1], in the wanted strength and colours, in 8 bits."""
    before = photograph.astype(np.float32)
    change = 255 * painted - before
    if keep_colour:
        # The same amount added to R, G and B changes luminance alone.
        change = np.broadcast_to(
            (change @ _LUMINANCE)[..., None], change.shape
        )
    blend = before + np.float32(strength) * change
    pixels: NDArray[np.uint8] = np.rint(blend.clip(0, 255)).astype(np.uint8)
    return pixels
