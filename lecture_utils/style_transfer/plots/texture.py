"""The drawings of the section on texture synthesis.

Every function returns an open figure for `lecture_utils.show.figure`, which gives it its caption.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]

_SIDE = 24  # pixels of a map that is drawn from a distribution


def histograms(
    laws: Mapping[str, Tensor],
    pictures: Mapping[str, Array],
    responses: Mapping[str, Tensor],
    note: str,
) -> Figure:
    """Draw two distributions with one second moment, and textures made with two losses.

    Parameters
    ----------
    laws
        Two distributions by name, each as its sorted values, at least 576 of them.
    pictures
        Three pictures by name, 8 bits, (H, W[, 3]).
    responses
        By the same names what one feature map responds, one value a position, in any order.
    note
        What is measured of the two distributions, at most 20 characters a line.
    """
    import matplotlib.pyplot as plt

    fig = plt.figure(figsize=(7.5, 4.7))
    axes = fig.subplots(2, 4, width_ratios=(1, 1, 1, 1.7))
    order = np.random.default_rng(0).permutation(_SIDE**2)
    for ax, (name, values) in zip(axes[0], laws.items(), strict=False):
        every = np.linspace(0, len(values) - 1, _SIDE**2).round().astype(int)
        drawn = values.numpy()[every][order].reshape(_SIDE, _SIDE)
        ax.imshow(drawn, cmap="gray", vmin=0, vmax=4)
        ax.set_title(name, fontsize=9)
        _sorted(axes[0, 3], name, values)
    for ax, (name, picture) in zip(axes[1], pictures.items(), strict=False):
        ax.imshow(picture, cmap="gray", vmin=0, vmax=255)
        ax.set_title(name, fontsize=9)
        _sorted(axes[1, 3], name, responses[name])
    axes[0, 3].set_ylim(-0.2, 5)
    axes[0, 3].set_ylabel("value")
    axes[1, 3].set_ylabel("response of one map")
    axes[1, 3].set_xlabel("share of the positions")
    axes[0, 2].text(0, 0.5, note, va="center", fontsize=9)
    for ax in axes[:, 3]:
        ax.legend(fontsize=8)
    for ax in axes[:, :3].flat:
        ax.set_axis_off()
    return fig


def _sorted(ax: Any, name: str, values: Tensor) -> None:
    """Draw values in their order against their share of the whole."""
    values = values.sort().values
    kept = np.linspace(0, len(values) - 1, 400).round().astype(int)
    ax.plot(kept / (len(values) - 1), values.numpy()[kept], label=name)
