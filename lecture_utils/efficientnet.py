"""EfficientNet-Lite0: a small classifier of photographs, whose features judge generated images."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lecture_utils import data
from lecture_utils.runtime import Run

DATA_SET = "efficientnet_lite0"
SIZE = 224  # height and width that the weights were trained for
FEATURES = 1280
# For each stage: blocks, filter, stride of the first block, how many times
# more channels inside a block than before it, channels after it.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's ``SAME``: of an odd margin, the larger part is behind."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', ceil(H / stride), ceil(W / stride))."""
        stride, size = self.stride[0], self.kernel_size[0]
        margins: list[int] = []
        for length in (x.shape[-1], x.shape[-2]):
            steps = -(-length // stride)
            missing = max((steps - 1) * stride + size - length, 0)
            margins += [missing // 2, missing - missing // 2]
        return super().forward(F.pad(x, margins))


def _layer(
    n_in: int, n_out: int, size: int = 1, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Return a convolution and its normalisation."""
    return nn.Sequential(
        SameConv(n_in, n_out, size, stride, groups=groups, bias=False),
        nn.BatchNorm2d(n_out, eps=1e-3),
    )


class Block(nn.Module):
    """More channels, a filter in each channel, fewer channels; and what came in is added to it."""

    def __init__(
        self, n_in: int, n_out: int, size: int, stride: int, expand: int
    ) -> None:
        super().__init__()
        inside = expand * n_in
        self.expand = _layer(n_in, inside) if expand > 1 else None
        self.depthwise = _layer(inside, inside, size, stride, groups=inside)
        self.project = _layer(inside, n_out)
        self.adds = stride == 1 and n_in == n_out

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, n_in, H, W) to (N, n_out, H / stride, W / stride)."""
        inside = x if self.expand is None else F.relu6(self.expand(x))
        y: Tensor = self.project(F.relu6(self.depthwise(inside)))
        return x + y if self.adds else y


class EfficientNetLite0(nn.Module):
    """The classifier of ImageNet's 1,000 classes, and its last features.

    Sources: M. Tan and Q. Le, "EfficientNet: rethinking model scaling for convolutional neural
    networks", ICML 2019; its variants Lite leave out squeeze-and-excitation and have ReLU6.

    Attributes
    ----------
    source
        Where the weights come from, in words.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = _layer(3, 32, 3, 2)
        blocks, n_in = [], 32
        for number, size, stride, expand, n_out in STAGES:
            for k in range(number):
                step = stride if k == 0 else 1
                blocks.append(Block(n_in, n_out, size, step, expand))
                n_in = n_out
        self.blocks = nn.Sequential(*blocks)
        self.head = _layer(n_in, FEATURES)
        self.classify = nn.Linear(FEATURES, 1000)
        self.source = "EfficientNet-Lite0, random weights"
        self.requires_grad_(False)

    def features(self, images: Tensor, size: int = SIZE) -> Tensor:
        """Return the means of the last feature maps, (N, 1280).

        Parameters
        ----------
        images
            RGB (N, 3, H, W) in [0, 1], brought to ``size`` x ``size`` bi-linearly.
        size
            `SIZE` is what the network was trained for; fewer pixels cost less.
        """
        if images.shape[-2:] != (size, size):
            images = F.interpolate(
                images, (size, size), mode="bilinear", antialias=True
            )
        x = (255 * images - 127) / 128
        x = x.contiguous(memory_format=torch.channels_last)
        x = self.blocks(F.relu6(self.stem(x)))  # (N, 320, size/32, size/32)
        means: Tensor = F.relu6(self.head(x)).mean((2, 3))
        return means

    def forward(self, images: Tensor) -> Tensor:
        """Map RGB images (N, 3, H, W) in [0, 1] to logits (N, 1000) in ImageNet's order."""
        logits: Tensor = self.classify(self.features(images))
        return logits


def load_efficientnet(run: Run) -> EfficientNetLite0:
    """Return the network with the data folder's weights, on the run's device, in evaluation mode.

    Raises
    ------
    DataNotFoundError
        If the weights are not there.
    DataCorruptError
        If the file lacks some of them.
    """
    from safetensors import safe_open

    path = data.locate(DATA_SET, run) / "efficientnet_lite0.safetensors"
    with safe_open(str(path), "pt") as file:
        given = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
    network = EfficientNetLite0()
    try:
        network.load_state_dict(
            {_own_name(key): value for key, value in given.items()}
        )
    except (RuntimeError, KeyError) as error:
        raise data.DataCorruptError(
            f"The weights in {path} are not those of EfficientNet-Lite0:"
            f" {error}. Check them with `python -m lecture_utils data check"
            f" {DATA_SET}`."
        ) from error
    network.source = "EfficientNet-Lite0"
    return network.eval().to(run.device)


def random_efficientnet(run: Run) -> EfficientNetLite0:
    """Return the network with random weights: for trying a recipe, not for judging."""
    network = EfficientNetLite0()
    generator = run.generator(20)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            fan_in = layer.weight[0].numel()
            layer.weight.copy_(
                (2 / fan_in) ** 0.5
                * torch.randn(layer.weight.shape, generator=generator)
            )
    return network.eval().to(run.device)


_TOP = {
    "_conv_stem": "stem.0",
    "_bn0": "stem.1",
    "_conv_head": "head.0",
    "_bn1": "head.1",
    "_fc": "classify",
}
_INSIDE = {
    "_expand_conv": "expand.0",
    "_bn0": "expand.1",
    "_depthwise_conv": "depthwise.0",
    "_bn1": "depthwise.1",
    "_project_conv": "project.0",
    "_bn2": "project.1",
}


def _own_name(key: str) -> str:
    """Return the name that a tensor of the published file has in this module."""
    words = key.split(".")
    if words[0] == "_blocks":
        return ".".join(["blocks", words[1], _INSIDE[words[2]], *words[3:]])
    return ".".join([_TOP[words[0]], *words[1:]])
