"""VDSR: many small filters, and a residual that lets them learn the missing detail only."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn


class VDSR(nn.Module):
    """A cascade of 3 x 3 convolutions that predicts HR minus interpolated LR.

    Source: J. Kim, J. K. Lee and K. M. Lee, "Accurate image super-resolution using very deep
    convolutional networks", CVPR 2016, section 3.1. The receptive field of ``depth`` layers is
    2 depth + 1 pixels wide: 41 for 20.

    Parameters
    ----------
    depth
        Number of convolutions, the first and the last included.
    width
        Feature maps of each hidden layer.
    residual
        Add the input to the output; False learns the whole image, for comparison.
    """

    interpolated = True  # the input is the bi-cubically enlarged LR image

    def __init__(
        self,
        depth: int = 20,
        width: int = 64,
        residual: bool = True,
    ) -> None:
        super().__init__()
        sizes = [1, *[width] * (depth - 1), 1]
        layers = [
            nn.Conv2d(n_in, n_out, 3, padding=1)
            for n_in, n_out in pairwise(sizes)
        ]
        self.convolutions = nn.ModuleList(layers)
        self.relu = nn.ReLU()
        self.residual = residual
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        if residual:
            # The network starts as plain interpolation: the best that can be
            # known before training.
            nn.init.zeros_(layers[-1].weight)

    def forward(self, interpolated: Tensor) -> Tensor:
        """Map interpolated luminance (N, 1, H, W) in [0, 1] to an estimate of the same shape."""
        features = interpolated
        for layer in self.convolutions[:-1]:
            features = self.relu(layer(features))
        detail: Tensor = self.convolutions[-1](features)
        return interpolated + detail if self.residual else detail
