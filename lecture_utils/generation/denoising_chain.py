"""A generative stochastic network: implicit density, by a Markov chain.

A network learns to undo noise: it gives a Gaussian p(x | y) of the images x
that may lie behind a noisy y. Noise and guess in turn make a chain whose
states, after a while, are samples of what was learned; no density is written
down.

Source: Y. Bengio et al., "Deep generative stochastic networks trainable by
backprop", ICML 2014.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.distributions import Normal


class DenoisingChain(nn.Module):
    """The network that guesses the image behind a noisy one.

    Parameters
    ----------
    size
        Entries of an image, n.
    noise
        Standard deviation of the noise.
    hidden
        Units in each of the two hidden layers.
    """

    def __init__(self, size: int, noise: float, hidden: int = 128) -> None:
        super().__init__()
        self.size, self.noise = size, noise
        self.network = nn.Sequential(
            nn.Linear(size, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 2 * size),
        )

    def guess(self, y: Tensor) -> Normal:
        """Return p(x | y): (N, n) to a Gaussian of shape (N, n)."""
        mean, log_width = self.network(y).chunk(2, dim=1)
        return Normal(mean, log_width.clamp(math.log(0.02), 1).exp())

    def loss(self, x: Tensor) -> Tensor:
        """Return the mean of -log p(x | x + noise) in nats."""
        y = x + self.noise * torch.randn_like(x)
        logs: Tensor = self.guess(y).log_prob(x)  # type: ignore[no-untyped-call]
        return -logs.sum(1).mean()

    @torch.no_grad()
    def sample(self, count: int, steps: int = 200) -> Tensor:
        """Run ``count`` chains from noise; return their last states."""
        x = torch.randn(count, self.size).to(next(self.parameters()))
        for _ in range(steps):
            y = x + self.noise * torch.randn_like(x)
            x = self.guess(y).rsample()
        return x
