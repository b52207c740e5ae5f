"""The drawings of the section on style transfer by optimisation.

Every function returns an open figure for `lecture_utils.show.figure`, which gives it its caption.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from lecture_utils.show import COLOURS, DPI

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]

_BLUE, _ORANGE, *_, _SKY, _BLACK = COLOURS
_WIDTH, _HEIGHT = 1440, 850


def diagram(
    style: Array, result: Array, content: Array, grams: Mapping[str, Array]
) -> Figure:
    """Draw the network with the places where its two losses are measured.

    Parameters
    ----------
    style, result, content
        The three pictures, 8 bits, (H, W, 3).
    grams
        By layer such as ``relu1_1``, at most five, a part of the style's Gram matrix.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import FancyBboxPatch

    fig = plt.figure(figsize=(_WIDTH / DPI, _HEIGHT / DPI), layout="none")
    ax = fig.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, _WIDTH), ylim=(_HEIGHT, 0))
    ax.set_axis_off()
    rows = {
        170: (style, "style image $\\boldsymbol{y}_s$"),
        450: (result, "image $\\boldsymbol{x}$"),
        730: (content, "content image $\\boldsymbol{y}_c$"),
    }
    for middle, (image, name) in rows.items():
        _picture(fig, image, 20, middle + 6, 260, 180, name)
        _arrow(ax, (290, middle), (346, middle))
    step = 1080 / len(grams)
    for number, (layer, gram) in enumerate(grams.items()):
        left = 350 + number * step
        for middle in rows:
            box = FancyBboxPatch(
                (left, middle - 38),
                step - 70,
                76,
                boxstyle="round,pad=0,rounding_size=10",
                fc=_SKY,
                ec="black",
                lw=0.9,
            )
            ax.add_patch(box)
            ax.text(
                left + (step - 70) / 2,
                middle,
                f"block {number + 1}",
                ha="center",
                va="center",
                size=9,
            )
            if number + 1 < len(grams):
                _arrow(
                    ax, (left + step - 68, middle), (left + step - 4, middle)
                )
        x = left + (step - 70) / 2
        square = fig.add_axes(
            (
                (x - 40) / _WIDTH,
                1 - 102 / _HEIGHT,
                80 / _WIDTH,
                80 / _HEIGHT,
            )
        )
        square.imshow(gram, cmap="viridis", interpolation="none")
        square.set_axis_off()
        ax.text(x, 310, layer, ha="center", va="center", size=9, color=_BLUE)
        _arrow(ax, (x, 128), (x, 106), _BLUE)
        _arrow(ax, (x, 410), (x, 328), _BLUE)
        _arrow(ax, (x, 212), (x, 292), _BLUE)
    ax.text(
        x,
        590,
        "content layer",
        ha="center",
        va="center",
        size=9,
        color=_ORANGE,
    )
    _arrow(ax, (x, 490), (x, 572), _ORANGE)
    _arrow(ax, (x, 690), (x, 608), _ORANGE)
    texts = (
        (288, "Gram matrices: $\\beta\\,\\ell_{\\mathrm{style}}$", _BLUE),
        (568, "features: $\\alpha\\,\\ell_{\\mathrm{content}}$", _ORANGE),
    )
    for y, text, colour in texts:
        ax.text(150, y, text, ha="center", va="center", size=9, color=colour)
    return fig


def _picture(
    fig: Figure,
    image: Array,
    left: int,
    middle: int,
    width: int,
    height: int,
    name: str,
) -> None:
    """Draw a picture into a box, as large as fits."""
    box = (
        left / _WIDTH,
        1 - (middle + height / 2) / _HEIGHT,
        width / _WIDTH,
        height / _HEIGHT,
    )
    ax = fig.add_axes(box)
    ax.imshow(image, interpolation="antialiased")
    ax.set_axis_off()
    ax.set_title(name, size=9)


def _arrow(
    ax: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: str = _BLACK,
) -> None:
    ax.annotate(
        "",
        end,
        start,
        arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.4},
    )
