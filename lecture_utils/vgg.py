"""VGG19 as a source of features: any layer by its name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lecture_utils import data
from lecture_utils.runtime import Run

# Convolutions a block and their widths: K. Simonyan and A. Zisserman, ICLR
# 2015, table 1, column E.
BLOCKS = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))
LAYERS = tuple(
    name
    for block, (count, _) in enumerate(BLOCKS, 1)
    for name in (
        *(
            f"{kind}{block}_{i}"
            for i in range(1, count + 1)
            for kind in ("conv", "relu")
        ),
        f"pool{block}",
    )
)
DATA_SET = "vgg19_conv1_1_conv3_4"
_MEAN = (0.485, 0.456, 0.406)  # of ImageNet's colours, R, G, B in [0, 1]
_STD = (0.229, 0.224, 0.225)
_KERAS_MEAN = (123.68, 116.779, 103.939)  # R, G, B in 0 .. 255


class VGG19(nn.Module):
    """The layers of VGG19 up to the deepest one that is wanted, frozen.

    Source: K. Simonyan and A. Zisserman, "Very deep convolutional networks for large-scale image
    recognition", ICLR 2015. SRGAN's VGG22 is ``relu2_2`` and its VGG54 is ``relu5_4``: the j-th
    convolution, after its activation, before the i-th pooling.

    Parameters
    ----------
    layers
        Names out of `LAYERS`, such as ``relu3_3``; what :meth:`forward` returns.

    Attributes
    ----------
    source
        Where the weights come from, in words; set by `load_vgg19`.
    """

    def __init__(self, layers: Sequence[str]) -> None:
        super().__init__()
        unknown = [name for name in layers if name not in LAYERS]
        if unknown or not layers:
            raise ValueError(
                f"VGG19 got the layers {list(layers)}; it needs at least one"
                f" of {', '.join(LAYERS)}."
            )
        self.layers = tuple(layers)
        depth = max(LAYERS.index(name) for name in layers) + 1
        self.steps = nn.ModuleDict()
        n_in = 3
        for name in LAYERS[:depth]:
            width = BLOCKS[int(name[4]) - 1][1]
            if name.startswith("conv"):
                self.steps[name] = nn.Conv2d(n_in, width, 3, padding=1)
                n_in = width
            else:
                self.steps[name] = (
                    nn.ReLU() if name.startswith("relu") else nn.MaxPool2d(2)
                )
        self.source = "random weights"
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(_MEAN).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(_STD).view(3, 1, 1))
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Map RGB images (N, 3, H, W) in [0, 1] to the wanted layers' features by name."""
        x = (images - self.mean) / self.std
        found: dict[str, Tensor] = {}
        for name, step in self.steps.items():
            x = step(x)
            if name in self.layers:
                found[name] = x
        return found


def load_vgg19(layers: Sequence[str], run: Run) -> VGG19:
    """Return VGG19 with trained weights, on the run's device and in evaluation mode.

    Layers up to ``relu3_4`` take the weights of the data set ``vgg19_conv1_1_conv3_4`` where it is
    found. Otherwise torchvision's are taken: from its cache, or downloaded in profile ``full``.

    Raises
    ------
    DataNotFoundError
        If neither is there; the message says what to do.
    """
    network = VGG19(layers)
    shallow = all("conv4_1" not in name for name in network.steps)
    if shallow and data.find(DATA_SET) is not None:
        _copy_keras(network)
        network.source = "VGG19's own weights (Keras)"
    else:
        _copy_torchvision(network, run)
        network.source = "VGG19, torchvision's weights"
    return network.eval().to(run.device)


def random_vgg19(layers: Sequence[str], run: Run) -> VGG19:
    """Return VGG19 with He's random weights: filters of all kinds, but none that was learned."""
    network = VGG19(layers)
    generator = run.generator(19)
    for step in network.steps.values():
        if isinstance(step, nn.Conv2d):
            std = (2 / (9 * step.in_channels)) ** 0.5
            step.weight.copy_(
                std * torch.randn(step.weight.shape, generator=generator)
            )
            assert step.bias is not None
            step.bias.zero_()
    return network.eval().to(run.device)


def _copy_keras(network: VGG19) -> None:
    """Copy the Keras weights: (3, 3, in, out), made for BGR in 0 .. 255 minus the mean colour.

    The network above divides RGB by the colours' spread. The first layer's weights are turned
    round and scaled accordingly, so that its response is the same number.
    """
    network.mean.copy_(torch.tensor(_KERAS_MEAN).view(3, 1, 1) / 255)
    folder = data.locate(DATA_SET)
    manifest = json.loads((folder / "model.json").read_text(encoding="utf-8"))[
        "weightsManifest"
    ]
    for group in manifest:
        name = group["weights"][0]["name"].split("/")[0]  # block1_conv1
        own = f"conv{name[5]}_{name[-1]}" if name.startswith("block") else ""
        if own not in network.steps:
            continue
        values = np.fromfile(folder / group["paths"][0], dtype="<f4")
        step = network.steps[own]
        assert isinstance(step, nn.Conv2d) and step.bias is not None
        kernel, bias = np.split(values, [step.weight.numel()])
        weight = torch.from_numpy(
            kernel.reshape(3, 3, step.in_channels, step.out_channels).copy()
        )
        weight = weight.permute(3, 2, 0, 1)
        if own == "conv1_1":
            weight = weight.flip(1) * (255 * torch.tensor(_STD)).view(
                1, 3, 1, 1
            )
        step.weight.copy_(weight)
        step.bias.copy_(torch.from_numpy(bias.copy()))


def _copy_torchvision(network: VGG19, run: Run) -> None:
    """Copy torchvision's weights from its cache; download them in profile ``full`` only."""
    from torchvision.models import VGG19_Weights

    weights = VGG19_Weights.IMAGENET1K_V1
    cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    if run.profile != "full" and not cached.exists():
        raise data.DataNotFoundError(
            f"The weights of VGG19 for the layers {', '.join(network.layers)}"
            " are not here. Choose the profile full, which downloads"
            " torchvision's (575 MB), or set LECTURE_DATA_DIR to a folder"
            f" that holds {data.get(DATA_SET).folder} (layers up to relu3_4)."
        )
    # weights_only: nothing in the file is run
    given = weights.get_state_dict(
        progress=run.profile == "full", check_hash=True, weights_only=True
    )
    for index, (_, step) in enumerate(network.steps.items()):
        if isinstance(step, nn.Conv2d):
            step.weight.copy_(given[f"features.{index}.weight"])
            assert step.bias is not None
            step.bias.copy_(given[f"features.{index}.bias"])
