"""The style networks that the book trains: which there are, and how to load the shipped ones."""

from __future__ import annotations

from pathlib import Path

import torch

from lecture_utils import checkpoints
from lecture_utils.style_transfer.fast_style import TransformNetwork

# The paintings by their names in the data set `paintings`.
STYLES = {
    "starry_night": "Vincent van Gogh, The Starry Night, 1889",
    "wave": "Katsushika Hokusai, The Great Wave off Kanagawa, about 1831",
    "the_scream": "Edvard Munch, The Scream, 1893",
    "composition_vii": "Wassily Kandinsky, Composition VII, 1913",
}


def checkpoint(style: str) -> str:
    """Return the name of a style's weights, and of their recipe."""
    return f"fast_style_{style}"


def shipped(folder: Path | str = checkpoints.FOLDER) -> list[str]:
    """Return the names out of `STYLES` whose weights are in a folder, the book's own without one."""
    there = checkpoints.names(folder)
    return [style for style in STYLES if checkpoint(style) in there]


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
    tensors, record = checkpoints.load(checkpoint(style), folder)
    network = TransformNetwork(
        record.settings["width"], upsampling=record.settings["upsampling"]
    )
    network.load_state_dict(tensors)
    return network.eval().to(device)
