"""A small network from faces to numbers: a classifier of attributes, or an encoder to latent codes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from lecture_utils import checkpoints

ATTRIBUTES = ("Smiling", "Male", "Eyeglasses")
CHECKPOINT = "face_attributes"


class FaceNetwork(nn.Module):
    """Four strided convolutions, normalised, the mean or the maps of what they find, one layer.

    Parameters
    ----------
    outputs
        Numbers that come out.
    width
        Channels of the first convolution, doubled three times.
    whole
        Whether the last layer sees each place of the last maps, which tells where things are, or
        their means, which tell what there is.
    """

    def __init__(
        self, outputs: int, width: int = 32, *, whole: bool = False
    ) -> None:
        super().__init__()
        sizes = [3, width, 2 * width, 4 * width, 8 * width]
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(sizes):
            layers += [
                nn.Conv2d(n_in, n_out, 3, 2, 1, bias=False),
                nn.BatchNorm2d(n_out),
                nn.ReLU(),
            ]
        self.maps = nn.Sequential(*layers)
        pool = nn.Identity() if whole else nn.AdaptiveAvgPool2d(1)
        places = 16 if whole else 1
        self.read = nn.Sequential(
            pool,
            nn.Flatten(),
            nn.Linear(8 * width * places, outputs),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map faces (N, 3, 64, 64) in [0, 1] to numbers (N, outputs)."""
        x = (2 * images - 1).contiguous(memory_format=torch.channels_last)
        numbers: Tensor = self.read(self.maps(x))
        return numbers.float()


def load_classifier() -> FaceNetwork:
    """Return the shipped classifier of `ATTRIBUTES`, whose logits are high where one holds."""
    tensors, record = checkpoints.load(CHECKPOINT)
    network = FaceNetwork(len(ATTRIBUTES), record.settings["width"])
    network.load_state_dict(
        network.state_dict() | {k: v.float() for k, v in tensors.items()}
    )
    return network.eval()


@torch.no_grad()
def attributes(network: nn.Module, images: Tensor, batch: int = 200) -> Tensor:
    """Return which attributes a classifier finds in faces (N, 3, 64, 64): bool, (N, attributes)."""
    parts = [network(part) > 0 for part in torch.split(images, batch)]
    return torch.cat(parts)


def balanced_accuracy(
    found: Tensor, true: Tensor, names: Sequence[str] = ATTRIBUTES
) -> dict[str, float]:
    """Return, for each attribute, the mean of the shares of the right answers, yes and no.

    Chance gives one half, however rare the attribute is.

    Parameters
    ----------
    found, true
        bool, (N, attributes).
    names
        Of the attributes.
    """
    right = found == true
    return {
        name: float(
            (
                right[true[:, k], k].double().mean()
                + right[~true[:, k], k].double().mean()
            )
            / 2
        )
        for k, name in enumerate(names)
    }


def matches(found: Tensor, wanted: Sequence[bool | None]) -> Tensor:
    """Return which faces have the wanted attributes, (N,); None is for one that does not matter."""
    fits = torch.ones(len(found), dtype=torch.bool)
    for k, value in enumerate(wanted):
        if value is not None:
            fits &= found[:, k] == value
    return fits
