"""First weights that several networks share: those with which training starts as interpolation."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def pass_through(layer: nn.Conv2d, channels: int = 1) -> None:
    """Let the first ``channels`` output channels repeat the first input channels.

    Rectifiers leave an image, which is never negative, as it is. A network whose convolutions all
    pass it on starts as plain interpolation, and training adds what interpolation lacks instead of
    learning first to repeat its input.
    """
    middle = layer.kernel_size[0] // 2
    layer.weight[:channels] = 0
    for channel in range(channels):
        layer.weight[channel, channel, middle, middle] = 1
    if layer.bias is not None:
        layer.bias[:channels] = 0
