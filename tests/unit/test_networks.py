"""The networks have the lecture's sizes: weight counts, multiply-adds, receptive fields, shapes."""

import numpy as np
import pytest
import torch
from scipy.interpolate import RegularGridInterpolator
from torch import nn

from lecture_utils.models.fsrcnn import (
    FSRCNN,
    TransitionState1,
    enlarging_deconvolution,
    stretch,
    transition_state_2,
)
from lecture_utils.models.srcnn import SRCNN
from lecture_utils.models.vdsr import VDSR


def weights(network):
    """Count the weights of the convolutions, without biases and PReLU, as the paper does."""
    layers = (m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d))
    return sum(layer.weight.numel() for layer in layers)


@pytest.mark.parametrize(
    ("network", "count"),
    [
        (SRCNN((9, 5, 5)), 57184),
        (TransitionState1(), 58976),
        (transition_state_2(), 17088),
        (FSRCNN(), 12464),
        (SRCNN(), 8032),
    ],
)
def test_weight_counts_are_the_papers(network, count):
    assert weights(network) == count


def multiply_adds(network, image):
    """Count the multiply-adds of one pass by watching each convolution at work."""
    total = []

    def watch(layer, inputs, output):
        grid = inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output
        total.append(layer.weight.numel() * grid.shape[-2] * grid.shape[-1])

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(watch)
    network(image)
    return sum(total)


def test_speed_ups_by_multiply_adds_are_the_papers():
    high, low = torch.rand(1, 1, 36, 36), torch.rand(1, 1, 12, 12)
    slow = multiply_adds(SRCNN((9, 5, 5)), high)
    ratios = [
        slow / multiply_adds(network, low)
        for network in (TransitionState1(), transition_state_2(), FSRCNN())
    ]
    assert ratios == pytest.approx([8.7, 30.1, 41.3], abs=0.05)


@pytest.mark.parametrize(
    ("network", "width"), [(SRCNN(), 13), (SRCNN((9, 5, 5)), 17), (VDSR(), 41)]
)
def test_receptive_field_by_gradient(network, width):
    for parameter in network.parameters():  # positive weights: no path can cancel another
        nn.init.constant_(parameter, 1e-2)
    image = torch.rand(1, 1, 61, 61, dtype=torch.float64, requires_grad=True)
    network.double()(image)[0, 0, 30, 30].backward()
    reached = image.grad[0, 0].abs() > 0
    assert reached.any(0).sum() == width
    assert reached.any(1).sum() == width


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_networks_on_the_lr_grid_enlarge_and_stay_centred(scale):
    for network in (FSRCNN(scale), TransitionState1(scale), transition_state_2(scale)):
        assert network(torch.rand(2, 1, 7, 9)).shape == (2, 1, 7 * scale, 9 * scale)
    # With a symmetric kernel a single bright LR pixel must stay where it is, to half a pixel.
    layer = FSRCNN(scale).enlarge
    nn.init.constant_(layer.weight, 1.0)
    nn.init.zeros_(layer.bias)
    features = torch.zeros(1, 56, 11, 11)
    features[..., 5, 5] = 1
    image = layer(features)[0, 0].detach()
    positions = torch.arange(11 * scale) + 0.5
    centre = (image.sum(0) * positions).sum() / image.sum()
    assert abs(float(centre) - 5.5 * scale) <= 0.5


def test_vdsr_starts_as_interpolation():
    image = torch.rand(1, 1, 20, 20)
    assert torch.equal(VDSR()(image), image)
    assert VDSR(residual=False, depth=3)(image).shape == image.shape


@pytest.mark.parametrize(("scale", "size"), [(2, 9), (3, 9), (4, 12), (5, 17)])
def test_a_deconvolution_is_stretched_to_another_scale(scale, size):
    source = FSRCNN(3).enlarge
    nn.init.normal_(source.weight)
    nn.init.constant_(source.bias, 0.3)
    layer = enlarging_deconvolution(56, size, scale)
    stretch(layer, source)
    if scale == 3:
        assert torch.allclose(layer.weight, source.weight, atol=1e-5)
    assert torch.equal(layer.bias, source.bias)
    # Against SciPy: the same function of the offset in LR pixels, linear between the taps.
    taps = (np.arange(11) - 5) / 3  # one more at each end, where the kernel is zero
    kernel = np.pad(source.weight[7, 0].detach().numpy(), 1)
    offsets = (np.arange(size) - layer.padding[0] - (scale - 1) / 2) / scale
    read = RegularGridInterpolator((taps, taps), kernel, bounds_error=False, fill_value=0)
    expected = read(np.stack(np.meshgrid(offsets, offsets, indexing="ij"), axis=-1))
    np.testing.assert_allclose(layer.weight[7, 0].detach().numpy(), expected, atol=1e-5)
