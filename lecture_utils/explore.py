"""Pictures with sliders that move in the published page, without a kernel and without a network.

Each explorer is one piece of HTML that carries its pictures, its style and its script. The sliders
are the browser's own, so keyboard, touch and screen readers work as everywhere else. Without
JavaScript, and on paper, the first picture stands there alone.
"""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
import torch

from lecture_utils.images import Image, Pixels
from lecture_utils.live import choice, live, picture, real, whole
from lecture_utils.show import (
    Explorer,
    encode_lossless,
    is_figure,
    page_width,
    pixels,
    rendered,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST = (
    2_500_000  # bytes of one explorer; several must fit on a page of 6 MB
)

__all__ = [
    "LARGEST",
    "Explorer",
    "choice",
    "linear_combination",
    "live",
    "picture",
    "real",
    "slider",
    "slider_grid",
    "whole",
]


def slider(
    images: Sequence[Image | Figure],
    labels: Sequence[object],
    *,
    name: str,
    caption: str,
    alt: str,
    captions: Sequence[str] | None = None,
    start: int = 0,
    quality: int = 85,
    width: int | None = None,
) -> Explorer:
    """Let the reader move through images, one for each position of a slider.

    Parameters
    ----------
    images
        Images as `lecture_utils.show.pixels` takes them, or matplotlib figures (which are closed),
        all of one aspect ratio. A small image is magnified by a whole number, pixels kept.
    labels
        What each position is called, such as ``["x2", "x3", "x4"]``; numbers are written as they
        are.
    name
        What the slider moves, such as ``"scale"``.
    caption
        What to look for, below the explorer. Plain text.
    alt
        What the images show, for a reader who cannot see them; name and label are added.
    captions
        One sentence a position, shown below the image and read out when it changes.
    start
        The position that is shown first, also where there is no JavaScript.
    quality
        WebP quality from 1 to 100, where 100 keeps every pixel. Images of at most 128 x 128 pixels,
        and others that take no more bytes so, are always stored without loss.
    width
        Width on the page in the browser's pixels; without it the largest whole multiple of the
        image's width up to 512, or its own width up to the page's 720.

    Returns
    -------
    Explorer
        Displays itself as the last expression of a cell.

    Raises
    ------
    ValueError
        If numbers of images, labels and captions differ, a text is empty, the start or the quality
        lies outside its range, the aspect ratios differ, a figure's text is too small to be read, or
        the explorer is larger than 2.5 MB.
    """
    return _stack(
        list(images),
        [(name, labels, start)],
        caption,
        alt,
        captions,
        quality,
        width,
    )


def slider_grid(
    images: Sequence[Sequence[Image | Figure]],
    row_labels: Sequence[object],
    column_labels: Sequence[object],
    *,
    row_name: str,
    column_name: str,
    caption: str,
    alt: str,
    captions: Sequence[Sequence[str]] | None = None,
    start: tuple[int, int] = (0, 0),
    quality: int = 85,
    width: int | None = None,
) -> Explorer:
    """Let the reader move through a table of images with two sliders.

    Parameters
    ----------
    images
        ``images[i][j]`` belongs to ``row_labels[i]`` and ``column_labels[j]``; see `slider`.
    row_labels, column_labels
        What the positions of the first and of the second slider are called.
    row_name, column_name
        What the two sliders move.
    caption, alt, quality, width
        As for `slider`.
    captions
        ``captions[i][j]`` is shown below ``images[i][j]`` and read out when it changes.
    start
        The positions that are shown first.

    Returns
    -------
    Explorer
        Displays itself as the last expression of a cell.

    Raises
    ------
    ValueError
        As for `slider`, or if a row has another number of images than there are column labels.
    """
    tables = [("images", images), ("captions", captions)]
    for what, table in tables:
        for i, row in enumerate(table or []):
            if len(row) != len(column_labels):
                raise ValueError(
                    f"Row {i} has {len(row)} {what} for {len(column_labels)}"
                    " column labels; each row needs one for each column."
                )
    return _stack(
        [image for row in images for image in row],
        [
            (row_name, row_labels, start[0]),
            (column_name, column_labels, start[1]),
        ],
        caption,
        alt,
        (
            None
            if captions is None
            else [text for row in captions for text in row]
        ),
        quality,
        width,
    )


def linear_combination(
    mean: Image,
    components: Sequence[Image] | Image,
    *,
    names: Sequence[str],
    limit: float = 3.0,
    caption: str,
    alt: str,
    upscale: int | None = None,
) -> Explorer:
    """Let the reader mix the image ``mean + sum_k a_k components[k]``, one slider for each a_k.

    The browser computes the image at each move, from the mean in 8 bits and components in 8 bits
    with a scale each, and clips it to [0, 1]. It is off by less than
    ``1 + limit * sum_k max|components[k]|`` grey levels of 255, usually by one.

    Parameters
    ----------
    mean
        The image in the middle, in [0, 1] or 8 bits, as `lecture_utils.show.pixels` takes it.
    components
        Images of the mean's shape, real numbers of either sign: what one standard deviation adds,
        so ``sqrt(eigenvalue) * eigenvector`` for a Gaussian model.
    names
        One name a component, its slider's label.
    limit
        The sliders run from ``-limit`` to ``limit`` standard deviations, in steps of 0.1.
    caption
        What to look for, below the explorer. Plain text.
    alt
        What the image shows, for a reader who cannot see it; the sliders' values are added.
    upscale
        Browser pixels for each image pixel; without it a number that makes the image about 320
        pixels wide.

    Returns
    -------
    Explorer
        Displays itself as the last expression of a cell, with a button that sets all sliders to 0
        and one that draws them from N(0, 1).

    Raises
    ------
    ValueError
        If shapes or numbers do not fit, a value is not finite, a text is empty, or the explorer is
        larger than 2.5 MB.
    """
    base = pixels(mean)
    height, width = base.shape[:2]
    layers = [_layer(item, base) for item in components]
    if not layers or len(names) != len(layers):
        raise ValueError(
            f"There are {len(layers)} components and {len(names)} names; give"
            " at least one component, and one name for each."
        )
    if not (math.isfinite(limit) and limit >= 0.1):
        raise ValueError(
            f"The limit is {limit}; it must be a number of at least 0.1."
        )
    if upscale is not None and upscale < 1:
        raise ValueError(
            f"The factor upscale is {upscale}; it must be at least 1."
        )
    zoom = upscale or max(1, min(320 // width, 400 // height))
    peaks = [float(np.abs(layer).max()) or 1.0 for layer in layers]
    eight_bits = np.stack(
        [
            np.round(layer / peak * 127)
            for layer, peak in zip(layers, peaks, strict=True)
        ]
    ).astype(np.int8)
    data = {
        "kind": "sum",
        "width": width,
        "height": height,
        "channels": 1 if base.ndim == 2 else 3,
        "alt": alt,
        "mean": _base64(base.tobytes()),
        "components": _base64(eight_bits.tobytes()),
        "scales": json.dumps([round(255 * peak / 127, 9) for peak in peaks]),
    }
    attributes = "".join(
        f' data-{key}="{escape(str(value))}"' for key, value in data.items()
    )
    picture = (
        f'<img class="lecture-explorer-picture pixelated" alt="{escape(alt)}"'
        f' src="{_uri(*encode_lossless(base))}" width="{width}"'
        f' height="{height}" style="width: {width * zoom}px">'
    )
    end = math.floor(limit * 10 + 1e-6) / 10
    rows = "".join(
        _slider(
            name,
            f'min="{-end}" max="{end}" step="0.1" value="0"',
            "0.0 σ",
            live=True,
        )
        for name in names
    )
    buttons = "".join(
        f'<button type="button" data-action="{action}">{label}</button>'
        for action, label in (("reset", "Reset"), ("random", "Random"))
    )
    text = f"explorer: {', '.join(names)}"
    return _explorer(
        attributes, picture, rows + buttons, "", caption, alt, text
    )


def _layer(image: Image, base: Pixels) -> np.ndarray:
    """Return a component as real numbers of the mean's shape."""
    if isinstance(image, torch.Tensor):
        image = image.detach().cpu().double().numpy()
        if image.ndim == 3:
            image = np.moveaxis(image, 0, -1)
    array = np.asarray(image, dtype=np.float64)
    if array.shape == (*base.shape, 1):
        array = array[:, :, 0]
    if array.shape != base.shape:
        raise ValueError(
            f"A component has the shape {array.shape} and the mean"
            f" {base.shape}; they must be equal."
        )
    if not np.isfinite(array).all():
        raise ValueError(
            "A component holds values that are not finite; look for NaN before"
            " this."
        )
    return array


def _stack(
    images: list[Image | Figure],
    axes: list[tuple[str, Sequence[object], int]],
    caption: str,
    alt: str,
    captions: Sequence[str] | None,
    quality: int,
    width: int | None,
) -> Explorer:
    """Return an explorer over images, one for each combination of the axes' labels."""
    count = math.prod(len(labels) for _, labels, _ in axes)
    if count != len(images) or count == 0:
        raise ValueError(
            f"There are {len(images)} images and labels for {count}; give at"
            " least one image, and one label for each position."
        )
    if captions is not None and len(captions) != count:
        raise ValueError(
            f"There are {len(captions)} captions for {count} images; give one"
            " for each, or none."
        )
    for name, labels, start in axes:
        if not 0 <= start < len(labels):
            raise ValueError(
                f"The slider {name!r} starts at position {start} and has the"
                f" positions 0 to {len(labels) - 1}. Choose one of these."
            )
    if not 1 <= quality <= 100:
        raise ValueError(
            f"The quality is {quality}; it must lie in 1 .. 100, 100 without"
            " loss."
        )
    if width is not None and width < 1:
        raise ValueError(f"The width is {width}; it must be at least 1 pixel.")
    arrays = [rendered(image, width) for image in images]
    ratios = [array.shape[1] / array.shape[0] for array in arrays]
    if max(ratios) > 1.02 * min(ratios):
        shapes = sorted(
            {f"{array.shape[1]} x {array.shape[0]}" for array in arrays}
        )
        raise ValueError(
            f"The images are {', '.join(shapes)} pixels large; they must have"
            " one aspect ratio, since they take turns in one place."
        )
    largest = max(arrays, key=len)
    full_height, full_width = largest.shape[:2]
    drawn = any(is_figure(image) for image in images)
    if width is None:
        width = page_width(largest, drawn=drawn)

    first = 0
    for _, labels, start in axes:
        first = first * len(labels) + start
    pictures = []
    for index, array in enumerate(arrays):
        where: list[str] = []
        rest = index
        for name, labels, _ in reversed(axes):
            rest, position = divmod(rest, len(labels))
            where.insert(0, f"{name}: {labels[position]}")
        described = f"{alt} ({', '.join(where)})"
        # Pixels that are meant to be seen must not be smoothed by the browser.
        kept = "" if drawn or width < 2 * array.shape[1] else " pixelated"
        pictures.append(
            f'<img class="lecture-explorer-picture{kept}"'
            f' alt="{escape(described)}"'
            f' src="{_uri(*_encode(array, quality))}" width="{full_width}"'
            f' height="{full_height}" style="width: {width}px"'
            + (
                f' data-caption="{escape(captions[index])}"'
                if captions
                else ""
            )
            + ("" if index == first else " hidden")
            + ">"
        )
    rows = "".join(
        _slider(
            name,
            f'min="0" max="{len(labels) - 1}" step="1" value="{start}" '
            f'data-labels="{escape(json.dumps([str(label) for label in labels]))}"',
            str(labels[start]),
            live=captions is None,
        )
        for name, labels, start in axes
    )
    note = (
        "<output"
        f' class="lecture-explorer-note">{escape(captions[first])}</output>'
        if captions
        else ""
    )
    text = "explorer: " + ", ".join(
        f"{name} ({len(labels)})" for name, labels, _ in axes
    )
    return _explorer(
        ' data-kind="stack"', "".join(pictures), rows, note, caption, alt, text
    )


def _encode(image: Pixels, quality: int) -> tuple[bytes, str]:
    """Encode an image without loss if pixels matter or it costs nothing, else as lossy WebP."""
    from PIL import Image as Pillow

    exact = encode_lossless(image)
    if quality == 100 or max(image.shape[:2]) <= 128:
        return exact
    lossy = io.BytesIO()
    Pillow.fromarray(image).save(
        lossy, format="webp", quality=quality, method=4
    )
    return (
        exact if len(exact[0]) <= lossy.tell() else (lossy.getvalue(), "webp")
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{_base64(data)}"


def _slider(name: str, attributes: str, value: str, *, live: bool) -> str:
    """Return one labelled slider; the label surrounds it, so that no ids can collide."""
    if not name.strip():
        raise ValueError(
            "A slider has no name. Say in a word or two what it moves."
        )
    # A browser's slider reads its value out by itself; the output speaks only
    # if nothing else does.
    quiet = "" if live else ' aria-live="off"'
    return (
        "<label"
        f' class="lecture-explorer-slider"><span>{escape(name)}</span><input'
        f' type="range" autocomplete="off" data-name="{escape(name)}"'
        f" {attributes}><output{quiet}>{escape(value)}</output></label>"
    )


@cache
def _resource(name: str) -> str:
    return (files("lecture_utils") / name).read_text(encoding="utf-8")


def _explorer(
    attributes: str,
    picture: str,
    controls: str,
    note: str,
    caption: str,
    alt: str,
    text: str,
) -> Explorer:
    """Put the parts together and check them."""
    for what, words in (("caption", caption), ("text alternative", alt)):
        if not words.strip():
            raise ValueError(
                f"The {what} of the explorer is empty. Say what to look for"
                " (caption) and what the picture shows (alt)."
            )
    html = (
        f"<style>{_resource('explore.css')}</style>"
        f'<lecture-explorer class="lecture-explorer" role="group" '
        f'aria-label="{escape(text)}"{attributes}>'
        f"{picture}{note}"
        f'<div class="lecture-explorer-controls" hidden>{controls}</div>'
        f'<p class="lecture-explorer-caption">{escape(caption)}</p>'
        f'<span class="lecture-explorer-end" hidden></span>'
        f"</lecture-explorer>"
        f"<script>{_resource('explore.js')}</script>"
    )
    size = len(html.encode())
    if size > LARGEST:
        raise ValueError(
            f"The explorer takes {size / 1e6:.1f} MB; at most"
            f" {LARGEST / 1e6:.1f} MB keep a page quick to load. Use fewer"
            " positions, smaller images or a lower quality."
        )
    return Explorer(html, text, caption, alt)
