"""The first generative adversarial networks: the game in the plane, digits, and small photographs.

Sources: I. Goodfellow et al., "Generative adversarial nets", NIPS 2014; the ring of Gaussians and
the counting of its modes are those of A. Srivastava et al., "VEEGAN", NIPS 2017.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

MODES = 8
SPREAD = 0.1  # standard deviation of each Gaussian; the ring's radius is 2
RADIUS = 2.0
SIGMAS = [10 ** (k / 10 - 1.5) for k in range(16)]  # of Parzen windows


def ring_centres(modes: int = MODES) -> Tensor:
    """Return the centres of the ring's Gaussians, shape (modes, 2)."""
    angle = torch.arange(modes) * (2 * math.pi / modes)
    return RADIUS * torch.stack([angle.cos(), angle.sin()], dim=1)


def ring(count: int, generator: torch.Generator, modes: int = MODES) -> Tensor:
    """Draw points of the plane from a ring of Gaussians, shape (count, 2).

    Parameters
    ----------
    count
        How many points.
    generator
        Draws them, on the CPU.
    modes
        How many Gaussians, all with the same weight.
    """
    which = torch.randint(modes, (count,), generator=generator)
    noise = torch.randn(count, 2, generator=generator)
    return ring_centres(modes)[which] + SPREAD * noise


def two_moons(count: int, generator: torch.Generator) -> Tensor:
    """Draw points of the plane from two interleaved half circles, shape (count, 2).

    Parameters
    ----------
    count, generator
        As in `ring`.
    """
    angle = math.pi * torch.rand(count, generator=generator)
    second = torch.randint(2, (count,), generator=generator)
    sign = 1 - 2 * second
    x = 1.5 * (sign * angle.cos() + second - 0.5)
    y = 1.5 * (sign * angle.sin() + 0.5 * second - 0.25)
    noise = torch.randn(count, 2, generator=generator)
    return torch.stack([x, y], dim=1) + SPREAD * noise


def modes_of(points: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """Return each point's nearest mode, (N,), and whether it lies within 3 `SPREAD` of its centre."""
    distance, nearest = torch.cdist(points, centres).min(1)
    return nearest, distance < 3 * SPREAD


def mode_report(points: Tensor, centres: Tensor) -> dict[str, float]:
    """Measure which modes a generator has found.

    Parameters
    ----------
    points
        Made points, (N, 2); some thousands.
    centres
        The modes' centres, (K, 2), all of the same weight.

    Returns
    -------
    ``modes``: how many have at least a quarter of their share 1 / K of the points, within 3
    standard deviations; ``near``: the share of the points that lie so near to any; ``reverse_kl``:
    the divergence sum q log(K q) of the shares q of the nearest modes from equal shares, 0 to log K.
    """
    nearest, near = modes_of(points, centres)
    found = torch.bincount(nearest[near], minlength=len(centres))
    share = torch.bincount(nearest, minlength=len(centres)) / len(points)
    enough = found >= 0.25 * len(points) / len(centres)
    return {
        "modes": float(enough.sum()),
        "near": float(near.float().mean()),
        "reverse_kl": float(torch.xlogy(share, share * len(centres)).sum()),
    }


def perceptron(
    sizes: Sequence[int], *, slope: float = 0.2, dropout: float = 0.0
) -> nn.Sequential:
    """Return a fully connected network with leaky rectifiers between its layers.

    Parameters
    ----------
    sizes
        Numbers of inputs, of hidden units of each layer, and of outputs.
    slope
        The rectifiers' slope on the negative side.
    dropout
        Share of the hidden units that are switched off at random while training.
    """
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.LeakyReLU(slope)]
        if dropout:
            layers.append(nn.Dropout(dropout))
    last = max(
        i for i, layer in enumerate(layers) if isinstance(layer, nn.Linear)
    )
    return nn.Sequential(*layers[: last + 1])


class Centred(nn.Module):
    """Maps [0, 1] to [-1, 1]: what a discriminator sees should have a mean near zero."""

    def forward(self, images: Tensor) -> Tensor:
        """Return 2 x - 1."""
        return 2 * images - 1


def fully_connected_generator(
    shape: Sequence[int], latent: int, hidden: Sequence[int]
) -> nn.Sequential:
    """Return a network that maps codes (N, latent) to images (N, C, H, W) in [0, 1].

    Parameters
    ----------
    shape
        Of an image, (C, H, W).
    latent
        Numbers in a code.
    hidden
        Units of each hidden layer.
    """
    body = perceptron([latent, *hidden, math.prod(shape)])
    return nn.Sequential(*body, nn.Sigmoid(), nn.Unflatten(1, tuple(shape)))


def fully_connected_discriminator(
    shape: Sequence[int], hidden: Sequence[int], dropout: float = 0.0
) -> nn.Sequential:
    """Return a network that maps images (N, C, H, W) in [0, 1] to logits (N, 1).

    Parameters
    ----------
    shape, hidden
        As in `fully_connected_generator`.
    dropout
        Share of the hidden units that are switched off at random while training.
    """
    body = perceptron([math.prod(shape), *hidden, 1], dropout=dropout)
    return nn.Sequential(Centred(), nn.Flatten(), *body)


class Likelihood(NamedTuple):
    """The mean log-likelihood of a Parzen window in nats, its standard error, and the width sigma."""

    value: float
    error: float
    sigma: float


def parzen(
    samples: Tensor,
    validation: Tensor,
    test: Tensor,
    sigmas: Sequence[float] = SIGMAS,
) -> Likelihood:
    """Return how likely test images are under Gaussians of one width around the samples.

    The width is the one that suits the validation images best. Sources: O. Breuleux, Y. Bengio and
    P. Vincent, Neural Computation 2011; Goodfellow et al. 2014, section 5, whose measure it is.

    Parameters
    ----------
    samples
        What a generator made, (N, ...).
    validation, test
        Real images of the same shape that it has not seen, (V, ...) and (M, ...).
    sigmas
        The widths to choose from; 0.03 to 1 without it.
    """
    n = samples[0].numel()

    def squares(images: Tensor) -> Tensor:
        return torch.cdist(
            images.flatten(1).double(), samples.flatten(1).double()
        ).square()

    def log_likelihood(squared: Tensor, sigma: float) -> Tensor:
        kernels = (squared / (-2 * sigma**2)).logsumexp(1)
        normaliser = n / 2 * math.log(2 * math.pi * sigma**2)
        return kernels - normaliser - math.log(len(samples))

    near = squares(validation)
    sigma = max(sigmas, key=lambda s: float(log_likelihood(near, s).mean()))
    values = log_likelihood(squares(test), sigma)
    return Likelihood(
        float(values.mean()), float(values.std() / len(values) ** 0.5), sigma
    )
