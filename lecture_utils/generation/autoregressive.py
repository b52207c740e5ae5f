"""An autoregressive model: explicit density, tractable, one pixel at a time.

The chain rule writes any density as p(x) = prod_i p(x_i | x_1, ..., x_{i-1}).
One network gives all the factors at once if its connections are masked such
that output i sees the inputs before i only.

Sources: B. Frey, "Graphical models for machine learning and digital
communication", 1998 (fully visible belief networks); M. Germain et al.,
"MADE: masked autoencoder for distribution estimation", ICML 2015.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, MixtureSameFamily, Normal
from torch.nn import functional as F


class MaskedLinear(nn.Linear):
    """A fully connected layer that keeps the connections of a mask only.

    Parameters
    ----------
    before, after
        The degrees of its inputs and of its outputs.
    strict
        An output sees the inputs of smaller degree; without ``strict`` those
        of its own degree, too.
    """

    def __init__(self, before: Tensor, after: Tensor, strict: bool) -> None:
        super().__init__(len(before), len(after))
        seen = before < after[:, None] if strict else before <= after[:, None]
        self.mask: Tensor
        self.register_buffer("mask", seen.float())

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs) to (N, outputs)."""
        return F.linear(x, self.weight * self.mask, self.bias)


class Autoregressive(nn.Module):
    """Each entry is a mixture of Gaussians given those before it.

    Parameters
    ----------
    size
        Entries of an image, n.
    hidden
        Units in each of the two hidden layers.
    components
        Gaussians in each mixture.
    """

    def __init__(
        self, size: int, hidden: int = 128, components: int = 8
    ) -> None:
        super().__init__()
        self.size = size
        # Input i has degree i. A hidden unit of degree d sees inputs 1 .. d,
        # and output i sees hidden units of degrees below i.
        entry = torch.arange(1, size + 1)
        unit = 1 + torch.arange(hidden) % max(size - 1, 1)
        self.layers = nn.Sequential(
            MaskedLinear(entry, unit, strict=False),
            nn.ReLU(),
            MaskedLinear(unit, unit, strict=False),
            nn.ReLU(),
            MaskedLinear(
                unit, entry.repeat_interleave(3 * components), strict=True
            ),
        )

    def conditionals(self, x: Tensor) -> MixtureSameFamily:
        """Return p(x_i | x_1, ..., x_{i-1}) for all i; batch shape (N, n)."""
        out = self.layers(x).view(len(x), self.size, 3, -1)  # (N, n, 3, K)
        weight, mean, width = out.unbind(2)  # (N, n, K) each
        # Widths stay above 0.02: a density may not grow without bound on a
        # value that many images share.
        parts = Normal(3 * mean, F.softplus(width) + 0.02)
        return MixtureSameFamily(Categorical(logits=weight), parts)

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x) in nats: (N, n) to (N,)."""
        logs: Tensor = self.conditionals(x).log_prob(x)  # type: ignore[no-untyped-call]
        return logs.sum(1)

    @torch.no_grad()
    def sample(self, count: int) -> Tensor:
        """Draw (count, n), entry after entry: n passes of the network."""
        x = torch.zeros(
            count, self.size, device=next(self.parameters()).device
        )
        for i in range(self.size):
            drawn: Tensor = self.conditionals(x).sample()  # type: ignore[no-untyped-call]
            x[:, i] = drawn[:, i]
        return x
