"""A normalising flow: explicit density, tractable, by a change of variables.

An invertible network f maps images to codes of the same size, which are made
standard normal: p(x) = N(f(x); 0, I) |det df/dx|. A coupling layer leaves one
half of the entries as they are and scales and shifts the other half by what a
network says about the first. So it is inverted without inverting the network,
and its Jacobian is triangular: the determinant is the product of the scales.

Source: L. Dinh, J. Sohl-Dickstein and S. Bengio, "Density estimation using
real NVP", ICLR 2017.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Coupling(nn.Module):
    """z = x where kept, and x exp(s(kept)) + t(kept) elsewhere.

    Parameters
    ----------
    kept
        Which entries are left as they are; booleans, shape (n,).
    hidden
        Units in each of the two hidden layers.
    """

    def __init__(self, kept: Tensor, hidden: int) -> None:
        super().__init__()
        self.kept: Tensor
        self.register_buffer("kept", kept.float())
        last = nn.Linear(hidden, 2 * len(kept))
        nn.init.zeros_(last.weight)  # the layer starts as the identity
        nn.init.zeros_(last.bias)
        self.network = nn.Sequential(
            nn.Linear(len(kept), hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            last,
        )

    def scale_and_shift(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return log scales, between -2 and 2, and shifts: (N, n) each."""
        scale, shift = self.network(x * self.kept).chunk(2, dim=1)
        moved = 1 - self.kept
        return 2 * torch.tanh(scale / 2) * moved, shift * moved

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return z, (N, n), and log |det dz/dx|, (N,)."""
        scale, shift = self.scale_and_shift(x)
        return x * scale.exp() + shift, scale.sum(1)

    def inverse(self, z: Tensor) -> Tensor:
        """Return the x that `forward` maps to z."""
        scale, shift = self.scale_and_shift(z)  # z and x agree where kept
        return (z - shift) * (-scale).exp()


class Flow(nn.Module):
    """Coupling layers, each of which keeps what the one before it moved.

    Parameters
    ----------
    size
        Entries of an image, n.
    layers
        Coupling layers.
    hidden
        Units in each hidden layer of a coupling.
    """

    def __init__(self, size: int, layers: int = 8, hidden: int = 64) -> None:
        super().__init__()
        self.size = size
        random = torch.Generator().manual_seed(0)
        couplings = []
        for k in range(layers):
            if k % 2 == 0:  # another half for each pair of layers
                kept = torch.randperm(size, generator=random) % 2 == 0
            couplings.append(Coupling(kept if k % 2 == 0 else ~kept, hidden))
        self.couplings = nn.ModuleList(couplings)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the codes z = f(x), (N, n), and log |det df/dx|, (N,)."""
        log_det = x.new_zeros(len(x))
        for coupling in self.couplings:
            x, change = coupling(x)
            log_det = log_det + change
        return x, log_det

    def inverse(self, z: Tensor) -> Tensor:
        """Return the images x with f(x) = z."""
        for coupling in reversed(self.couplings):
            z = coupling.inverse(z)  # type: ignore[operator]
        return z

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x) in nats: (N, n) to (N,)."""
        z, log_det = self.forward(x)
        normal = -0.5 * (z.square() + math.log(2 * math.pi)).sum(1)
        return normal + log_det

    @torch.no_grad()
    def sample(self, count: int) -> Tensor:
        """Draw (count, n): one pass of the inverse."""
        device = next(self.parameters()).device
        return self.inverse(torch.randn(count, self.size, device=device))
