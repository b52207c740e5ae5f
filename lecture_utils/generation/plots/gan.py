"""The drawings of the section on generative adversarial networks.

Every drawing is an open figure for `lecture_utils.show.figure`, which gives it its caption.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lecture_utils.generation.plots.gaussian import blocks
from lecture_utils.show import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLUE, _ORANGE, _GREEN = COLOURS[:3]
EXTENT = 3.2  # the plane is drawn from minus this to this
_LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)


class Snapshot(NamedTuple):
    """The game in the plane at one moment.

    Attributes
    ----------
    step
        Steps done.
    points
        What the generator makes, (N, 2).
    judged
        D on a grid of the plane, (M, M), rows along the second coordinate.
    places, pull
        Points of a coarse grid, (K, 2), and the gradient of log D there.
    """

    step: int
    points: Tensor
    judged: Tensor
    places: Tensor
    pull: Tensor


def diagram() -> Figure:
    """Draw codes, generator, images, discriminator, and what each player learns from."""
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    fig = plt.figure(figsize=(7.5, 3.1), layout="none")
    ax = fig.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, 7.5), ylim=(0, 3.1))
    ax.set_axis_off()
    boxes = {
        (0.1, 1.75, 1.25): ("random codes\n$z \\in T_{rand}$", "white"),
        (1.85, 1.75, 1.3): ("generator\n$G_{\\theta_g}$", "#D6E8F5"),
        (3.65, 1.75, 1.35): ("made images\n$T_{fake}$", "white"),
        (3.65, 0.45, 1.35): ("real images\n$T_{real}$", "white"),
        (5.4, 1.1, 2.0): ("discriminator\n$D_{\\theta_d}$: real?", "#FBE3D3"),
    }
    for (left, bottom, width), (text, colour) in boxes.items():
        ax.add_patch(
            Rectangle((left, bottom), width, 0.7, fc=colour, ec="black")
        )
        ax.text(
            left + width / 2, bottom + 0.35, text, ha="center", va="center"
        )
    dark: dict[str, Any] = {"arrowstyle": "-|>", "color": "black"}
    for start, end in (
        ((1.35, 2.1), (1.85, 2.1)),
        ((3.15, 2.1), (3.65, 2.1)),
        ((5.0, 2.1), (5.7, 1.8)),
        ((5.0, 0.8), (5.7, 1.1)),
    ):
        ax.annotate("", end, start, arrowprops=dark)
    for start, end, colour, bend in (
        ((6.4, 1.8), (2.5, 2.45), _BLUE, 0.3),
        ((6.9, 1.1), (6.1, 1.1), _ORANGE, -1.3),
    ):
        style = f"arc3,rad={bend}"
        ax.annotate(
            "",
            end,
            start,
            arrowprops={
                "arrowstyle": "-|>",
                "color": colour,
                "ls": "--",
                "connectionstyle": style,
            },
        )
    ax.text(
        4.4, 2.97, "gradient: fool it", color=_BLUE, ha="center", va="center"
    )
    ax.text(
        6.5,
        0.32,
        "gradient: tell them apart",
        color=_ORANGE,
        ha="center",
        va="center",
    )
    return fig


def optimal(
    x: Tensor,
    densities: Mapping[str, Tensor],
    answers: Mapping[str, Tensor],
    distances: Tensor,
    divergences: Tensor,
) -> Figure:
    """Draw two densities on the line, discriminators, and the divergence against a distance."""
    import matplotlib.pyplot as plt

    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(7.5, 2.7))
    for name, density in densities.items():
        left.plot(x, density, label=name)
    left.set(title="two densities", xlabel="$x$", xlim=(-5, 5), ylim=(0, 0.55))
    left.legend()
    styles = ("-", "--", ":")
    for (name, answer), style in zip(answers.items(), styles, strict=False):
        middle.plot(x, answer, style, label=name)
    middle.set(
        title="discriminators", xlabel="$x$", xlim=(-5, 5), ylim=(-0.03, 1.35)
    )
    middle.set_yticks([0, 0.5, 1])
    middle.legend(loc="upper right")
    right.plot(distances, divergences, color=_GREEN)
    right.axhline(float(np.log(2)), color="black", ls=":", lw=1)
    right.text(0.1, float(np.log(2)) + 0.02, "$\\log 2$", va="bottom")
    right.set(
        title="Jensen-Shannon",
        xlabel="distance of two Gaussians",
        ylim=(0, 0.8),
    )
    return fig


def generator_losses(chosen: float) -> Figure:
    """Draw both losses of the generator and their gradients in the logit against D(G(z)).

    Parameters
    ----------
    chosen
        A value of D(G(z)) in 0 .. 1, which is marked.
    """
    import matplotlib.pyplot as plt

    D = torch.sigmoid(torch.linspace(-9.3, 5, 400))
    fig, (losses, slopes) = plt.subplots(1, 2, figsize=(7.5, 3.0))
    curves = {
        "(1): $\\log(1 - D)$": ((1 - D).log(), D),
        "(2): $-\\log D$": (-D.log(), 1 - D),
    }
    marks = (
        (np.log(1 - chosen), chosen),
        (-np.log(chosen), 1 - chosen),
    )
    for colour, (name, (loss, slope)), (low, steep) in zip(
        COLOURS, curves.items(), marks, strict=False
    ):
        losses.plot(D, loss, color=colour, label=name)
        slopes.plot(D, slope, color=colour, label=name)
        losses.plot(chosen, low, "o", color=colour)
        slopes.plot(chosen, steep, "o", color=colour)
    losses.axvline(chosen, color="grey", lw=0.8, ls=":")
    slopes.axvline(chosen, color="grey", lw=0.8, ls=":")
    losses.set(title="loss", ylim=(-5.2, 9.5))
    slopes.set(title="pull on the logit", xscale="log", ylim=(-0.03, 1.1))
    for ax in (losses, slopes):
        ax.set_xlabel("$D(G(z))$")
    losses.legend()
    return fig


def game_panel(
    ax: Axes, shot: Snapshot, real: Tensor, *, title: str = ""
) -> None:
    """Draw one moment of the game: level lines of D, the pull, real and made points."""
    side = np.linspace(-EXTENT, EXTENT, len(shot.judged))
    ax.contourf(
        side,
        side,
        shot.judged,
        levels=np.linspace(0, 1, 11),
        cmap="Greys",
        vmax=2,
    )
    ax.contour(
        side, side, shot.judged, levels=_LEVELS, colors="grey", linewidths=0.6
    )
    ax.plot(*real.T, ".", ms=2, color=_ORANGE, alpha=0.5)
    ax.plot(*shot.points.T, ".", ms=2, color=_BLUE, alpha=0.6)
    size = shot.pull.norm(dim=1, keepdim=True)
    arrows = shot.pull / size.clamp(min=1e-9) * size.clamp(max=2).sqrt()
    ax.quiver(
        *shot.places.T,
        *arrows.T,
        color=_GREEN,
        width=0.007,
        scale=11,
        headwidth=4,
    )
    ax.set(
        xlim=(-EXTENT, EXTENT), ylim=(-EXTENT, EXTENT), aspect="equal",
        xticks=[], yticks=[], title=title,
    )  # fmt: skip


def two_player(
    rows: Mapping[str, tuple[Tensor, Sequence[Snapshot]]],
) -> Figure:
    """Draw the game of each data set in a row: real points, and the moments."""
    import matplotlib.pyplot as plt

    columns = max(len(shots) for _, shots in rows.values())
    fig, table = plt.subplots(
        len(rows), columns, figsize=(7.5, 2.0 * len(rows) + 0.3), squeeze=False
    )
    for axes, (name, (real, shots)) in zip(table, rows.items(), strict=True):
        for ax, shot in zip(axes, shots, strict=True):
            game_panel(ax, shot, real, title=f"step {shot.step:,}")
        axes[0].set_ylabel(name)
    return fig


def one_moment(real: Tensor, shot: Snapshot) -> Figure:
    """Draw one moment large, for a slider."""
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(4.2, 4.2))
    game_panel(ax, shot, real)
    return fig


def clouds(
    points: Sequence[Tensor], centres: Tensor, titles: Sequence[str]
) -> Figure:
    """Draw what generators of several seeds make, beside the modes' centres."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, len(points), figsize=(7.5, 2.2))
    for ax, made, title in zip(axes, points, titles, strict=True):
        ax.plot(*centres.T, "o", mfc="none", mec=_ORANGE, ms=11, mew=1.2)
        ax.plot(*made.float().T, ".", ms=2, color=_BLUE, alpha=0.6)
        ax.set(
            xlim=(-EXTENT, EXTENT), ylim=(-EXTENT, EXTENT), aspect="equal",
            xticks=[], yticks=[], title=title,
        )  # fmt: skip
    return fig


def modes(
    weights: Sequence[float],
    found: Mapping[str, Mapping[str, Tensor]],
    over_time: Mapping[str, tuple[Sequence[int], Tensor]],
) -> Figure:
    """Draw modes found and divergence against the penalty's weight, and modes over the training.

    Parameters
    ----------
    weights
        The penalty's weights, the first one zero.
    found
        For each game by name: ``modes`` and ``reverse_kl`` at the end, each (weights, seeds).
    over_time
        Steps, and modes found at each by each seed, (seeds, steps), of some trainings by name.
    """
    import matplotlib.pyplot as plt

    fig, (count, divergence, time) = plt.subplots(1, 3, figsize=(7.5, 3.0))
    place = np.arange(len(weights))
    for shift, colour, (name, values) in zip(
        (-0.08, 0.08), COLOURS, found.items(), strict=False
    ):
        for ax, key in ((count, "modes"), (divergence, "reverse_kl")):
            ax.plot(
                place + shift, values[key].mean(1), color=colour, label=name
            )
            for seed in values[key].T:
                ax.plot(
                    place + shift, seed, "o", ms=4, color=colour, alpha=0.5
                )
    for ax, title in (
        (count, "modes found"),
        (divergence, "reverse KL (nats)"),
    ):
        ax.set(title=title, xlabel="weight of the penalty")
        ax.set_xticks(place, [f"{w:g}" for w in weights])
    for ax in (count, time):
        ax.set_yticks(range(0, 9, 2))
    count.set_ylim(-0.3, 10.5)
    count.legend(loc="upper left")
    divergence.axhline(float(np.log(8)), color="black", ls=":", lw=1)
    for colour, (name, (steps, curves)) in zip(
        COLOURS, over_time.items(), strict=False
    ):
        time.plot(steps, curves.mean(0), color=colour, label=name)
    time.set(title="modes over the steps", xlabel="step", ylim=(-0.3, 10.5))
    time.legend(loc="upper left")
    return fig


def beside_nearest(
    rows: Mapping[str, Tensor], dots: int, count: int
) -> Figure:
    """Draw rows of images below one another: samples, and the training images nearest to each.

    Parameters
    ----------
    rows
        Images (N, C, H, W) in [0, 1] of each row by its title.
    dots
        Dots for the width of an image.
    count
        How many of each.
    """
    return blocks(
        {name: images[:count] for name, images in rows.items()},
        dots,
        across=count,
        columns=1,
        size=7.4,
    )


def sheets(images: Mapping[str, Tensor], dots: int, across: int) -> Figure:
    """Draw sheets of images side by side, each below its title."""
    return blocks(images, dots, across=across, size=7.4 / len(images))
