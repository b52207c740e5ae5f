"""The networks have the lecture's sizes: weight counts, multiply-adds, receptive fields, shapes."""

import numpy as np
import pytest
import torch
from scipy.interpolate import RegularGridInterpolator
from torch import nn

from lecture_utils.resize import imresize
from lecture_utils.super_resolution.fsrcnn import (
    FSRCNN,
    TransitionState1,
    enlarging_deconvolution,
    stretch,
    transition_state_2,
)
from lecture_utils.super_resolution.networks import multiply_adds, weight_count
from lecture_utils.super_resolution.srcnn import SRCNN
from lecture_utils.super_resolution.srgan import Discriminator, SRResNet
from lecture_utils.super_resolution.vdsr import VDSR


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
    assert weight_count(network) == count


def test_speed_ups_by_multiply_adds_are_the_papers():
    slow = multiply_adds(SRCNN((9, 5, 5)), 3, (36, 36))
    assert slow == 57184 * 36 * 36  # every weight once a pixel
    ratios = [
        slow / multiply_adds(network, 3, (36, 36))
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


@pytest.mark.parametrize("filters", [(9, 1, 5), (9, 5, 5)])
@pytest.mark.parametrize("channels", [1, 3])
def test_srcnn_starts_as_interpolation(filters, channels):
    torch.manual_seed(0)
    image = torch.rand(2, channels, 20, 20)
    change = SRCNN(filters, channels=channels)(image) - image
    assert change.abs().mean() < 0.02


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_networks_on_the_lr_grid_start_as_bicubic_interpolation(scale):
    """Without the other feature maps the first one gives what bi-cubic interpolation gives.

    On x2 the kernel of 9 pixels holds all of Keys' kernel; for larger scales its tails are cut.
    """
    torch.manual_seed(0)
    rows, columns = torch.meshgrid(torch.arange(24.0), torch.arange(20.0), indexing="ij")
    low = (0.5 + 0.3 * torch.sin(rows / 3) * torch.cos(columns / 4))[None, None]
    for network in (FSRCNN(scale), TransitionState1(scale), transition_state_2(scale)):
        with torch.no_grad():
            network.enlarge.weight[1:] = 0
            error = (network(low) - imresize(low, scale))[..., 9:-9, 9:-9].abs().max()
        assert error < (1e-5 if scale == 2 else 0.03)
    # A constant image stays constant in each of the phases, whatever is cut.
    with torch.no_grad():
        flat = network(torch.full((1, 1, 12, 12), 0.5))[..., 8:-8, 8:-8]
    assert torch.allclose(flat, torch.tensor(0.5), atol=1e-5)


@pytest.mark.parametrize(("blocks", "width"), [(2, 8), (8, 64), (16, 64)])
def test_srresnet_has_the_papers_layers(blocks, width):
    w = width
    count = 3 * 81 * w + 2 * blocks * 9 * w * w + 9 * w * w + 2 * 9 * w * 4 * w + 81 * w * 3
    network = SRResNet(blocks, width)
    assert weight_count(network) == count
    assert network(torch.rand(2, 3, 6, 7)).shape == (2, 3, 24, 28)


def test_srresnet_starts_as_bilinear_interpolation():
    torch.manual_seed(0)
    low = torch.rand(2, 3, 9, 8)
    with torch.no_grad():
        network = SRResNet(2, 16).eval()
        network.last.weight[:, 3:] = 0  # the other feature maps are noise
        ours = network(low)
    # Bi-linear twice by 2, each time on the half-pixel grid.
    double = {"scale_factor": 2, "mode": "bilinear", "align_corners": False}
    wanted = nn.functional.interpolate(nn.functional.interpolate(low, **double), **double)
    assert torch.allclose(ours[..., 6:-6, 6:-6], wanted[..., 6:-6, 6:-6], atol=1e-5)


def test_the_discriminator_halves_four_times_and_takes_any_size():
    network = Discriminator(width=8)
    shapes = []
    for layer in network.features:
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda _, __, y: shapes.append(tuple(y.shape[1:])))
    assert network(torch.rand(2, 3, 96, 96)).shape == (2, 1)
    assert shapes == [
        (8, 96, 96), (8, 48, 48), (16, 48, 48), (16, 24, 24),
        (32, 24, 24), (32, 12, 12), (64, 12, 12), (64, 6, 6),
    ]  # fmt: skip
    assert network(torch.rand(3, 3, 40, 56)).shape == (3, 1)


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
