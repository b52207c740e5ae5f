"""A variational auto-encoder: explicit density, known by a lower bound.

A code z ~ N(0, I) is decoded to a Gaussian of images, p(x|z). The density
p(x), an integral over all codes, cannot be computed, but an encoder q(z|x)
that says which codes may have made x bounds it from below (the ELBO):
log p(x) >= E_q[log p(x|z)] - KL(q(z|x) || N(0, I)).

Sources: D. Kingma and M. Welling, "Auto-encoding variational Bayes", ICLR
2014; Y. Burda, R. Grosse and R. Salakhutdinov, "Importance weighted
autoencoders", ICLR 2016 (the estimate of log p(x) by importance sampling).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence


class VariationalAutoEncoder(nn.Module):
    """Encoder and decoder with Gaussian outputs.

    Parameters
    ----------
    size, codes
        Entries of an image, n, and of a code, k.
    hidden
        Units in each hidden layer.
    """

    def __init__(self, size: int, codes: int, hidden: int = 128) -> None:
        super().__init__()
        self.codes = codes

        def network(inputs: int, outputs: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Linear(inputs, hidden),
                nn.ReLU(),
                nn.Linear(hidden, hidden),
                nn.ReLU(),
                nn.Linear(hidden, 2 * outputs),
            )

        self.encoder, self.decoder = network(size, codes), network(codes, size)

    def encode(self, x: Tensor) -> Normal:
        """Return q(z|x): (N, n) to a Gaussian of shape (N, k)."""
        mean, log_width = self.encoder(x).chunk(2, dim=-1)
        return Normal(mean, log_width.clamp(-7, 2).exp())

    def decode(self, z: Tensor) -> Normal:
        """Return p(x|z): (..., k) to a Gaussian of shape (..., n)."""
        mean, log_width = self.decoder(z).chunk(2, dim=-1)
        # A width of 0.02 at least, as in the autoregressive model.
        return Normal(mean, log_width.clamp(math.log(0.02), 1).exp())

    def elbo(self, x: Tensor, weight: float = 1.0) -> Tensor:
        """Return the lower bound of log p(x) in nats, from one code each.

        A ``weight`` of the divergence below 1 at the start of a training
        keeps the codes in use: before the decoder can read them, it is
        cheapest that they say nothing.
        """
        q = self.encode(x)
        z = q.rsample()  # mean + width * noise: gradients reach the encoder
        reconstruction = _log_prob(self.decode(z), x)
        divergence = kl_divergence(q, Normal(0.0, 1.0)).sum(1)
        return reconstruction - weight * divergence

    @torch.no_grad()
    def log_prob(self, x: Tensor, draws: int = 1000) -> Tensor:
        """Estimate log p(x) = log E_q[p(x|z) p(z) / q(z|x)] by ``draws`` codes.

        The estimate is too small on average, the less the more draws.
        """
        q = self.encode(x)
        z = q.rsample((draws,))  # (draws, N, k)
        prior = Normal(torch.zeros_like(q.mean), torch.ones_like(q.mean))
        weights = (
            _log_prob(self.decode(z), x)
            + _log_prob(prior, z)
            - _log_prob(q, z)
        )
        return weights.logsumexp(0) - math.log(draws)

    @torch.no_grad()
    def sample(self, count: int) -> Tensor:
        """Draw (count, n): a code, and then an image of its Gaussian."""
        device = next(self.parameters()).device
        z = torch.randn(count, self.codes, device=device)
        return self.decode(z).rsample()


def _log_prob(density: Normal, x: Tensor) -> Tensor:
    logs: Tensor = density.log_prob(x)  # type: ignore[no-untyped-call]
    return logs.sum(-1)
