"""The book's own features: VGG16 to relu4_3 at reduced width, distilled from it and shipped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from lecture_utils import checkpoints, data
from lecture_utils.runtime import Run
from lecture_utils.vgg import (
    BLOCKS,
    DATA_SETS,
    POOLING_FACTORS,
    VGG,
    AveragePool,
    layer_names,
    load_vgg,
)

CHECKPOINT = "feature_network"
STEPS = layer_names(16)[: layer_names(16).index("relu4_3") + 1]
LAYERS = tuple(name for name in STEPS if name.startswith("relu"))
# Channels a block. VGG16 has 64, 128, 256 and 512: here the first blocks, whose
# images are large, are the narrowest, since they decide the time.
WIDTHS = (24, 48, 96, 224)
_MEAN = (123.68 / 255, 116.779 / 255, 103.939 / 255)  # that VGG16 subtracts
_STD = (0.229, 0.224, 0.225)  # of ImageNet's colours, R, G, B in [0, 1]


def teacher_channels(layer: str) -> int:
    """Return how many channels VGG16 has in a layer such as ``relu3_3``."""
    return BLOCKS[16][int(layer[4]) - 1][1]


class FeatureNetwork(nn.Module):
    """VGG16's layers up to the deepest one that is wanted, made narrow, frozen.

    The convolutions and poolings are those of VGG16 with fewer channels. A 1 x 1 convolution and a
    rectifier lift what is wanted to VGG16's own channels, so that content and Gram losses are
    measured in VGG16's space and in its units.

    Sources: K. Simonyan and A. Zisserman, "Very deep convolutional networks for large-scale image
    recognition", ICLR 2015; A. Romero et al., "FitNets: hints for thin deep nets", ICLR 2015, for
    a thin network that learns another's features.

    Parameters
    ----------
    layers
        Names out of `LAYERS`, such as ``relu3_3``; what :meth:`forward` returns.
    widths
        Channels of the four blocks.
    pooling
        ``max`` as in the paper, or ``avg``: means of the responses, rescaled by
        `lecture_utils.vgg.POOLING_FACTORS`.
    padding
        ``zeros`` as in the paper, or ``replicate``: the border repeats itself.

    Attributes
    ----------
    source
        Where the weights come from, in words; set by `load_feature_network`.
    """

    def __init__(
        self,
        layers: Sequence[str],
        *,
        widths: Sequence[int] = WIDTHS,
        pooling: Literal["max", "avg"] = "max",
        padding: Literal["zeros", "replicate"] = "zeros",
    ) -> None:
        super().__init__()
        unknown = [name for name in layers if name not in LAYERS]
        if unknown or not layers:
            raise ValueError(
                f"The feature network got the layers {list(layers)}; it needs"
                f" at least one of {', '.join(LAYERS)}. Deeper layers need"
                " load_vgg(..., depth=16)."
            )
        for what, got, known in (
            ("pooling", pooling, ("max", "avg")),
            ("padding", padding, ("zeros", "replicate")),
        ):
            if got not in known:
                raise ValueError(
                    f"The feature network got the {what} {got!r}; it must be"
                    f" {known[0]!r} or {known[1]!r}."
                )
        self.layers = tuple(layers)
        self.widths = tuple(widths)
        self.steps = nn.ModuleDict()
        self.lifts = nn.ModuleDict()
        deepest = max(STEPS.index(name) for name in layers)
        n_in = 3
        for name in STEPS[: deepest + 1]:
            block = int(name[4])
            width = widths[block - 1]
            if name.startswith("conv"):
                self.steps[name] = nn.Conv2d(
                    n_in, width, 3, padding=1, padding_mode=padding
                )
                n_in = width
            elif name.startswith("relu"):
                self.steps[name] = nn.ReLU()
                if name in layers:
                    self.lifts[name] = nn.Conv2d(
                        width, teacher_channels(name), 1
                    )
            elif pooling == "max":
                self.steps[name] = nn.MaxPool2d(2)
            else:
                self.steps[name] = AveragePool(POOLING_FACTORS[block - 1])
        self.source = "random weights"
        self.mean: Tensor
        self.std: Tensor
        for key, values in (("mean", _MEAN), ("std", _STD)):
            constant = torch.tensor(values).view(3, 1, 1)
            self.register_buffer(key, constant, persistent=False)
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Map RGB images (N, 3, H, W) in [0, 1] to the wanted layers' features by name."""
        x = (images - self.mean) / self.std  # (N, 3, H, W)
        found: dict[str, Tensor] = {}
        for name, step in self.steps.items():
            x = step(
                x
            )  # block b: (N, widths[b - 1], H / 2^(b-1), W / 2^(b-1))
            if name in self.layers:  # (N, 64 or 128, 256, 512, ...)
                found[name] = torch.relu(self.lifts[name](x))
        return found


def load_feature_network(
    layers: Sequence[str],
    run: Run,
    *,
    pooling: Literal["max", "avg"] = "max",
    padding: Literal["zeros", "replicate"] = "zeros",
) -> FeatureNetwork:
    """Return the shipped feature network, on the run's device and in evaluation mode.

    It needs no data folder and no network.

    Raises
    ------
    CheckpointError
        If the checkpoint is missing or damaged.
    ValueError
        If a layer is not one of `LAYERS`, or an option is unknown.
    """
    tensors, record = checkpoints.load(CHECKPOINT)
    network = FeatureNetwork(
        layers,
        widths=record.settings["widths"],
        pooling=pooling,
        padding=padding,
    )
    wanted = network.state_dict()
    network.load_state_dict({key: tensors[key] for key in wanted})
    network.source = (
        f"the book's feature network (distilled from VGG16,"
        f" {record.steps:,} steps)"
    )
    return network.eval().to(run.device)


def features(
    layers: Sequence[str],
    run: Run,
    *,
    pooling: Literal["max", "avg"] = "max",
    padding: Literal["zeros", "replicate"] = "zeros",
) -> VGG | FeatureNetwork:
    """Return VGG16 where the data folder has its weights, elsewhere the shipped feature network.

    Both take the same images and return features of the same shapes, so a page is written once;
    ``source`` of what is returned says which network it is. Nothing is downloaded.

    Parameters
    ----------
    layers
        Names out of `LAYERS`, such as ``relu3_3``.
    run
        Says the device.
    pooling, padding
        As in :class:`lecture_utils.vgg.VGG`.

    Raises
    ------
    CheckpointError
        If neither VGG16 nor the checkpoint is there.
    ValueError
        If a layer is not one of `LAYERS`, or an option is unknown.
    """
    unknown = [name for name in layers if name not in LAYERS]
    if data.find(DATA_SETS[16][0]) is None or unknown or not layers:
        return load_feature_network(
            layers, run, pooling=pooling, padding=padding
        )
    return load_vgg(layers, run, depth=16, pooling=pooling, padding=padding)
