"""The drawings of the section on the Gaussian model.

Every drawing is an open figure for `lecture_utils.show.figure`, which gives it its caption.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lecture_utils.show import COLOURS, grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpecBase

    from lecture_utils.generation.gaussian import GaussianModel

_BLUE, _ORANGE, _GREEN = COLOURS[:3]
_GREYS: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 1}

# The two sums of `arithmetic`: three groups with their titles, then the group
# whose mean the sum should be.
_SUMS = (
    (
        ("smiling woman", "smiling woman"),
        ("neutral woman", "− neutral woman"),
        ("neutral man", "+ neutral man"),
        ("smiling man", "smiling man"),
    ),
    (
        ("man with glasses", "man with glasses"),
        ("man without glasses", "− man without"),
        ("woman without glasses", "+ woman without"),
        ("woman with glasses", "woman with"),
    ),
)


def _axes(grid: GridSpecBase) -> NDArray[Any]:
    """Return the axes of a grid that has more than one."""
    axes = grid.subplots()
    assert isinstance(axes, np.ndarray)
    return axes


def blocks(
    images: Mapping[str, Tensor],
    dots: int,
    *,
    across: int,
    columns: int | None = None,
    size: float = 7.4,
) -> Figure:
    """Draw blocks of images (N, H, W) or (N, C, H, W), each below its title.

    Parameters
    ----------
    images
        The images of each block by its title.
    dots
        Dots for the width of an image: each pixel takes the largest whole
        number of them with which it fits.
    across
        Images in a row of a block.
    columns, size
        Blocks in a row, and inches of a block; see `lecture_utils.show.grid`.
    """
    sheets = [_tiles(block, across, dots) for block in images.values()]
    return grid(sheets, columns=columns, titles=list(images), size=size)


def _tiles(images: Tensor, columns: int, dots: int) -> Tensor:
    """Put images beside and below one another, each at most ``dots`` wide."""
    from torchvision.utils import make_grid

    stack = images[:, None] if images.ndim == 3 else images
    zoom = dots // stack.shape[-1]
    large = (
        stack.clamp(0, 1)
        .repeat_interleave(zoom, -1)
        .repeat_interleave(zoom, -2)
    )
    sheet: Tensor = make_grid(large, nrow=columns, padding=4, pad_value=1)
    return sheet


def two_pixels(
    mean: Tensor,
    places: Mapping[str, tuple[int, int]],
    pair: Tensor,
    draws: Tensor,
    ellipses: Mapping[int, Tensor],
    model: tuple[Tensor, Tensor, Tensor],
) -> Figure:
    """Draw the places of two pixels, their values with ellipses and axes, and samples.

    Parameters
    ----------
    mean
        The mean image, (H, W).
    places
        Row and column of each pixel by name.
    pair, draws
        Values of the two pixels in the faces and in samples, (N, 2).
    ellipses
        Points (M, 2) of each ellipse by its Mahalanobis distance.
    model
        Mean, eigenvalues and eigenvectors (as columns) of the two pixels.
    """
    import matplotlib.pyplot as plt

    mu, eigenvalues, vectors = model
    side = torch.linspace(0, 1.2, 150, dtype=mu.dtype)
    points = torch.stack(torch.meshgrid(side, side, indexing="xy"), dim=-1)
    squared = (((points - mu) @ vectors) ** 2 / eigenvalues).sum(-1)
    constant = 2 * torch.pi * eigenvalues.prod().sqrt()
    density = torch.exp(-squared / 2) / constant
    # At two standard deviations, towards brighter foreheads.
    tips = mu + (2 * eigenvalues.sqrt() * vectors * vectors[0].sign()).T

    fig, (where, fitted, sampled) = plt.subplots(
        1, 3, figsize=(7.5, 2.9), width_ratios=(0.62, 1, 1)
    )
    where.imshow(mean, **_GREYS)
    for name, (row, column) in places.items():
        where.plot(column, row, "s", mfc="none", mec=_ORANGE, mew=2, ms=8)
        where.text(
            column,
            row - 2.2,
            name,
            color="white",
            ha="center",
            va="center",
            size=9,
        )
    where.set_title("the two pixels")
    where.axis("off")
    sampled.contourf(
        density,
        levels=10,
        cmap="Greys",
        vmax=1.8 * float(density.max()),
        extent=(0, 1.2, 0, 1.2),
    )
    panels = (
        (fitted, pair, f"{len(pair)} faces"),
        (sampled, draws, f"{len(draws)} samples"),
    )
    for ax, points, title in panels:
        ax.plot(*points.T, ".", ms=4, color=_BLUE)
        for distance, ellipse in ellipses.items():
            ax.plot(*ellipse.T, lw=1, color=_ORANGE)
            if ax is fitted:
                box = {"fc": "white", "ec": "none", "pad": 0.6}
                label = {
                    "color": _ORANGE,
                    "size": 9,
                    "ha": "center",
                    "va": "center",
                    "bbox": box,
                }
                upper_left = int((ellipse[:, 1] - ellipse[:, 0]).argmax())
                ax.text(*ellipse[upper_left], str(distance), **label)
        ax.set(
            title=title, aspect="equal", xlim=(0.1, 1.15), ylim=(0.02, 1.07)
        )
        ax.set(
            xticks=np.arange(0.2, 1.1, 0.2), yticks=np.arange(0.2, 1.1, 0.2)
        )
        ax.set_xlabel(next(iter(places)))
    for k, tip in enumerate(tips, start=1):
        arrow = {"arrowstyle": "->", "lw": 1.8, "shrinkA": 0, "shrinkB": 0}
        fitted.annotate("", tip.tolist(), mu.tolist(), arrowprops=arrow)
        fitted.text(*(tip + 0.02), f"$e_{k}$", size=11, ha="left", va="center")
    fitted.set_ylabel(list(places)[1])
    return fig


def simplex(images: Tensor, codes: Tensor, model: GaussianModel) -> Figure:
    """Draw three images of two pixels (3, 2) with the ellipse through them, and their codes."""
    import matplotlib.pyplot as plt

    fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.2))
    angle = torch.linspace(0, 2 * torch.pi, 200, dtype=torch.float64)
    circle = 2**0.5 * torch.stack([angle.cos(), angle.sin()], dim=1)
    ellipse = model.decode(circle)[:, 0]
    mean = model.mean[0]
    for ax, points, curve, centre in (
        (left, images, ellipse, mean),
        (right, codes, circle, torch.zeros(2)),
    ):
        ax.plot(*curve.T, color="0.5", lw=1.2)
        ax.fill(*points.T, fill=False, ec=_BLUE, lw=2)
        ax.plot(*centre, "x", color="k", ms=8)
        for name, point in enumerate(points, 1):
            outwards = point - centre
            place = centre + outwards * (1 - 0.22 if ax is right else 0.72)
            ax.plot(*point, "o", color=_ORANGE, zorder=3)
            ax.text(*place, str(name), ha="center", va="center")
        ax.set_aspect("equal")
        ax.margins(0.1)
    left.set(xlabel="pixel 1", ylabel="pixel 2", title="images")
    right.set(xlabel="$z_1$", ylabel="$z_2$", title="codes")
    return fig


def eigenvectors(
    models: Mapping[str, GaussianModel], count: int = 8
) -> Figure:
    """Draw a row of leading eigenvectors for each model, and below all the spectra."""
    import matplotlib.pyplot as plt

    fig = plt.figure(figsize=(7.5, 4.9))
    rows = fig.add_gridspec(
        len(models) + 1, 1, height_ratios=[*(1.0 for _ in models), 2.1]
    )
    for row, model in zip(range(len(models)), models.values(), strict=True):
        for k, ax in enumerate(
            _axes(rows[row].subgridspec(1, count, wspace=0.06))
        ):
            vector = model.eigenvectors[:, k].reshape(model.mean.shape)
            grey = 0.5 + 0.5 * vector / vector.abs().max()
            ax.imshow(
                grey.permute(1, 2, 0) if grey.ndim == 3 else grey, **_GREYS
            )
            ax.set_title(f"$e_{k + 1}$: {100 * model.shares[k]:.1f} %", size=9)
            ax.axis("off")
    spectrum, together = _axes(rows[-1].subgridspec(1, 2))
    styles = (("--", _ORANGE), ("-", _BLUE))
    for (name, model), (style, colour) in zip(
        models.items(), styles, strict=False
    ):
        ks = np.arange(1, model.rank + 1)
        spectrum.loglog(ks, model.shares, ls=style, color=colour, label=name)
        together.semilogx(
            ks, 100 * model.shares.cumsum(0), ls=style, color=colour
        )
    spectrum.set(xlabel="$k$", title="share of the variance along $e_k$")
    together.set(
        xlabel="$k$",
        ylabel="%",
        ylim=(0, 103),
        title="share of the first $k$ together",
    )
    spectrum.legend(loc="lower left")
    for ax in (spectrum, together):
        ax.grid(True)
    return fig


def truncation(
    model: GaussianModel,
    faces: Mapping[str, Tensor],
    kept: Sequence[int],
    training: Sequence[float],
    new: Sequence[float],
) -> Figure:
    """Draw faces rebuilt from ``kept`` eigenvectors, and errors against their number.

    ``training`` holds the errors of training faces for ``kept``, ``new`` those of new faces for
    k = 1, 2, ...
    """
    import matplotlib.pyplot as plt

    truncated = [model.truncate(k) for k in kept]
    rebuilt = {
        name: [cut.decode(cut.encode(face[None]))[0] for cut in truncated]
        for name, face in faces.items()
    }
    dropped = model.total_variance - model.eigenvalues.cumsum(0)
    fig = plt.figure(figsize=(7.5, 5.2))
    rows = fig.add_gridspec(2, 1, height_ratios=(1.35, 1))
    panels = _axes(
        rows[0].subgridspec(
            len(faces), len(kept) + 1, wspace=0.06, hspace=0.06
        )
    )
    for line, (name, face) in zip(panels, faces.items(), strict=True):
        for ax, picture in zip(line, [*rebuilt[name], face], strict=True):
            ax.imshow(picture.clamp(0, 1), **_GREYS)
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        line[0].set_ylabel(name)
    for ax, title in zip(
        panels[0], [*(f"$k$ = {k}" for k in kept), "original"], strict=True
    ):
        ax.set_title(title)
    ax = fig.add_subplot(rows[1])
    ks = np.arange(1, len(dropped) + 1)
    ax.plot(ks, dropped, color=_BLUE, label="sum of the dropped eigenvalues")
    ax.plot(
        kept, training, "o", color=_ORANGE, label="training faces, measured"
    )
    ax.plot(ks, new, "--", color=_GREEN, label="new faces")
    ax.set(xlabel="$k$", ylabel="squared error", ylim=(0, None))
    ax.grid(True)
    ax.legend()
    return fig


def likelihood(
    faces: Tensor, scores: Tensor, averages: Mapping[str, Sequence[float]]
) -> Figure:
    """Draw 20 faces in the order of their scores, and average scores against k = 1, 2, ..."""
    import matplotlib.pyplot as plt

    fig = plt.figure(figsize=(7.5, 4.9))
    rows = fig.add_gridspec(2, 1, height_ratios=(1, 1.25))
    panels = _axes(rows[0].subgridspec(2, 10)).flat
    for ax, i in zip(panels, scores.argsort().tolist(), strict=True):
        ax.imshow(faces[i], **_GREYS)
        ax.set_title(f"{scores[i]:.0f}".replace("-", "−"), size=9)
        ax.axis("off")
    ax = fig.add_subplot(rows[1])
    for (name, values), style in zip(
        averages.items(), ("-", "--"), strict=True
    ):
        ax.plot(
            np.arange(1, len(values) + 1), values, style, label=f"{name} faces"
        )
    best = int(np.argmax(averages["held-out"])) + 1
    ax.axvline(best, color="0.5", lw=1)
    ax.annotate(f" $k$ = {best}", (best, -900), color="0.3")
    ax.set(
        xlabel="$k$",
        ylabel="average $\\log p(x)$ (nats)",
        ylim=(-1000, 2200),
        xlim=(0, 80),
    )
    ax.grid(True)
    ax.legend(loc="upper center")
    return fig


def arithmetic(
    model: GaussianModel,
    codes: Mapping[str, Tensor],
    faces: Mapping[str, int],
    results: Sequence[Tensor],
    changed: Mapping[str, Tensor],
) -> Figure:
    """Draw two sums of mean codes, each beside the true mean, and below the changes of one code.

    Parameters
    ----------
    model
        Decodes all codes to images (3, H, W).
    codes, faces
        Mean code and number of faces of each group.
    results
        The codes that the two sums give.
    changed
        Five codes by their title.
    """
    import matplotlib.pyplot as plt

    drawn: list[tuple[str, Tensor]] = []
    for (*terms, (true, mean)), result in zip(_SUMS, results, strict=True):
        drawn += [
            (f"{title}\n{faces[name]} faces", codes[name])
            for name, title in terms
        ]
        drawn.append(("= result", result))
        drawn.append((f"true mean, {mean}\n{faces[true]} faces", codes[true]))
    drawn += changed.items()
    fig, axes = plt.subplots(3, 5, figsize=(7.5, 5.4))
    for ax, (title, code) in zip(axes.flat, drawn, strict=True):
        ax.imshow(model.decode(code).clamp(0, 1).permute(1, 2, 0))
        ax.set_title(title, size=8)
        ax.axis("off")
    return fig


def statistics(
    counts: Mapping[str, Tensor],
    sampled: NDArray[np.float64],
    edges: NDArray[np.float64],
    components: int,
    joint: Mapping[str, NDArray[np.float64]],
) -> Figure:
    """Draw what mean and covariance do not fix.

    Parameters
    ----------
    counts
        Of real faces, as the checkpoint has them: "histogram.real" and "histogram.projected" of one
        standardised difference in the bins between ``edges``, and "radius.real" of the squared
        length of codes in bins of 10 from 0.
    sampled
        The density of the difference in samples, in the same bins.
    components
        The number of coordinates of a code.
    joint
        Two tables of counts of pairs (a, b), a along the rows, in equal bins from -5 to 5.
    """
    import matplotlib.pyplot as plt

    width = edges[1] - edges[0]
    densities = {}
    for name, key in (
        ("real faces", "real"),
        (f"real, {components} eigenvectors", "projected"),
    ):
        histogram = counts[f"histogram.{key}"].double().numpy()
        densities[name] = histogram / histogram.sum() / width
    densities["samples"] = sampled
    radii = counts["radius.real"].double().numpy()

    fig, axes = plt.subplots(2, 2, figsize=(7.5, 6.4))
    one, radius = axes[0]
    centres = (edges[1:] + edges[:-1])[
        1:-1
    ] / 2  # the outer bins also count what lies beyond
    for (name, density), style in zip(
        densities.items(), ("-", "--", ":"), strict=True
    ):
        line = 2.8 if style == ":" else 1.8
        one.semilogy(centres, density[1:-1], style, lw=line, label=name)
    law = np.exp(-(centres**2) / 2) / np.sqrt(2 * np.pi)
    one.semilogy(centres, law, color="0.6", lw=1, label="$\\mathcal{N}(0, 1)$")
    one.set(
        ylim=(1e-6, 3),
        xlim=(-10, 10),
        xlabel="difference of neighbours (standardised)",
    )
    one.set_title("density of one difference")
    one.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0.6, 1.02))

    radius.bar(
        np.arange(len(radii)) * 10 + 5,
        radii / radii.sum() / 10,
        width=10,
        label="real faces",
    )
    squared = torch.linspace(1, 450, 450)
    chi = torch.distributions.Chi2(components).log_prob(squared).exp()  # type: ignore[no-untyped-call]
    radius.plot(squared, chi, color=_ORANGE, label="Gaussian (chi-squared)")
    radius.set(
        xlabel="$\\Vert z \\Vert^2$",
        title="density of the squared length of the code",
    )
    radius.legend(fontsize=8)
    for ax, (name, pairs) in zip(axes[1], joint.items(), strict=True):
        _given(ax, pairs)
        ax.set(xlabel="$a$", ylabel="$b$", title=f"$b$ given $a$: {name}")
    return fig


def _given(ax: Axes, counts: NDArray[np.float64], least: int = 300) -> None:
    """Draw p(b | a) in a logarithmic grey scale, and the standard deviation of b as lines."""
    step = 10 / len(counts)
    middle = np.arange(len(counts)) * step - 5 + step / 2
    given = counts / counts.sum(1, keepdims=True).clip(1)
    spread = np.sqrt(given @ middle**2 - (given @ middle) ** 2)
    enough = counts.sum(1) >= least
    shown = np.where(enough[:, None], given, 0).clip(1e-4)
    ax.imshow(
        np.log10(shown).T,
        origin="lower",
        extent=(-5, 5, -5, 5),
        cmap="gray",
        vmin=-3.5,
        vmax=-0.3,
    )
    for sign in (-1, 1):
        ax.plot(
            middle[enough], sign * spread[enough], color=COLOURS[4], lw=2.4
        )
