"""Show images pixel for pixel, number the book's figures, and print the code that is tested.

A page is 7.5 inches wide and pictures are drawn at 192 dots an inch, which is two dots for each of
the page's pixels. `grid` and `comparison` place every image on whole dots, so that a pixel of the
image is a square of the same size everywhere and nothing is interpolated.
"""

from __future__ import annotations

import ast
import base64
import html
import inspect
import io
import json
import math
import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from lecture_utils.files import write_atomically
from lecture_utils.images import (
    Image,
    Pixels,
    described,
    extremes,
    rows_and_columns,
    to_eight_bits,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text


DPI = 192
PAGE = 1440  # dots across a page of 7.5 inches
SMALLEST = 8  # points of the smallest text on a page
FORMATS = ("pdf", "svg", "png")

# Okabe and Ito's colours, which stay apart under the common kinds of colour
# blindness.
COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
)
_MARK = COLOURS[1]

_QUIZ_COLOURS = {  # white on dark blue: contrast of 11 to 1
    "--jq-correct-color": "#0B6B2B",
    "--jq-incorrect-color": "#A31515",
    "--jq-link-color": "#BFD9FF",
    "--jq-many-choice-bg": "#1F3A5F",
    "--jq-mc-button-bg": "#FFFFFF",
    "--jq-mc-button-border": "#5A6B80",
    "--jq-multiple-choice-bg": "#1F3A5F",
    "--jq-numeric-bg": "#1F3A5F",
    "--jq-numeric-input-bg": "#FFFFFF",
    "--jq-text-color": "#FFFFFF",
}

_STYLE: Any = {  # matplotlib types the names of all its settings
    "axes.axisbelow": True,
    "axes.grid": False,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
    "figure.dpi": 96,
    "figure.facecolor": "white",
    "figure.figsize": (7.5, 3.6),
    "figure.titlesize": 11,
    "font.family": (
        "DejaVu Sans"
    ),  # comes with matplotlib: the same letters on every machine
    "font.size": 10,
    "grid.color": "#D0D0D0",
    "grid.linewidth": 0.6,
    "image.cmap": "gray",
    "image.composite_image": False,
    "image.interpolation": "none",
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "pdf.fonttype": 42,
    "savefig.bbox": None,
    "savefig.dpi": DPI,
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    # Identifiers inside an SVG file are drawn from this word and not from the
    # clock.
    "svg.hashsalt": "lecture",
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
}
# Notes to the type checker and to the linter, which tell a reader nothing.
_FOR_TOOLS = re.compile(r" +# (?:type: ignore|noqa)\b.*")
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*/[a-z0-9]+(-[a-z0-9]+)*")


def use_style() -> None:
    """Set matplotlib's defaults for the book: call it once, in a notebook's first cell."""
    import matplotlib as mpl
    from matplotlib.rcsetup import cycler

    mpl.rcParams.update(_STYLE | {"axes.prop_cycle": cycler(color=COLOURS)})


def pixels(image: Image) -> Pixels:
    """Return an image as 8-bit pixels.

    Parameters
    ----------
    image
        NumPy array of shape (H, W), (H, W, 1) or (H, W, 3), or tensor of shape (H, W), (C, H, W) or
        (1, C, H, W) with C = 1 or 3, on any device. Values: ``uint8`` in 0 .. 255, floats in
        [0, 1] or booleans. Floats may leave [0, 1] by half a grey level, as rounding errors do.

    Returns
    -------
    numpy.ndarray
        ``uint8`` of shape (H, W) for a grey image, (H, W, 3) for a colour image.

    Raises
    ------
    TypeError
        If it is neither an array nor a tensor, or its values are of another type.
    ValueError
        If the shape or the range of the values is another.
    """
    is_tensor = isinstance(image, torch.Tensor)
    array: NDArray[Any]
    if isinstance(image, torch.Tensor):
        tensor = image.detach().cpu()
        if tensor.is_floating_point():
            tensor = tensor.float()  # NumPy has no bfloat16
        array = tensor.numpy()
        if array.ndim == 4 and array.shape[0] == 1:
            array = array[0]
        fits = array.ndim == 2 or (
            array.ndim == 3 and array.shape[0] in (1, 3)
        )
        if fits and array.ndim == 3:
            array = np.moveaxis(array, 0, -1)
    else:
        rows_and_columns(image, "show.pixels")
        array = image
        fits = array.ndim == 2 or array.shape[2] in (1, 3)
    if not fits or array.size == 0:
        needed = "(H, W), (1, H, W) or (3, H, W)"
        raise ValueError(
            f"show.pixels got {described(image)}; it needs the shape"
            f" {needed if is_tensor else '(H, W) or (H, W, 3)'}. Pick one"
            " image out of a batch, leave out an alpha channel, or reorder its"
            " axes."
        )
    if array.shape[2:] == (1,):
        array = array[:, :, 0]
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.uint8:
        return cast(Pixels, array)
    if not np.issubdtype(array.dtype, np.floating):
        raise TypeError(
            f"show.pixels got {described(image)}; it needs uint8 in 0 .. 255,"
            f" floats in [0, 1] or booleans. {to_eight_bits(image)}"
        )
    low, high = extremes(array)
    if not (
        low >= -0.5 / 255 and high <= 1 + 0.5 / 255
    ):  # false for NaN as well
        raise ValueError(
            f"The image has values from {low:.4g} to {high:.4g}; floats must"
            " lie in [0, 1]. Clip it with .clip(0, 1), or show signed values"
            " with grid(..., limits=(low, high))."
        )
    return (array.clip(0, 1) * 255).round().astype(np.uint8)


def is_figure(image: object) -> bool:
    """Tell a matplotlib figure from an array or a tensor, without importing matplotlib."""
    return hasattr(image, "savefig")


def rendered(image: Image | Figure, width: int | None = None) -> Pixels:
    """Return an image's pixels; a figure is drawn as on the page, and closed.

    Parameters
    ----------
    image
        An image as `pixels` takes it, or a figure.
    width
        Width on the page in the browser's pixels, where a figure has not its own.

    Raises
    ------
    ValueError
        If it is neither an image nor a figure, or a figure's text is too small to be read
        (`check_print`).
    """
    if isinstance(image, np.ndarray | torch.Tensor):
        return pixels(image)
    if not is_figure(image):
        raise ValueError(
            f"An image is a {type(image).__name__}; give arrays, tensors or"
            " matplotlib figures."
        )
    import matplotlib.pyplot as plt
    from PIL import Image as Pillow

    buffer = io.BytesIO()
    try:
        check_print(image, "the figure", width and 2 * width / DPI)
        image.savefig(buffer, format="png", dpi=DPI, facecolor="white")
    finally:
        plt.close(image)
    return np.asarray(Pillow.open(buffer).convert("RGB"))


def page_width(image: Pixels, *, drawn: bool) -> int:
    """Return how wide an image stands on a page, in the browser's pixels.

    A figure has the size at which it was drawn. Another image takes the largest whole multiple of
    its width up to 512, or its own width up to the page's.
    """
    height: int = image.shape[0]
    width: int = image.shape[1]
    if drawn:
        return round(width * 96 / DPI)
    zoom = max(1, min(512 // width, 512 // height))
    return min(width * zoom, PAGE * 96 // DPI)


@dataclass(frozen=True)
class Explorer:
    """An explorer, which a notebook displays when it is a cell's last expression.

    Attributes
    ----------
    html
        The explorer: a fragment that works anywhere in a page, any number of times.
    text
        What stands for it where there is no HTML.
    caption, alt
        What to look for, and what its pictures show, as they were given.
    """

    html: str
    text: str
    caption: str
    alt: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


class _Sheet:
    """A figure laid out in its own dots, counted from the top left corner."""

    def __init__(self, width: int, height: int) -> None:
        import matplotlib.pyplot as plt

        self.width, self.height = width, height
        self.figure = plt.figure(
            figsize=(width / DPI, height / DPI), layout="none"
        )

    def axes(
        self, left: float, top: float, width: float, height: float
    ) -> Axes:
        bottom = self.height - top - height
        box = (
            left / self.width,
            bottom / self.height,
            width / self.width,
            height / self.height,
        )
        return self.figure.add_axes(box)

    def image(
        self,
        image: NDArray[Any],
        left: int,
        top: int,
        zoom: float,
        limits: tuple[float, float] = (0, 255),
        cmap: str = "gray",
    ) -> tuple[Axes, Any]:
        """Draw an image at ``zoom`` dots a pixel; return its axes and the drawn image."""
        height, width = image.shape[:2]
        if image.dtype == np.uint8 and image.ndim == 2 and cmap == "gray":
            # matplotlib's grey map is off by one level here and there; colours
            # are left alone.
            image = np.stack([image] * 3, axis=-1)
        axes = self.axes(left, top, round(width * zoom), round(height * zoom))
        axes.set_axis_off()
        # Only a picture that must shrink is averaged; all others keep their
        # pixels.
        smooth = "none" if zoom >= 1 else "antialiased"
        low, high = limits
        return axes, axes.imshow(
            image,
            interpolation=smooth,
            aspect="auto",
            cmap=cmap,
            vmin=low,
            vmax=high,
        )

    def text(
        self, centre: float, bottom: float, string: str, points: float = 10
    ) -> None:
        """Write lines of text that end at the height ``bottom``."""
        x, y = centre / self.width, 1 - bottom / self.height
        self.figure.text(
            x,
            y,
            string,
            ha="center",
            va="bottom",
            size=points,
            linespacing=1.25,
        )

    def frame(self, left: int, top: int, width: int, height: int) -> None:
        """Draw a frame that touches the box from outside and covers none of it."""
        from matplotlib.patches import Rectangle

        self.figure.add_artist(
            Rectangle(
                (
                    (left - 2) / self.width,
                    1 - (top + height + 2) / self.height,
                ),
                (width + 4) / self.width,
                (height + 4) / self.height,
                fill=False,
                edgecolor=_MARK,
                linewidth=4 * 72 / DPI,
            )
        )


def _zoom(size: int, available: int) -> float:
    """Return the dots a pixel: a whole number, or a fraction if the image must shrink to fit."""
    return available // size if available >= size else available / size


def _lines(string: str) -> int:
    """Return the height in dots of a text set at 10 points."""
    return 36 * (string.count("\n") + 1)


def _styled(draw: Callable[[], Figure]) -> Figure:
    """Draw in the book's style, whatever the defaults are, and leave the defaults as they were."""
    import matplotlib.pyplot as plt

    with plt.rc_context(_STYLE):
        return draw()


def _columns(count: int) -> int:
    """Return a number of columns that leaves few gaps and no tall, narrow sheet."""
    if count <= 6:
        return count
    root = math.sqrt(count)
    full = [
        c
        for c in range(math.ceil(root), min(int(2 * root), 12) + 1)
        if count % c == 0
    ]
    return max(full, default=min(math.ceil(1.3 * root), 12))


def grid(
    images: Sequence[Image] | Image,
    *,
    columns: int | None = None,
    titles: Sequence[str] | None = None,
    title: str | None = None,
    cmap: str = "gray",
    size: float = 1.6,
    limits: tuple[float, float] | None = None,
    colorbar: str | None = None,
) -> Figure:
    """Draw images in rows and columns, each pixel on a whole number of the figure's dots.

    Parameters
    ----------
    images
        A sequence of images as `pixels` takes them, a NumPy array (N, H, W[, 3]) or a tensor
        (N, H, W) or (N, C, H, W). They share one scale: what is larger is drawn larger.
    columns
        Images in a row; without it a number that fills the page and leaves no gaps if it can.
    titles
        One title an image, drawn above it.
    title
        A title for the whole.
    cmap
        Colour map of grey images.
    size
        Largest width of one image in inches. It shrinks where the page (7.5 inches) needs it.
    limits
        Values that are drawn in the colour map's first and last colour. With it the images are real
        numbers of any range, of shape (H, W) or (1, H, W).
    colorbar
        With ``limits``: draws a colour bar with this label.

    Returns
    -------
    matplotlib.figure.Figure
        Open in pyplot, ready for `figure`.

    Raises
    ------
    ValueError
        If there is no image, an image is not one, or titles and images differ in number.
    """
    items = list(images)
    if not items:
        raise ValueError("There is no image to show; give at least one.")
    if titles is not None and len(titles) != len(items):
        raise ValueError(
            f"There are {len(titles)} titles for {len(items)} images; give one"
            " title an image."
        )
    if columns is not None and columns < 1:
        raise ValueError(
            f"The number of columns is {columns}; it must be at least 1."
        )
    if limits is None:
        if colorbar is not None:
            raise ValueError(
                "A colour bar was asked for without limits=(low, high); give"
                " the values that it spans."
            )
        arrays: list[NDArray[Any]] = [pixels(item) for item in items]
        low, high = 0.0, 255.0
    else:
        arrays = [_scalar(item) for item in items]
        low, high = limits
    return _styled(
        lambda: _grid(
            arrays,
            columns or _columns(len(items)),
            titles,
            title,
            cmap,
            size,
            (low, high),
            colorbar,
        )
    )


def _scalar(image: Image) -> NDArray[np.float64]:
    """Return an image of real numbers as an array (H, W)."""
    array = (
        image.detach().cpu().double().numpy()
        if isinstance(image, torch.Tensor)
        else image
    )
    array = np.asarray(array, dtype=np.float64)
    if array.ndim == 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 2 or array.size == 0:
        raise ValueError(
            f"The image has the shape {array.shape}; with limits=(low, high)"
            " every image has the shape (H, W). Show one channel at a time."
        )
    return array


def _grid(
    arrays: list[NDArray[Any]],
    columns: int,
    titles: Sequence[str] | None,
    title: str | None,
    cmap: str,
    size: float,
    limits: tuple[float, float],
    colorbar: str | None,
) -> Figure:
    columns = min(columns, len(arrays))
    rows = math.ceil(len(arrays) / columns)
    margin, gap = 8, 16 if titles else 8
    bar = (
        190 if colorbar else 0
    )  # the bar with its numbers and its label, beside the images
    height, width = (max(a.shape[axis] for a in arrays) for axis in (0, 1))
    available = (PAGE - bar - 2 * margin - (columns - 1) * gap) // columns
    zoom = _zoom(width, min(available, round(size * DPI)))
    cell_w, cell_h = round(width * zoom), round(height * zoom)
    label = max(map(_lines, titles)) if titles else 0
    head = _lines(title) + 12 if title else 0
    sheet = _Sheet(
        2 * margin + columns * cell_w + (columns - 1) * gap + bar,
        2 * margin + head + rows * (cell_h + label) + (rows - 1) * gap,
    )
    if title:
        sheet.text((sheet.width - bar) / 2, margin + head - 18, title, 11)
    for index, array in enumerate(arrays):
        row, column = divmod(index, columns)
        left = margin + column * (cell_w + gap)
        top = margin + head + row * (cell_h + label + gap)
        if titles:
            sheet.text(left + cell_w / 2, top + label - 6, titles[index])
        _, drawn = sheet.image(array, left, top + label, zoom, limits, cmap)
    if colorbar:
        top = margin + head + label
        axes = sheet.axes(
            sheet.width - bar + 24, top, 24, sheet.height - top - margin
        )
        sheet.figure.colorbar(drawn, cax=axes, label=colorbar)
    return sheet.figure


def comparison(
    reference: Image,
    candidates: Mapping[str, Image],
    *,
    inset: tuple[int, int, int, int] | None = None,
    border: int = 0,
    psnr: bool = True,
    errors: bool = False,
    columns: int | None = None,
    reference_name: str = "Reference",
) -> Figure:
    """Draw candidates beside the image that they should equal.

    Parameters
    ----------
    reference
        The image that the candidates are measured against, as `pixels` takes it.
    candidates
        Images of the reference's shape by name; the name is the label.
    inset
        (top, left, height, width) in pixels: the part that is drawn again below each image,
        magnified by the same whole number. A frame marks it in the image.
    border
        Rows and columns left out at each edge when PSNR is measured, as papers do with the scale.
    psnr
        Whether each label gives the PSNR in dB: of the luminance (BT.601) for colour images.
    errors
        Whether a map of the luminance's absolute error is drawn below each candidate, all maps on
        one scale, whose colour bar stands below the reference. The scale ends at the largest of
        the candidates' 99.5th percentiles.
    columns
        Images in a row; without it up to three stand in one row, more in two.
    reference_name
        The reference's label.

    Returns
    -------
    matplotlib.figure.Figure
        Open in pyplot, ready for `figure`.

    Raises
    ------
    ValueError
        If there is no candidate, a shape is not the reference's, or the inset leaves the image.
    """
    truth = pixels(reference)
    if not candidates:
        raise ValueError(
            "There is no candidate to compare; give a dictionary of named"
            " images."
        )
    panels = {name: pixels(image) for name, image in candidates.items()}
    for name, panel in panels.items():
        if panel.shape != truth.shape:
            raise ValueError(
                f"{name!r} has the shape {panel.shape} and the reference"
                f" {truth.shape}; they must be equal. Crop or resize one of"
                " them."
            )
    if inset is not None:
        top, left, height, width = inset
        inside = top >= 0 and left >= 0 and height > 0 and width > 0
        if (
            not inside
            or top + height > truth.shape[0]
            or left + width > truth.shape[1]
        ):
            raise ValueError(
                f"The inset (top, left, height, width) = {inset} does not lie"
                f" in an image of {truth.shape[0]} x {truth.shape[1]} pixels."
                " Choose a part of the image."
            )
    labels = {
        name: f"{name}\n{_psnr(panel, truth, border)}" if psnr else name
        for name, panel in panels.items()
    }
    maps = (
        {name: _error(panel, truth) for name, panel in panels.items()}
        if errors
        else {}
    )
    return _styled(
        lambda: _comparison(
            truth, panels, labels, maps, inset, columns, reference_name
        )
    )


def _psnr(panel: Pixels, truth: Pixels, border: int) -> str:
    from lecture_utils import metrics

    if truth.ndim == 3:
        value = metrics.psnr(
            metrics.luminance(panel),
            metrics.luminance(truth),
            peak=255,
            border=border,
        )
    else:
        value = metrics.psnr(panel, truth, border=border)
    return f"{float(value):.2f} dB" if math.isfinite(value) else "identical"


def _error(panel: Pixels, truth: Pixels) -> NDArray[np.float64]:
    """Return the absolute error in grey levels, of the luminance for colour images."""
    from lecture_utils import metrics

    if truth.ndim == 2:
        return np.abs(panel.astype(np.float64) - truth)
    difference = metrics.luminance(panel) - metrics.luminance(truth)
    return np.abs(np.asarray(difference, dtype=np.float64))


def _comparison(
    truth: Pixels,
    panels: dict[str, Pixels],
    labels: dict[str, str],
    maps: dict[str, NDArray[np.float64]],
    inset: tuple[int, int, int, int] | None,
    columns: int | None,
    reference_name: str,
) -> Figure:
    from matplotlib.patches import Rectangle

    count = len(panels) + 1
    columns = min(
        columns or (count if count <= 3 else math.ceil(count / 2)), count
    )
    rows = math.ceil(count / columns)
    margin, gap = 8, 16
    available = (PAGE - 2 * margin - (columns - 1) * gap) // columns
    zoom = _zoom(truth.shape[1], available)
    panel_w, panel_h = (round(truth.shape[axis] * zoom) for axis in (1, 0))
    cell_w = max(panel_w, 200)  # room for a label above a small image
    label = max(_lines(text) for text in labels.values())
    inset_zoom = inset_w = inset_h = 0
    if inset is not None:
        inset_zoom = max(1, (panel_w - 4) // inset[3])
        inset_h, inset_w = inset[2] * inset_zoom, inset[3] * inset_zoom
    cell_h = (
        label
        + panel_h
        + (inset_h + gap if inset else 0)
        + (panel_h + gap if maps else 0)
    )
    sheet = _Sheet(
        2 * margin + columns * cell_w + (columns - 1) * gap,
        2 * margin + rows * cell_h + (rows - 1) * 2 * gap,
    )
    scale = (
        max(
            (float(np.percentile(m, 99.5)) for m in maps.values()), default=0.0
        )
        or 1.0
    )
    for index, (name, panel) in enumerate({"": truth, **panels}.items()):
        row, column = divmod(index, columns)
        left = margin + column * (cell_w + gap) + (cell_w - panel_w) // 2
        top = margin + row * (cell_h + 2 * gap)
        centre = left + panel_w / 2
        sheet.text(centre, top + label - 6, labels.get(name, reference_name))
        top += label
        axes, _ = sheet.image(panel, left, top, zoom)
        if inset is not None:
            y, x, height, width = inset
            for colour, line in (("white", 2.4), (_MARK, 1.2)):
                axes.add_patch(
                    Rectangle(
                        (x - 0.5, y - 0.5),
                        width,
                        height,
                        fill=False,
                        ec=colour,
                        lw=line,
                    )
                )
            part = panel[y : y + height, x : x + width]
            inset_left, inset_top = (
                left + (panel_w - inset_w) // 2,
                top + panel_h + gap,
            )
            sheet.image(part, inset_left, inset_top, inset_zoom)
            sheet.frame(inset_left, inset_top, inset_w, inset_h)
        top += panel_h + (inset_h + gap if inset else 0) + gap
        if maps and index:
            _, drawn = sheet.image(
                maps[name], left, top, zoom, (0, scale), "magma"
            )
        elif maps:
            bar = sheet.axes(left + 24, top + panel_h // 2, panel_w - 48, 24)
    if maps:
        sheet.figure.colorbar(
            drawn, cax=bar, orientation="horizontal", extend="max"
        )
        bar.set_title("absolute error\n(grey levels)", fontsize=10)
    return sheet.figure


def figure(id: str, caption: str, alt: str, fig: Figure | None = None) -> None:
    """Show a figure of the book once, with caption and text alternative, and close it.

    When ``LECTURE_FIGURES_OUT`` names a folder, the figure is also written there as
    ``<id>.pdf``, ``<id>.svg`` and ``<id>.png``: in the formats that ``LECTURE_FIGURES_FORMATS``
    lists (``pdf,svg,png`` without it), and only if ``LECTURE_FIGURES_ONLY`` is unset or lists the
    id. The same figure gives the same bytes in every run; a file is replaced in one step.

    Parameters
    ----------
    id
        The figure's name in ``book/figures.csv``, such as ``gaussian/mean``. Write it as a plain
        string: the list of figures is made by looking for it. In prose it is
        ``{numref}`fig-gaussian-mean```.
    caption
        What to see, on which data, how long a training. Plain text; ``$...$`` holds mathematics.
    alt
        What the picture shows, for a reader who cannot see it. Not the caption again.
    fig
        The figure; without it pyplot's current figure.

    Raises
    ------
    ValueError
        If the id is malformed, caption or alt is missing, alt repeats the caption, nothing is
        drawn, or a text is too small to be read on the page (`check_print`).
    OSError
        If a file cannot be written.
    """
    import matplotlib.pyplot as plt

    if not isinstance(id, str) or not _ID.fullmatch(id):
        raise ValueError(
            f"The figure's id is {id!r}; it must be a group and a name in"
            " small letters, digits and hyphens, such as 'gaussian/mean'."
            " Take it from book/figures.csv."
        )
    caption, alt = " ".join(caption.split()), " ".join(alt.split())
    if not caption or not alt:
        missing = "caption" if not caption else "text alternative"
        raise ValueError(
            f"The {missing} of figure {id!r} is empty. Write a caption that"
            " says what to see, and a text alternative that says what the"
            " picture shows to someone who cannot see it."
        )
    if alt.rstrip(".").casefold() == caption.rstrip(".").casefold():
        raise ValueError(
            f"The text alternative of figure {id!r} repeats the caption. Say"
            " what the picture shows to someone who cannot see it."
        )
    if fig is None and plt.get_fignums():
        fig = plt.gcf()
    if fig is None or not _drawn(fig):
        raise ValueError(
            f"There is nothing to show as figure {id!r}. Draw something first,"
            " or pass the figure that you mean with fig=."
        )
    check_print(fig, f"figure {id!r}")
    # Without the last setting savefig would lay out anew a figure that has its
    # own layout.
    settings = {
        key: _STYLE[key] for key in _STYLE if key[:3] in ("pdf", "sav", "svg")
    }
    with plt.rc_context(settings | {"figure.constrained_layout.use": False}):
        metadata = _export(id, alt, fig)
        data, kind, (width, height) = _picture(fig)
    plt.close(fig)
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    markup = (
        f'<figure class="lecture-figure" data-figure-id="{id}">'
        f'<img alt="{html.escape(alt)}" src="{source}" width="{width // 2}" '
        f'height="{height // 2}" style="max-width: 100%; height: auto">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )
    _display({"text/html": markup, "text/plain": f"figure {id}"}, metadata)


def check_print(fig: Figure, name: str, width: float | None = None) -> None:
    """Check that every text of a figure can be read at the size of the page.

    Indices and exponents within a formula are smaller than its letters, as in every print, and
    do not count.

    Parameters
    ----------
    fig
        The figure.
    name
        What the message calls it.
    width
        Inches across on the page; without it the figure's own, or the page's where that is less.

    Raises
    ------
    ValueError
        If a text is smaller than 8 points there.
    """
    own = fig.get_figwidth()
    shrunk = min(own, width or own, PAGE / DPI) / own
    for text in _texts(fig):
        points = float(text.get_fontsize()) * shrunk
        if points < SMALLEST - 1e-6:
            raise ValueError(
                f"The text {text.get_text()!r} in {name} is {points:.3g} points"
                f" large on the page; the least is {SMALLEST}. Set it larger,"
                " shorten it, or draw fewer panels, at most"
                f" {PAGE / DPI} inches wide."
            )


def _texts(artist: Artist) -> Iterator[Text]:
    """Yield the texts that are drawn with an artist."""
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.table import Cell
    from matplotlib.text import Text

    if not artist.get_visible():
        return
    if isinstance(artist, Text) and artist.get_text().strip():
        yield artist
    if isinstance(artist, Cell):
        yield from _texts(artist.get_text())
    for child in artist.get_children():
        hidden = isinstance(artist, Axes) and not artist.axison
        if not (hidden and isinstance(child, Axis)):
            yield from _texts(child)


def _drawn(fig: Figure) -> bool:
    """Say whether a figure holds anything that a reader would see."""
    return any(
        axes.has_data() or axes.texts or axes.tables for axes in fig.axes
    ) or any((fig.texts, fig.images, fig.artists, fig.lines, fig.patches))


def chosen_formats(
    formats: str | Sequence[str], where: str = ""
) -> tuple[str, ...]:
    """Return formats of figures, each once: as a list, or separated by commas, in any case.

    Parameters
    ----------
    formats
        What was asked for.
    where
        The setting that names them, for the message.

    Raises
    ------
    ValueError
        If there is none, or one is not among `FORMATS`.
    """
    listed = formats.split(",") if isinstance(formats, str) else formats
    names = [name.strip().lower() for name in listed]
    chosen = tuple(dict.fromkeys(name for name in names if name))
    wrong = [name for name in chosen if name not in FORMATS]
    if wrong or not chosen:
        place = f" in {where}" if where else ""
        said = (
            f"The format {wrong[0]!r}{place} is not one that figures are"
            " written in"
            if wrong
            else f"There is no format{place}"
        )
        raise ValueError(
            f"{said}; choose from {', '.join(FORMATS)}, separated by commas."
        )
    return chosen


def _export(id: str, alt: str, fig: Figure) -> dict[str, Any]:
    """Write the files that were asked for; return the record that goes with them."""
    folder = os.environ.get("LECTURE_FIGURES_OUT")
    only = os.environ.get("LECTURE_FIGURES_ONLY")
    if not folder or (only and id not in only.replace(" ", "").split(",")):
        return {}
    variable = "LECTURE_FIGURES_FORMATS"
    formats = os.environ.get(variable) or FORMATS
    for extension in chosen_formats(formats, variable):
        metadata: dict[str, str | None] = {
            "pdf": {"Title": id, "Subject": alt, "CreationDate": None},
            "svg": {"Title": id, "Description": alt, "Date": None},
            "png": {"Title": id, "Description": alt, "Software": None},
        }[extension]
        buffer = io.BytesIO()
        # Twice the page's resolution: a whole multiple, so that pixels stay
        # whole.
        fig.savefig(buffer, format=extension, dpi=2 * DPI, metadata=metadata)
        write_atomically(Path(folder) / f"{id}.{extension}", buffer.getvalue())
    return {
        "lecture_figure": {
            "id": id,
            "data": _data_used(),
            "versions": versions(),
        }
    }


def _data_used() -> list[str]:
    """Return the names of the data sets loaded so far, where the data package keeps count."""
    used = getattr(sys.modules.get("lecture_utils.data"), "used", None)
    return sorted(used()) if used else []


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that a figure depends on."""
    import platform
    from importlib.metadata import version

    import matplotlib as mpl

    import lecture_utils

    return {
        "lecture_utils": lecture_utils.__version__,
        "matplotlib": mpl.__version__,
        "numpy": np.__version__,
        "pillow": version("pillow"),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _picture(fig: Figure) -> tuple[bytes, str, tuple[int, int]]:
    """Return the figure for the page: encoded without loss, the format, and (width, height)."""
    from PIL import Image as Pillow

    buffer = io.BytesIO()
    fig.savefig(
        buffer, format="png", dpi=DPI, pil_kwargs={"compress_level": 1}
    )
    picture = Pillow.open(buffer).convert("RGB")
    data, kind = encode_lossless(np.asarray(picture))
    return data, kind, picture.size


def encode_lossless(image: Pixels) -> tuple[bytes, str]:
    """Encode 8-bit pixels (H, W) or (H, W, 3) in the fewest bytes; return them and the format.

    PNG with one channel for grey images and a palette for few colours; WebP where it takes less
    than three quarters of that.
    """
    from PIL import Image as Pillow

    if image.ndim == 3 and bool((image == image[:, :, :1]).all()):
        image = image[:, :, 0]
    full = picture = Pillow.fromarray(np.ascontiguousarray(image))
    if picture.mode == "RGB" and picture.getcolors(256) is not None:
        # Pillow's own palettes round colours to near ones; this one holds
        # exactly those there are.
        codes = image.astype(np.uint32) @ np.array(
            [1 << 16, 1 << 8, 1], dtype=np.uint32
        )
        colours, indices = np.unique(codes, return_inverse=True)
        picture = Pillow.fromarray(
            indices.reshape(codes.shape).astype(np.uint8)
        )
        channels = np.stack(
            [colours >> 16, colours >> 8, colours], axis=-1
        ).astype(np.uint8)
        picture.putpalette(channels.tobytes())
    png, webp = io.BytesIO(), io.BytesIO()
    picture.save(png, format="png")
    if png.tell() > 20_000:
        full.save(webp, format="webp", lossless=True, quality=60, method=1)
        if webp.tell() < 0.75 * png.tell():
            return webp.getvalue(), "webp"
    return png.getvalue(), "png"


def show_source(*objects: object, docstrings: bool = False) -> None:
    """Show the source of functions, classes or methods as highlighted code.

    Notes to tools, such as ``# type: ignore``, are left out.

    Parameters
    ----------
    objects
        What to show, in this order.
    docstrings
        Whether docstrings stay; the text around the code usually says the same.

    Raises
    ------
    TypeError
        If an object has no Python source.
    """
    for item in objects:
        try:
            code = textwrap.dedent(inspect.getsource(cast(Any, item)))
        except (TypeError, OSError) as error:
            raise TypeError(
                f"{item!r} has no Python source to show; give a function, a"
                " class or a method."
            ) from error
        if not docstrings:
            code = _without_docstrings(code)
        code = _FOR_TOOLS.sub("", code)
        name = f"{item.__module__}.{cast(Any, item).__qualname__}"
        fence = "`" * max(
            [3, *(len(run) + 1 for run in re.findall("`{3,}", code))]
        )
        _display(
            {
                "text/markdown": (
                    f"`{name}`\n\n{fence}python\n{code.rstrip()}\n{fence}\n"
                ),
                "text/plain": f"{name}\n\n{code.rstrip()}",
            }
        )


def _without_docstrings(code: str) -> str:
    """Return code without docstrings; a body that is a docstring and nothing else keeps it."""
    lines: list[str | None] = list(code.splitlines())
    for node in ast.walk(ast.parse(code)):
        if not isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ):
            continue
        first = node.body[0]
        if ast.get_docstring(node) is not None and len(node.body) > 1:
            last = cast(int, first.end_lineno)
            lines[first.lineno - 1 : last] = [None] * (last - first.lineno + 1)
            if last < len(lines) and lines[last] == "":
                lines[last] = None  # the empty line between docstring and code
    return "\n".join(line for line in lines if line is not None)


def quiz(section: str) -> None:
    """Show the questions of a section with jupyterquiz; the book's page has them as a form.

    They are in the package, as ``quizzes/<section>.json``, so that a notebook shows them wherever
    it lies.

    Parameters
    ----------
    section
        The notebook's path below ``book`` without the ending, such as ``super_resolution/vdsr``.

    Raises
    ------
    ValueError
        If there is no quiz of this name.
    ImportError
        If jupyterquiz is not installed.
    """
    folder = Path(__file__).parent / "quizzes"
    sections = sorted(
        file.relative_to(folder).with_suffix("").as_posix()
        for file in folder.glob("*/*.json")
    )
    if section not in sections:
        raise ValueError(
            f"There is no quiz {section!r}; there are {', '.join(sections)}."
            " Name the notebook's path below book/ without its ending."
        )
    try:
        from jupyterquiz import display_quiz
    except ImportError as error:
        raise ImportError(
            "The quiz needs the package jupyterquiz, which is not installed"
            " here; run `python -m pip install jupyterquiz` and restart the"
            " kernel."
        ) from error
    text = (folder / f"{section}.json").read_text(encoding="utf-8")
    display_quiz(json.loads(text), colors=_QUIZ_COLOURS)


def _display(
    bundle: dict[str, str], metadata: dict[str, Any] | None = None
) -> None:
    """Display in a notebook; print the plain text elsewhere."""
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        get_ipython = None
    if get_ipython is not None and get_ipython() is not None:
        display(bundle, raw=True, metadata=metadata or {})  # type: ignore[no-untyped-call]
    else:
        print(bundle["text/plain"])
