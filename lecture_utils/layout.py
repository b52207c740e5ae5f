"""What the drawings of several sections share: where axes and pixel images stand on the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from lecture_utils.show import DPI

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]

_PART = (
    slice(24, 138),
    slice(24, 138),
)  # 114 x 114 pixels: at 3 dots a pixel, four fit on a page


def use(fig: Figure, rect: tuple[float, float, float, float]) -> None:
    """Keep the axes that are laid out by themselves within a part of the figure."""
    engine: Any = fig.get_layout_engine()
    if engine is not None:
        engine.set(rect=rect)


def place(
    fig: Figure,
    image: Array,
    left: int,
    top: int,
    zoom: int,
    title: str = "",
    **options: Any,
) -> Axes:
    """Draw an image at ``zoom`` dots a pixel, its corner in dots from the figure's upper left."""
    width, height = fig.get_size_inches() * DPI
    wide, high = zoom * image.shape[1], zoom * image.shape[0]
    box = (
        left / width,
        1 - (top + high) / height,
        wide / width,
        high / height,
    )
    ax = fig.add_axes(box, title=title)
    ax.imshow(image, interpolation="none", **options)
    ax.set_axis_off()
    return ax


def parts(fig: Figure, images: Mapping[str, Array], bottom: float) -> None:
    """Draw a part of four images, each pixel on 3 x 3 of the page's dots."""
    width, height = fig.get_size_inches() * DPI
    for column, (title, image) in enumerate(images.items()):
        box = (366 * column / width, bottom, 342 / width, 342 / height)
        ax: Axes = fig.add_axes(box, title=title)
        ax.imshow(image[_PART], interpolation="none")
        ax.set_axis_off()
