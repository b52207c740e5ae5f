"""A Boltzmann machine: explicit density up to a factor, by a Markov chain.

The restricted machine with Gaussian visible units v, (n,), and binary hidden
units h, (m,), has p(v, h) = exp(-E(v, h)) / Z with
E(v, h) = |v - b|^2 / (2 s^2) - c'h - v'Wh / s^2.
Given h all visible units are independent, and given v all hidden ones: a
chain that draws them in turn (Gibbs sampling) ends in p. The factor Z is a sum
over all 2^m hidden states: for large m it can only be estimated.

Sources: P. Smolensky, "Information processing in dynamical systems", 1986; G.
Hinton, "Training products of experts by minimizing contrastive divergence",
Neural Computation 2002; T. Tieleman, "Training restricted Boltzmann machines
using approximations to the likelihood gradient", ICML 2008 (chains that are
kept); R. Salakhutdinov and I. Murray, "On the quantitative analysis of deep
belief networks", ICML 2008 (the factor by annealed importance sampling).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class BoltzmannMachine(nn.Module):
    """Gaussian visible units, binary hidden units.

    Parameters
    ----------
    size, hidden
        Visible units, n, and hidden units, m.
    width
        Standard deviation s of the visible units given the hidden ones.
    """

    def __init__(self, size: int, hidden: int, width: float = 0.3) -> None:
        super().__init__()
        self.width = width
        self.weight = nn.Parameter(0.05 * torch.randn(size, hidden))
        self.visible = nn.Parameter(torch.zeros(size))  # b
        self.hidden = nn.Parameter(torch.zeros(hidden))  # c

    def unnormalised(self, v: Tensor, heat: float = 1.0) -> Tensor:
        """Return log sum_h exp(-E(v, h)), with W and c times ``heat``; (N,)."""
        inputs = self.hidden + v @ self.weight / self.width**2  # (N, m)
        quadratic = (v - self.visible).square().sum(1) / (2 * self.width**2)
        return F.softplus(heat * inputs).sum(1) - quadratic

    @torch.no_grad()
    def gibbs(self, v: Tensor, steps: int = 1, heat: float = 1.0) -> Tensor:
        """Draw hidden and visible units in turn, ``steps`` times; (N, n)."""
        for _ in range(steps):
            inputs = self.hidden + v @ self.weight / self.width**2
            h = torch.bernoulli(torch.sigmoid(heat * inputs))
            mean = self.visible + heat * h @ self.weight.T
            v = mean + self.width * torch.randn_like(mean)
        return v

    def contrast(self, data: Tensor, chain: Tensor) -> Tensor:
        """Return a loss whose gradient is that of -log p(data), on average.

        The gradient of log Z is the mean of that of `unnormalised` over p,
        for which the chain's states stand.
        """
        return self.unnormalised(chain).mean() - self.unnormalised(data).mean()

    @torch.no_grad()
    def log_factor(self, draws: int = 200, steps: int = 1000) -> Tensor:
        """Estimate log Z by annealed importance sampling.

        ``draws`` chains start in the Gaussian that is left without hidden
        units, whose factor is known, and go to p in ``steps`` steps of heat;
        what each step adds to the factor is collected on the way.
        """
        n, m = self.weight.shape
        v = self.visible + self.width * torch.randn(draws, n).to(self.weight)
        logs = v.new_zeros(draws)
        for k in range(steps):
            now, then = k / steps, (k + 1) / steps
            logs += self.unnormalised(v, then) - self.unnormalised(v, now)
            v = self.gibbs(v, heat=then)
        start = m * math.log(2) + n * math.log(self.width * math.tau**0.5)
        return start + logs.logsumexp(0) - math.log(draws)

    @torch.no_grad()
    def exact_log_factor(self) -> Tensor:
        """Return log Z by summing over all 2^m hidden states; m at most 20."""
        n, m = self.weight.shape
        if m > 20:
            raise ValueError(
                f"The sum over all states of {m} hidden units has 2^{m}"
                " terms. Use log_factor, or at most 20 units."
            )
        codes = torch.arange(2**m, device=self.weight.device)
        h = (codes[:, None] >> torch.arange(m).to(codes)) % 2
        shift = h.float() @ self.weight.T  # (2^m, n): W h
        # Completing the square in v: the integral over v of exp(-E(v, h)).
        logs = h.float() @ self.hidden + (
            shift @ self.visible + 0.5 * shift.square().sum(1)
        ) / (self.width**2)
        return logs.logsumexp(0) + n * math.log(self.width * math.tau**0.5)
