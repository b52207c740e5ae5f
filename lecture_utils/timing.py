"""How long a network takes, and each of its layers: by the clock, beside what can be counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

_KINDS: dict[type[nn.Module], str] = {
    nn.Conv2d: "convolution",
    nn.ConvTranspose2d: "deconvolution",
    nn.ReLU: "rectifier",
    nn.PReLU: "rectifier",
}


@dataclass(frozen=True)
class LayerCost:
    """What one layer costs for one input.

    Attributes
    ----------
    kind
        ``convolution``, ``deconvolution`` or ``rectifier``.
    operations
        Floating-point operations: two for each multiply-add, one for each value of a rectifier.
    traffic
        Bytes of input, output and parameters, each moved once: the least that memory has to do.
    seconds
        The median time of the layer by itself.
    """

    kind: str
    operations: int
    traffic: int
    seconds: float

    @property
    def intensity(self) -> float:
        """Operations a byte."""
        return self.operations / self.traffic

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.operations / self.seconds


@torch.no_grad()
def median_seconds(
    module: Callable[[Tensor], Tensor], given: Tensor, repeats: int = 5
) -> float:
    """Return the median time of a pass in seconds, after a first pass that is not counted.

    Parameters
    ----------
    module
        What is timed: a network, a layer or a function.
    given
        Its input, on the same device. A GPU is waited for before each look at the clock.
    repeats
        Passes that are counted.

    Raises
    ------
    ValueError
        If no pass is to be counted.
    """
    if repeats < 1:
        raise ValueError(
            f"The number of passes is {repeats}; at least one must be timed."
        )

    def synchronize() -> None:
        if given.device.type == "cuda":
            torch.cuda.synchronize(given.device)
        elif given.device.type == "mps":
            torch.mps.synchronize()

    module(given)
    times = []
    for _ in range(repeats):
        synchronize()
        begun = time.perf_counter()
        module(given)
        synchronize()
        times.append(time.perf_counter() - begun)
    return float(np.median(times))


def layer_costs(
    network: nn.Module, given: Tensor, repeats: int = 5
) -> list[LayerCost]:
    """Count and time every convolution and every rectifier of a network, in the order of the pass.

    Parameters
    ----------
    network
        A network; layers of other kinds are left out.
    given
        Its input, on the same device.
    repeats
        Passes of each layer that are counted.
    """
    calls: list[tuple[nn.Module, Tensor, Tensor]] = []

    def note(
        layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor
    ) -> None:
        calls.append((layer, inputs[0], output))

    hooks = [
        m.register_forward_hook(note)
        for m in network.modules()
        if type(m) in _KINDS
    ]
    try:
        with torch.no_grad():
            network(given)
    finally:
        for hook in hooks:
            hook.remove()
    costs = []
    for layer, x, y in calls:
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            grid = x if isinstance(layer, nn.ConvTranspose2d) else y
            places = len(grid) * grid.shape[-2] * grid.shape[-1]
            operations = 2 * layer.weight.numel() * places
        else:
            operations = y.numel()
        parameters = sum(p.numel() for p in layer.parameters())
        traffic = x.element_size() * (x.numel() + y.numel() + parameters)
        seconds = median_seconds(layer, x, repeats)
        costs.append(
            LayerCost(_KINDS[type(layer)], operations, traffic, seconds)
        )
    return costs
