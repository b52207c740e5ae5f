"""DCGAN: a generator and a discriminator made of strided convolutions, and what has been learned since.

Source: A. Radford, L. Metz and S. Chintala, "Unsupervised representation learning with deep
convolutional generative adversarial networks", ICLR 2016. Images are in [0, 1] on both sides; inside,
the networks work in [-1, 1], where the paper's tanh lives.
"""

from __future__ import annotations

from itertools import pairwise
from math import log2
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LATENT = 100
Enlarge = Literal["transposed", "interpolated"]


def widths(size: int, width: int) -> list[int]:
    """Return the channels of the maps of 4 x 4, 8 x 8, ... pixels: halved at each doubling.

    Parameters
    ----------
    size
        Height and width of the image: 8, 16, 32, ...
    width
        Channels of the largest map, of half the image's size.

    Raises
    ------
    ValueError
        If the size is not one of these.
    """
    doublings = log2(size / 4)
    if doublings < 1 or doublings % 1:
        raise ValueError(
            f"The images have {size} x {size} pixels; DCGAN doubles 4 x 4"
            " several times, so it needs 8, 16, 32, 64, ..."
        )
    return [width << k for k in reversed(range(int(doublings)))]


class Generator(nn.Module):
    """Codes become maps of 4 x 4, which are doubled until they are images.

    Parameters
    ----------
    size, channels
        Of the images: ``size`` x ``size`` pixels of ``channels`` colours.
    width
        Channels of the largest map; the paper has 128.
    latent
        Numbers in a code.
    enlarge
        How a map is doubled: ``transposed``, a convolution of 4 x 4 with fractional stride, as in
        the paper, or ``interpolated``, bi-linearly, followed by a convolution of 3 x 3.
    normalised
        Whether batch normalisation follows each layer but the last.
    hidden
        Units of a fully connected layer at the input, which the paper advises against; 0 for none.
    """

    def __init__(
        self,
        size: int = 64,
        width: int = 48,
        *,
        channels: int = 3,
        latent: int = LATENT,
        enlarge: Enlarge = "transposed",
        normalised: bool = True,
        hidden: int = 0,
    ) -> None:
        super().__init__()
        self.latent = latent
        maps = widths(size, width)
        self.enter: nn.Module = nn.Identity()
        if hidden:
            self.enter = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU())
        first = nn.ConvTranspose2d(hidden or latent, maps[0], 4, bias=False)
        layers: list[nn.Module] = [first, *_norm(maps[0], normalised)]
        for n_in, n_out in pairwise([*maps, channels]):
            layers.append(nn.ReLU())
            last = n_out == channels
            if enlarge == "interpolated":
                layers.append(nn.Upsample(scale_factor=2, mode="bilinear"))
                layers.append(nn.Conv2d(n_in, n_out, 3, padding=1, bias=last))
            else:
                layers.append(
                    nn.ConvTranspose2d(n_in, n_out, 4, 2, 1, bias=last)
                )
            if not last:
                layers += _norm(n_out, normalised)
        self.layers = nn.Sequential(*layers)
        initialise(self)

    def forward(self, z: Tensor) -> Tensor:
        """Map codes (N, latent) to images (N, channels, size, size) in [0, 1]."""
        x = self.enter(z)[:, :, None, None]  # (N, latent, 1, 1)
        x = x.contiguous(memory_format=torch.channels_last)
        images: Tensor = self.layers(x)
        return (torch.tanh(images.float()) + 1) / 2


class Discriminator(nn.Module):
    """Images shrink by strided convolutions to 4 x 4 maps, whose weighted sum is the logit.

    Parameters
    ----------
    size, channels, width
        As the generator's.
    normalised
        Whether batch normalisation follows each layer but the first and the last.
    pooling
        Whether the convolutions keep the size and maxima halve it, which the paper advises against.
    hidden
        Units of a fully connected layer before the last, as in `Generator`.
    slope
        The rectifiers' slope on the negative side.
    """

    def __init__(
        self,
        size: int = 64,
        width: int = 48,
        *,
        channels: int = 3,
        normalised: bool = True,
        pooling: bool = False,
        hidden: int = 0,
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        maps = widths(size, width)[::-1]
        self.stages = nn.ModuleList()
        for n_in, n_out in pairwise([channels, *maps]):
            inner = normalised and n_in != channels
            stage: list[nn.Module] = (
                [nn.Conv2d(n_in, n_out, 3, padding=1), nn.MaxPool2d(2)]
                if pooling
                else [nn.Conv2d(n_in, n_out, 4, 2, 1)]
            )
            self.stages.append(
                nn.Sequential(
                    *stage, *_norm(n_out, inner), nn.LeakyReLU(slope)
                )
            )
        self.decide = nn.Sequential(
            nn.Flatten(), nn.Linear(16 * maps[-1], hidden or 1)
        )
        if hidden:
            self.decide.extend([nn.LeakyReLU(slope), nn.Linear(hidden, 1)])
        initialise(self, fixed=normalised)

    def maps(self, images: Tensor) -> list[Tensor]:
        """Return the features of every stage, (N, width, size/2, size/2) to (N, 8 width, 4, 4)."""
        x = (2 * images - 1).contiguous(memory_format=torch.channels_last)
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, channels, size, size) in [0, 1] to logits (N, 1), high for real."""
        logits: Tensor = self.decide(self.maps(images)[-1])
        return logits.float()

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """Return the largest responses on a grid of 4 x 4 in every stage, (N, 16 x all channels).

        Source: Radford et al., section 5.1, where a linear classifier sees these.
        """
        pooled = [F.adaptive_max_pool2d(m, 4) for m in self.maps(images)]
        return torch.cat([p.flatten(1) for p in pooled], dim=1)


def _norm(width: int, wanted: bool) -> list[nn.Module]:
    """Return a normalisation to be put after a layer, or none."""
    return [nn.BatchNorm2d(width)] if wanted else []


@torch.no_grad()
def initialise(network: nn.Module, *, fixed: bool = True) -> None:
    """Draw weights as the paper does, with a standard deviation of 0.02, or as He does.

    Without normalisation 0.02 would let the signal fade from layer to layer.
    """
    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    for layer in network.modules():
        if isinstance(layer, kinds):
            if fixed:
                nn.init.normal_(layer.weight, std=0.02)
            else:
                nn.init.kaiming_normal_(layer.weight, a=0.2)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1, 0.02)


class Augmented(nn.Module):
    """A discriminator that never sees an image as it is: light, colours and place vary at random.

    Real and made images are changed alike, and differentiably, so the generator has nothing to gain
    by making changed ones. It keeps a discriminator of a few thousand images from learning them by
    heart. Sources: S. Zhao et al., "Differentiable augmentation for data-efficient GAN training",
    NeurIPS 2020; T. Karras et al., "Training generative adversarial networks with limited data",
    NeurIPS 2020.

    Parameters
    ----------
    discriminator
        Maps images to logits.

    Attributes
    ----------
    amount
        From 0 (nothing is changed) to 1: brightness by up to 0.25, saturation from none to twice,
        contrast from half to one and a half, and a shift by an eighth of the image.
    """

    def __init__(self, discriminator: nn.Module, amount: float = 0.0) -> None:
        super().__init__()
        self.discriminator = discriminator
        self.amount = amount

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) in [0, 1] to the logits (N, 1) of changed ones."""
        if self.training and self.amount:
            images = augment(images, self.amount)
        logits: Tensor = self.discriminator(images)
        return logits


def augment(images: Tensor, amount: float) -> Tensor:
    """Change light, colours and place of each image at random; see `Augmented`."""

    def random() -> Tensor:  # one number an image, in [-amount, amount]
        draw = torch.rand(len(images), 1, 1, 1, device=images.device)
        return amount * (2 * draw - 1)

    x = images + 0.25 * random()
    grey = x.mean(1, keepdim=True)
    x = grey + (1 + random()) * (x - grey)
    middle = x.mean((1, 2, 3), keepdim=True)
    x = middle + (1 + 0.5 * random()) * (x - middle)
    size = x.shape[-1]
    reach = round(amount * size / 8)
    padded = F.pad(x, (reach,) * 4, mode="replicate")
    places = torch.randint(2 * reach + 1, (len(x), 2)).tolist()
    # Cut out of each image by itself: the gradient then costs as little.
    return torch.stack(
        [
            image[:, top : top + size, left : left + size]
            for image, (top, left) in zip(padded.unbind(), places, strict=True)
        ]
    )


def transposed_matrix(kernel: Tensor, length: int, stride: int = 2) -> Tensor:
    """Return the matrix of a one-dimensional convolution with a stride, whose transpose enlarges.

    Parameters
    ----------
    kernel
        Its m taps; in front is a margin of (m - stride) / 2 zeros, rounded down, and the length is
        divided by the stride.
    length
        Numbers that come in, a multiple of the stride.
    stride
        How far the kernel moves.

    Returns
    -------
    (length / stride, length): row k holds the kernel, moved by k times the stride.
    """
    margin = (len(kernel) - stride) // 2
    matrix = kernel.new_zeros(length // stride, length + len(kernel))
    for k in range(len(matrix)):
        matrix[k, k * stride : k * stride + len(kernel)] = kernel
    return matrix[:, margin : margin + length]


def slerp(start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """Return codes on the great circle from one code to another, their lengths interpolated, too.

    Source: T. White, "Sampling generative networks", 2016.

    Parameters
    ----------
    start, end
        Codes (latent,).
    share
        How far along, (T,), in 0 .. 1.

    Returns
    -------
    Codes (T, latent).
    """
    lengths = start.norm(), end.norm()
    a, b = start / lengths[0], end / lengths[1]
    angle = torch.acos((a @ b).clip(-1, 1))
    t = share[:, None]
    if angle < 1e-4:  # nearly one direction: the chord is the arc
        direction = (1 - t) * a + t * b
    else:
        sine = ((1 - t) * angle).sin() * a + (t * angle).sin() * b
        direction = sine / angle.sin()
    codes: Tensor = direction * ((1 - t) * lengths[0] + t * lengths[1])
    return codes
