"""The style networks that the book trains: which there are, and how to load the shipped ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from lecture_utils import checkpoints
from lecture_utils.style_transfer.fast_style import TransformNetwork


@dataclass(frozen=True)
class Style:
    """One style that a transform network paints in.

    Attributes
    ----------
    title
        The painting, its painter and its year.
    checkpoint
        The name of the weights and of their recipe.
    """

    title: str
    checkpoint: str


STYLES = {
    "starry_night": Style(
        "Vincent van Gogh, The Starry Night, 1889", "style_starry_night"
    ),
    "wave": Style(
        "Katsushika Hokusai, The Great Wave off Kanagawa, about 1831",
        "style_wave",
    ),
    "scream": Style("Edvard Munch, The Scream, 1893", "style_scream"),
    "composition": Style(
        "Wassily Kandinsky, Composition VII, 1913", "style_composition"
    ),
}


def shipped(folder: Path | str = checkpoints.FOLDER) -> list[str]:
    """Return the names out of `STYLES` whose weights are in a folder, the book's own without one."""
    there = checkpoints.names(folder)
    return [name for name, x in STYLES.items() if x.checkpoint in there]


def load(
    style: str,
    device: torch.device | str = "cpu",
    *,
    folder: Path | str = checkpoints.FOLDER,
) -> TransformNetwork:
    """Return the transform network of a style, ready to be used on ``device``.

    Raises
    ------
    KeyError
        If there is no such style.
    CheckpointError
        If its weights are missing or damaged.
    """
    if style not in STYLES:
        raise KeyError(
            f"There is no style {style!r}; there are: {', '.join(STYLES)}."
        )
    tensors, record = checkpoints.load(STYLES[style].checkpoint, folder)
    network = TransformNetwork(
        record.settings["width"], upsampling=record.settings["upsampling"]
    )
    network.load_state_dict(tensors)
    return network.eval().to(device)
