"""The style networks that the book trains: which there are, and how to load the shipped ones."""

from __future__ import annotations

from pathlib import Path

import torch

from lecture_utils import checkpoints
from lecture_utils.style_transfer.adain import Decoder
from lecture_utils.style_transfer.fast_style import TransformNetwork

# The paintings by their names in the data set `paintings`.
STYLES = {
    "starry_night": "Vincent van Gogh, The Starry Night, 1889",
    "wave": "Katsushika Hokusai, The Great Wave off Kanagawa, about 1831",
    "the_scream": "Edvard Munch, The Scream, 1893",
    "composition_vii": "Wassily Kandinsky, Composition VII, 1913",
}
# These share one network, too; all of them are embedded.
SHARED = (*STYLES, "shipwreck", "vg_wheat_field")
MANY = "style_many"
DECODER = "adain_decoder"


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
    return _load(checkpoint(style), device, folder)[0]


def load_many(
    device: torch.device | str = "cpu",
    *,
    folder: Path | str = checkpoints.FOLDER,
) -> tuple[TransformNetwork, tuple[str, ...]]:
    """Return the transform network of several styles, and the paintings in their order in it.

    Raises
    ------
    CheckpointError
        If its weights are missing or damaged.
    """
    return _load(MANY, device, folder)


def load_decoder(
    device: torch.device | str = "cpu",
    *,
    folder: Path | str = checkpoints.FOLDER,
) -> Decoder:
    """Return the decoder that paints in the style of any image, ready to be used on ``device``.

    Raises
    ------
    CheckpointError
        If its weights are missing or damaged.
    """
    tensors, record = checkpoints.load(DECODER, folder)
    decoder = Decoder(record.settings["layer"], record.settings["width"])
    decoder.load_state_dict(tensors)
    return decoder.eval().to(device)


def _load(
    name: str, device: torch.device | str, folder: Path | str
) -> tuple[TransformNetwork, tuple[str, ...]]:
    tensors, record = checkpoints.load(name, folder)
    paintings = tuple(record.settings["paintings"])
    network = TransformNetwork(
        record.settings["width"],
        len(paintings),
        upsampling=record.settings["upsampling"],
    )
    network.load_state_dict(tensors)
    return network.eval().to(device), paintings
