"""The drawings of the section on style transfer in one pass.

Every function returns an open figure for `lecture_utils.show.figure`, which gives it its caption.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from lecture_utils.show import COLOURS, DPI

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]

_BLUE, _ORANGE, _GREEN, _PINK, _YELLOW, _SKY, _BLACK = COLOURS
# Left edge, height and label of each box: heights fall with the images' size.
_BOXES = (
    (250, 220, "conv\n9×9\nw", _SKY),
    (350, 150, "conv\n3×3\n2w, ½", _SKY),
    (450, 100, "conv\n3×3\n4w, ½", _SKY),
    (910, 150, "×2,\n3×3\n2w", _GREEN),
    (1010, 220, "×2,\n3×3\nw", _GREEN),
    (1110, 220, "conv\n9×9\n3", _YELLOW),
)


def architecture(before: Array, after: Array) -> Figure:
    """Draw the transform network between a photograph and its painting, both 8 bits (H, W, 3)."""
    import matplotlib.pyplot as plt
    from matplotlib.patches import FancyArrowPatch, Rectangle

    width, height = 1440, 460
    fig = plt.figure(figsize=(width / DPI, height / DPI), layout="none")
    ax = fig.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(height, 0))
    ax.set_axis_off()
    middle = 220
    pictures = (
        (12, before, "$\\boldsymbol{y}_c$"),
        (1218, after, "$\\boldsymbol{x} = f(\\boldsymbol{y}_c; \\theta_s)$"),
    )
    for left, image, name in pictures:
        box = (left / width, 1 - 330 / height, 210 / width, 220 / height)
        inner = fig.add_axes(box)
        inner.imshow(image, interpolation="antialiased")
        inner.set_axis_off()
        inner.set_title(name, size=10)
    for left, high, text, colour in _BOXES:
        ax.add_patch(
            Rectangle(
                (left, middle - high / 2), 84, high, fc=colour, ec="black"
            )
        )
        ax.text(left + 42, middle, text, ha="center", va="center", size=8)
    for number in range(5):
        left = 556 + 70 * number
        ax.add_patch(
            Rectangle((left, middle - 50), 44, 100, fc=_PINK, ec="black")
        )
        ax.add_patch(
            FancyArrowPatch(
                (left - 10, middle - 56),
                (left + 54, middle - 56),
                connectionstyle="arc3,rad=-0.6",
                arrowstyle="-|>",
                mutation_scale=10,
                color=_ORANGE,
            )
        )
    ax.text(
        718,
        middle + 74,
        "5 residual blocks of two\nconvolutions 3×3, 4w maps",
        ha="center",
        va="top",
        size=9,
    )
    notes = (
        (392, "smaller"),
        (1052, "larger: repeat pixels,\nthen convolve"),
    )
    for x, text in notes:
        ax.text(x, middle + 134, text, ha="center", va="top", size=9)
    return fig


def objective(
    curves: Mapping[str, Sequence[tuple[int, float, float]]],
    levels: Mapping[str, float],
    seconds: Mapping[str, float],
) -> Figure:
    """Draw the objective of optimisations against evaluations, and the networks' levels as lines.

    Parameters
    ----------
    curves
        By style, after each step: evaluations, objective, seconds since the start.
    levels, seconds
        By style the objective at the network's output, and the seconds of its one pass.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(7.5, 4))
    for (name, curve), colour in zip(curves.items(), COLOURS, strict=False):
        done, values, spent = zip(*curve, strict=True)
        label = f"{name}: {spent[-1]:.1f} s, network {seconds[name]:.2f} s"
        ax.plot(done, values, color=colour, label=label)
        ax.axhline(levels[name], color=colour, ls="--", lw=1.2)
    ax.set(
        xlabel="evaluations of the objective",
        ylabel="objective",
        xscale="log",
        yscale="log",
    )
    ax.legend(title="optimisation (line) and network (dashed)")
    return fig
