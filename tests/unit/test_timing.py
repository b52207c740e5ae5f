"""Times are times, and what is counted beside them agrees with sums done by hand."""

import pytest
import torch
from torch import nn

from lecture_utils.super_resolution.fsrcnn import FSRCNN
from lecture_utils.super_resolution.networks import build, multiply_adds
from lecture_utils.timing import layer_costs, median_seconds


def test_the_first_pass_is_not_counted(monkeypatch):
    clock = iter([0.0, 0.03, 1.0, 1.01, 2.0, 2.02])  # two looks at it for each pass that counts
    monkeypatch.setattr("lecture_utils.timing.time.perf_counter", lambda: next(clock))
    passes = []

    def module(x):
        passes.append(x)
        return x

    assert median_seconds(module, torch.zeros(1), repeats=3) == pytest.approx(0.02)
    assert len(passes) == 4
    with pytest.raises(ValueError, match="at least one"):
        median_seconds(module, torch.zeros(1), repeats=0)


def test_layers_by_hand():
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.PReLU(4), nn.Flatten())
    first, second = layer_costs(network, torch.rand(1, 1, 5, 6), repeats=1)
    assert (first.kind, second.kind) == ("convolution", "rectifier")
    assert first.operations == 2 * 9 * 4 * 30
    assert first.traffic == 4 * (30 + 120 + 36 + 4)
    assert second.operations == 120
    assert second.traffic == 4 * (120 + 120 + 4)
    assert first.intensity == pytest.approx(2160 / 760)
    assert first.rate == pytest.approx(2160 / first.seconds)


@pytest.mark.parametrize("network", [FSRCNN(3), build("srcnn_ex_x3")])
def test_the_layers_add_up_to_the_network(network):
    side = 12 if network.interpolated else 4
    costs = layer_costs(network, torch.rand(1, 1, side, side), repeats=1)
    counted = sum(cost.operations for cost in costs if cost.kind != "rectifier")
    assert counted == 2 * multiply_adds(network, 3, (12, 12))
    assert not any(module._forward_hooks for module in network.modules())
