"""A diffusion model: noise is added step by step, and a network takes it away.

The forward process makes z_t = a_t x + s_t e of an image x, with noise
e ~ N(0, I), a_t^2 + s_t^2 = 1 and t from 0 (the image) to 1 (noise). A network
that predicts e from z_t estimates the score, since the gradient of log p(z_t)
is -E[e | z_t] / s_t. Sampling goes back from noise, a little at each step.

Sources: P. Vincent, "A connection between score matching and denoising
autoencoders", Neural Computation 2011; J. Ho, A. Jain and P. Abbeel,
"Denoising diffusion probabilistic models", NeurIPS 2020; D. Kingma et al.,
"Variational diffusion models", NeurIPS 2021 (the bound).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Diffusion(nn.Module):
    """A network that predicts the noise in z_t, with what it is used for.

    Parameters
    ----------
    size
        Entries of an image, n.
    hidden
        Units in each of the three hidden layers.
    steps
        Steps from noise to image, T.
    """

    def __init__(self, size: int, hidden: int = 128, steps: int = 100) -> None:
        super().__init__()
        self.size, self.steps = size, steps
        self.network = nn.Sequential(
            nn.Linear(size + 8, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, size),
        )

    @staticmethod
    def levels(t: Tensor) -> tuple[Tensor, Tensor]:
        """Return a_t and s_t of the cosine schedule, from nearly 1 to 0."""
        angle = (0.02 + 0.97 * t) * math.pi / 2
        return angle.cos(), angle.sin()

    def noise(self, z: Tensor, t: Tensor) -> Tensor:
        """Predict e from z_t, (N, n), and t, (N, 1)."""
        turns = math.tau * t * torch.tensor([0.25, 0.5, 1.0, 2.0]).to(t)
        inputs = torch.cat([z, turns.sin(), turns.cos()], dim=1)
        predicted: Tensor = self.network(inputs)
        return predicted

    def loss(self, x: Tensor) -> Tensor:
        """Return the mean squared error of the noise at random times."""
        t = torch.rand(len(x), 1).to(x)
        e = torch.randn_like(x)
        a, s = self.levels(t)
        return (self.noise(a * x + s * e, t) - e).square().mean()

    def denoised(self, z: Tensor, t: Tensor) -> Tensor:
        """Return the expected image, (z_t - s_t e) / a_t."""
        a, s = self.levels(t)
        return (z - s * self.noise(z, t)) / a

    @torch.no_grad()
    def sample(self, count: int) -> Tensor:
        """Draw (count, n) from noise in T steps."""
        z = torch.randn(count, self.size).to(next(self.parameters()))
        for k in range(self.steps, 0, -1):
            t = torch.full_like(z[:, :1], k / self.steps)
            u = t - 1 / self.steps
            x = self.denoised(z, t)
            mean, width = self._back(x, z, t, u)
            z = mean + width * torch.randn_like(z)
        return self.denoised(z, u)

    def _back(
        self, x: Tensor, z: Tensor, t: Tensor, u: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return mean and width of z_u given z_t and the image, u before t."""
        (a, s), (b, r) = self.levels(t), self.levels(u)
        step = a / b
        added = s.square() - (step * r).square()  # variance from u to t
        mean = (step * r.square() * z + b * added * x) / s.square()
        return mean, r * added.sqrt() / s

    @torch.no_grad()
    def bound(self, x: Tensor) -> Tensor:
        """Estimate a lower bound of log p(x) in nats, (N,), with T draws each.

        It is that of the chain with infinitely many steps, in three parts:
        the last state is nearly N(0, I); the steps back differ from the true
        ones by half the integral of the noise's squared error over the
        logarithm of a_t^2 / s_t^2; and the first state tells the image up to
        noise s_0 / a_0.
        """
        one = torch.ones_like(x[:, :1])
        a, s = self.levels(one)
        mean, variance = a * x, s.square()
        total = 0.5 * (mean.square() + variance - 1 - variance.log()).sum(1)
        for k in range(self.steps):  # a random time in each T-th part
            t = (k + torch.rand_like(one)) / self.steps
            a, s = self.levels(t)
            e = torch.randn_like(x)
            error = (self.noise(a * x + s * e, t) - e).square()
            slope = 0.97 * math.pi / (a * s)  # of the logarithm, downwards
            total += (0.5 * slope * error).sum(1) / self.steps
        a, s = self.levels(0 * one)
        entropy = 0.5 + (s / a * math.tau**0.5).log()  # of noise s_0 / a_0
        bound: Tensor = -entropy.sum(1) * x.shape[1] - total
        return bound
