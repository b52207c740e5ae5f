"""SRGAN: a residual network that enlarges by four, and the discriminator that it has to fool."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from lecture_utils.super_resolution.initialisation import pass_through


def _silent_norm(width: int) -> nn.BatchNorm2d:
    """Return a normalisation that starts with the scale 0: what it ends adds nothing at first."""
    layer = nn.BatchNorm2d(width)
    nn.init.zeros_(layer.weight)
    return layer


class ResidualBlock(nn.Module):
    """Two normalised convolutions whose result is added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.PReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            _silent_norm(width),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, width, H, W) to the same shape."""
        change: Tensor = self.body(features)
        return features + change


class SRResNet(nn.Module):
    """The generator: residual blocks on the LR grid, then two doublings by pixel shuffle.

    Source: C. Ledig et al., "Photo-realistic single image super-resolution using a generative
    adversarial network", CVPR 2017, figure 4. Trained with the MSE alone it is SRResNet, trained
    against the discriminator it is the generator of SRGAN. It starts as bi-linear interpolation.

    Parameters
    ----------
    blocks
        The number B of residual blocks.
    width
        Feature maps of each block.
    """

    interpolated = False  # the input is the LR image itself

    def __init__(self, blocks: int = 16, width: int = 64) -> None:
        super().__init__()
        first = nn.Conv2d(3, width, 9, padding=4)
        self.first = nn.Sequential(first, nn.PReLU())
        self.blocks = nn.Sequential(
            *[ResidualBlock(width) for _ in range(blocks)]
        )
        self.after = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            _silent_norm(width),
        )
        doublings: list[nn.Module] = []
        for _ in range(2):
            layer = nn.Conv2d(width, 4 * width, 3, padding=1)
            _double(layer, 3)
            doublings += [layer, nn.PixelShuffle(2), nn.PReLU()]
        self.enlarge = nn.Sequential(*doublings)
        self.last = nn.Conv2d(width, 3, 9, padding=4)
        nn.init.normal_(self.last.weight, std=1e-3)
        for layer in (first, self.last):
            pass_through(layer, 3)

    def forward(self, low: Tensor) -> Tensor:
        """Map LR colour images (N, 3, H, W) in [0, 1] to (N, 3, 4 H, 4 W)."""
        shallow = self.first(low)
        deep = self.after(self.blocks(shallow))
        estimate: Tensor = self.last(self.enlarge(shallow + deep))
        return estimate


@torch.no_grad()
def _double(layer: nn.Conv2d, channels: int) -> None:
    """Let the first channels, after the pixel shuffle, be the input's, bi-linearly enlarged by two."""
    lines = torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.75, 0.25]])
    kernels = torch.einsum("ax,by->abxy", lines, lines).reshape(4, 3, 3)
    layer.weight[: 4 * channels] = 0
    for channel in range(channels):
        layer.weight[4 * channel : 4 * channel + 4, channel] = kernels
    assert layer.bias is not None
    layer.bias[: 4 * channels] = 0


class Discriminator(nn.Module):
    """Tells HR from super-resolved images: strided convolutions in place of pooling.

    Source: Ledig et al., CVPR 2017, figure 4. The paper's two dense layers see one fixed size
    (96 x 96); here the last features are averaged over the image first, which allows any size and
    saves 18 million weights.

    Parameters
    ----------
    width
        Feature maps of the first layer, doubled three times: 64 in the paper.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(3, width, 3, padding=1),
            nn.LeakyReLU(0.2),
        ]
        widths = [
            width,
            width,
            2 * width,
            2 * width,
            4 * width,
            4 * width,
            8 * width,
            8 * width,
        ]
        for index, (n_in, n_out) in enumerate(pairwise(widths)):
            layers += [
                nn.Conv2d(
                    n_in, n_out, 3, stride=2 - index % 2, padding=1, bias=False
                ),
                nn.BatchNorm2d(n_out),
                nn.LeakyReLU(0.2),
            ]
        self.features = nn.Sequential(*layers)
        self.decide = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8 * width, 16 * width),
            nn.LeakyReLU(0.2),
            nn.Linear(16 * width, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) in [0, 1] to logits (N, 1): log D / (1 - D), high for real."""
        logits: Tensor = self.decide(self.features(images))
        return logits
