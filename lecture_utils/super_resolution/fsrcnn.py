"""FSRCNN and the two transition states between it and SRCNN-Ex: work on the LR grid, enlarge last."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from lecture_utils.resize import keys_kernel
from lecture_utils.super_resolution.initialisation import pass_through


def enlarging_deconvolution(
    width: int, size: int, scale: int
) -> nn.ConvTranspose2d:
    """Return the fractionally strided convolution that ends the network, ``scale`` times as large.

    LR pixel i is centred at s i + (s - 1)/2 on the HR grid. The padding p puts the middle of the
    kernel at s i + (size - 1)/2 - p, as near to that centre as whole pixels allow.

    It starts as bi-cubic interpolation of the first feature map, with Keys' kernel cut to ``size``.

    Parameters
    ----------
    width
        Feature maps that come in.
    size
        Width of the kernel in HR pixels.
    scale
        The scale factor s, at most ``size``.
    """
    padding = int((size - scale) / 2 + 0.5)
    layer = nn.ConvTranspose2d(
        width,
        1,
        size,
        stride=scale,
        padding=padding,
        output_padding=2 * padding - size + scale,
    )
    nn.init.normal_(layer.weight, std=1e-3)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    line = torch.from_numpy(
        keys_kernel((np.arange(size) - padding - (scale - 1) / 2) / scale)
    )
    for phase in range(
        scale
    ):  # each HR pixel must get weights whose sum is one
        line[phase::scale] /= line[phase::scale].sum()
    with torch.no_grad():
        layer.weight[0] = torch.outer(line, line)
    return layer


@torch.no_grad()
def stretch(layer: nn.ConvTranspose2d, source: nn.ConvTranspose2d) -> None:
    """Give a deconvolution the kernels of one for another scale, sampled anew.

    The kernels are taken as functions of the offset in LR pixels: linear between the taps of
    ``source``, zero beyond them, and read at the taps of ``layer``.

    Parameters
    ----------
    layer
        The deconvolution that is changed.
    source
        One of the same numbers of channels, made like it by `enlarging_deconvolution`.
    """

    def offsets(deconvolution: nn.ConvTranspose2d) -> Tensor:
        size, s = deconvolution.kernel_size[0], deconvolution.stride[0]
        return (
            torch.arange(size) - int(deconvolution.padding[0]) - (s - 1) / 2
        ) / s

    distances = (offsets(layer)[:, None] - offsets(source)).abs()
    weights = (1 - source.stride[0] * distances).clamp(min=0).to(source.weight)
    layer.weight.copy_(weights @ source.weight @ weights.T)
    assert layer.bias is not None and source.bias is not None
    layer.bias.copy_(source.bias)


class FSRCNN(nn.Module):
    """Extract on the LR grid, shrink, map, expand, and enlarge with one deconvolution.

    Source: C. Dong, C. C. Loy and X. Tang, "Accelerating the super-resolution convolutional neural
    network", ECCV 2016, section 3. All layers but the deconvolution are the same for every scale.

    Parameters
    ----------
    scale
        The scale factor.
    d, s, m
        Feature maps of the LR features, feature maps after shrinking, number of mapping layers.
    first
        Size of the first filter: 5 in FSRCNN, 9 in the transition states.
    """

    interpolated = False  # the input is the LR image itself

    def __init__(
        self,
        scale: int = 3,
        d: int = 56,
        s: int = 12,
        m: int = 4,
        first: int = 5,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(1, d, first, padding=first // 2),
            nn.PReLU(d),
        ]
        layers += [nn.Conv2d(d, s, 1), nn.PReLU(s)]
        for _ in range(m):
            layers += [nn.Conv2d(s, s, 3, padding=1), nn.PReLU(s)]
        layers += [nn.Conv2d(s, d, 1), nn.PReLU(d)]
        self.features = nn.Sequential(*layers)
        self.enlarge = enlarging_deconvolution(d, 9, scale)
        _initialise(self)

    def forward(self, low: Tensor) -> Tensor:
        """Map LR luminance (N, 1, H, W) in [0, 1] to (N, 1, scale H, scale W)."""
        estimate: Tensor = self.enlarge(self.features(low))
        return estimate


class TransitionState1(nn.Module):
    """SRCNN-Ex whose last layer is a deconvolution, so the first two work on the LR grid.

    Source: Dong, Loy and Tang, ECCV 2016, table 1.
    """

    interpolated = False  # the input is the LR image itself

    def __init__(self, scale: int = 3) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 64, 9, padding=4),
            nn.PReLU(64),
            nn.Conv2d(64, 32, 5, padding=2),
            nn.PReLU(32),
        )
        self.enlarge = enlarging_deconvolution(32, 9, scale)
        _initialise(self)

    def forward(self, low: Tensor) -> Tensor:
        """Map LR luminance (N, 1, H, W) in [0, 1] to (N, 1, scale H, scale W)."""
        estimate: Tensor = self.enlarge(self.features(low))
        return estimate


def transition_state_2(scale: int = 3) -> FSRCNN:
    """Return transition state 2: shrinking, four thin layers, expanding (ECCV 2016, table 1)."""
    return FSRCNN(scale, d=64, s=12, m=4, first=9)


def _initialise(network: nn.Module) -> None:
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, a=0.25)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
            pass_through(layer)
