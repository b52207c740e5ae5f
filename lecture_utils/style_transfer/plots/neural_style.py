"""The drawings of the section on style transfer by optimisation.

Every function returns an open figure for `lecture_utils.show.figure`, which gives it its caption.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from lecture_utils.data import PAINTINGS
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


def gallery(
    made: Mapping[str, Array], paintings: Mapping[str, Array]
) -> Figure:
    """Draw pictures two in a row, each with the painting that it follows in its corner.

    Parameters
    ----------
    made
        By the painting's name, 8 bits, (H, W, 3), all of one shape but for their size; a name that
        is no painting stands above its picture as it is.
    paintings
        Those that `lecture_utils.data.paintings` gives.
    """
    import matplotlib.pyplot as plt

    height, width = next(iter(made.values())).shape[:2]
    rows = -(-len(made) // 2)
    row = 0.5 * height / width + 0.04  # in widths of the page
    fig = plt.figure(
        figsize=(_WIDTH / DPI, rows * row * _WIDTH / DPI), layout="none"
    )
    for number, (name, image) in enumerate(made.items()):
        left, top = 0.5 * (number % 2), 1 - number // 2 / rows
        ax = fig.add_axes(
            (
                left + 0.005,
                top - 1 / rows + 0.003,
                0.49,
                (row - 0.04) / row / rows,
            )
        )
        ax.imshow(image, interpolation="bicubic", aspect="auto")
        ax.set_axis_off()
        if name not in paintings:
            ax.set_title(name, size=9, pad=3)
            continue
        known = PAINTINGS[name]
        ax.set_title(f"{known.painter}, {known.made}", size=9, pad=3)
        tall, wide = paintings[name].shape[:2]
        share = 0.3 * min(1.0, wide / tall)
        corner = ax.inset_axes(
            (0.02, 0.03, share, share * tall / wide * width / height)
        )
        corner.imshow(
            paintings[name], interpolation="antialiased", aspect="auto"
        )
        corner.set(xticks=[], yticks=[])
        for spine in corner.spines.values():
            spine.set(color="white", linewidth=1.5)
    return fig
