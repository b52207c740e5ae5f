"""Enlarging images by networks, counting their work, and weights from elsewhere."""

import numpy as np
import pytest
import torch
from skimage.color import rgb2ycbcr
from torch import nn

from lecture_utils import checkpoints, data
from lecture_utils.metrics import luminance, psnr_y
from lecture_utils.resize import imresize, modcrop
from lecture_utils.super_resolution import networks
from lecture_utils.super_resolution.fsrcnn import FSRCNN
from lecture_utils.super_resolution.networks import NETWORKS, enlarge, from_published, multiply_adds
from lecture_utils.super_resolution.srcnn import SRCNN
from lecture_utils.super_resolution.srgan import SRResNet
from lecture_utils.super_resolution.vdsr import VDSR


@pytest.fixture
def photo():
    return data.photos()["chelsea"][60:180, 100:220]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_shipped_and_does_what_it_is_for(name, photo):
    """Each network with its shipped weights is better than bi-cubic interpolation, SRGAN apart."""
    if name not in checkpoints.names():
        pytest.skip(f"the checkpoint {name} is not trained yet")
    network = networks.load(name)
    assert not network.training
    for scale in NETWORKS[name].scales:
        high = modcrop(photo, scale)
        low = imresize(high, 1 / scale)
        estimate = enlarge(network, low, scale)
        assert estimate.shape == high.shape
        assert estimate.dtype == np.uint8
        gain = psnr_y(estimate, high, scale) - psnr_y(imresize(low, scale), high, scale)
        assert gain > (-3 if name.startswith("srgan") else 0.2)


def test_unknown_networks_get_the_list():
    with pytest.raises(KeyError, match="there are: srcnn_x3"):
        networks.build("edsr")


def test_interpolation_by_a_network_is_bicubic_interpolation(photo):
    """VDSR without training adds nothing: its result is imresize's, but for roundings."""
    low = imresize(photo, 1 / 2)
    estimate = enlarge(VDSR(depth=3, width=4), low, 2)
    exact = imresize(torch.from_numpy(low).double().permute(2, 0, 1) / 255, 2)
    exact = exact.permute(1, 2, 0).numpy()
    inside = (exact > 0.02) & (exact < 0.98)  # studio swing clips differently
    assert np.abs(estimate / 255 - exact)[inside].max() < 1.5 / 255


def test_luminance_goes_through_the_network_and_chroma_does_not(photo):
    class Darker(nn.Module):
        interpolated = False

        def __init__(self):
            super().__init__()
            self.layer = nn.ConvTranspose2d(1, 1, 2, stride=2)
            self.first = nn.Conv2d(1, 1, 1)

        def forward(self, low):
            return 0.9 * low.repeat_interleave(2, -1).repeat_interleave(2, -2)

    low = imresize(photo, 1 / 2)
    estimate = rgb2ycbcr(enlarge(Darker(), low, 2))
    wanted = 0.9 * luminance(low).repeat(2, 0).repeat(2, 1)
    chroma = imresize(torch.from_numpy(rgb2ycbcr(low)[..., 1:]).permute(2, 0, 1), 2)
    chroma = chroma.permute(1, 2, 0).numpy()
    assert np.abs(estimate[..., 0] - wanted).mean() < 0.6
    assert np.abs(estimate[..., 1:] - chroma).mean() < 1


def test_grey_images_stay_grey(photo):
    grey = photo[..., 0]
    assert enlarge(FSRCNN(3), grey, 3).shape == (360, 360)
    with pytest.raises(ValueError, match="Repeat the grey image"):
        enlarge(SRResNet(1, 4), grey, 4)


def test_a_network_of_another_scale_is_refused(photo):
    with pytest.raises(ValueError, match="Take the network that was trained for x2"):
        enlarge(FSRCNN(3), photo, 2)


def test_multiply_adds_leave_the_network_as_it_was():
    network = SRCNN()
    assert multiply_adds(network, 3, (30, 30)) == 8032 * 900
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())


def test_published_checkpoints_are_mapped_by_their_order():
    """Weights under other names, without VDSR's biases, with one PReLU slope for all channels."""
    torch.manual_seed(0)
    source, target = FSRCNN(3), FSRCNN(3)
    published = {
        f"part{i}.{k.rpartition('.')[2]}": v for i, (k, v) in enumerate(source.state_dict().items())
    }
    target.load_state_dict(from_published(target, published))
    image = torch.rand(1, 1, 9, 9)
    assert torch.equal(target(image), source(image))

    deep = VDSR(depth=4, width=5)
    weights = [torch.randn_like(layer.weight) for layer in deep.convolutions]
    names = [
        "input.weight",
        "residual_layer.0.conv.weight",
        "residual_layer.1.conv.weight",
        "output.weight",
    ]
    deep.load_state_dict(from_published(deep, dict(zip(names, weights, strict=True))))
    x = image
    for i, weight in enumerate(weights):
        x = nn.functional.conv2d(x if i == 0 else x.relu(), weight, padding=1)
    assert torch.allclose(deep(image), image + x, rtol=1e-5, atol=1e-4)

    one_slope = {
        k: v.mean().reshape(1) if v.ndim == 1 and not k.endswith("bias") else v
        for k, v in published.items()
    }
    state = from_published(target, one_slope)
    assert all(state[k].shape == v.shape for k, v in target.state_dict().items())


def test_checkpoints_of_other_networks_are_refused():
    state = FSRCNN(3).state_dict()
    with pytest.raises(ValueError, match="1 more tensors than the network, from 'extra'"):
        from_published(FSRCNN(3), state | {"extra": torch.zeros(3)})
    with pytest.raises(ValueError, match="Build the network with the checkpoint's sizes"):
        from_published(FSRCNN(3, d=32), state)
    few = dict(list(state.items())[:5])
    with pytest.raises(ValueError, match="none is left for"):
        from_published(FSRCNN(3), few)


def test_images_that_are_not_8_bit_colour_or_grey_get_a_sentence():
    image = data.photos()["chelsea"][:24, :24]
    with pytest.raises(TypeError, match="it needs uint8"):
        enlarge(FSRCNN(3), image / 255, 3)
    with pytest.raises(ValueError, match="alpha channel"):
        enlarge(FSRCNN(3), np.dstack([image, image[..., :1]]), 3)
    for wrong, error, words in [
        (image[..., :2], ValueError, r"alpha channel with image\[\.\.\., 0\]"),
        (np.moveaxis(image, -1, 0), ValueError, "moveaxis"),
        (image.astype(np.uint16) * 257, TypeError, "uint16.*257"),
        (torch.from_numpy(image), TypeError, "tensor of uint8.*numpy"),
        (image[:0], ValueError, "at least one row"),
        (image.tolist(), TypeError, "a list"),
    ]:
        with pytest.raises(error, match=f"enlarge got.*{words}"):
            enlarge(FSRCNN(3), wrong, 3)
    with pytest.raises(ValueError, match=r"scale factor is 1\.5.*whole number"):
        enlarge(FSRCNN(3), image, 1.5)


def test_a_channel_s_own_axis_and_numpy_s_numbers_are_taken():
    grey = data.photos()["chelsea"][:24, :30, :1]
    network = FSRCNN(3)
    expected = enlarge(network, grey[..., 0], 3)
    np.testing.assert_array_equal(enlarge(network, grey, np.int64(3))[..., 0], expected)


def wrapped(network):
    """Yield a network as libraries wrap it."""
    from lightning_fabric import Fabric
    from torch.optim.swa_utils import AveragedModel

    yield network
    yield nn.DataParallel(network)
    yield nn.Sequential(network)
    yield AveragedModel(network)
    yield Fabric(accelerator="cpu").setup(network)
    yield torch.compile(network, backend="eager")


@pytest.mark.parametrize("build", [lambda: FSRCNN(3), lambda: VDSR(depth=3, width=4)])
def test_wrapped_networks_are_the_networks(build):
    image = data.photos()["chelsea"][60:84, 100:130]
    network = build()
    expected = enlarge(network, image, 3)
    work = multiply_adds(network, 3, (30, 30))
    for same in wrapped(network):
        np.testing.assert_array_equal(enlarge(same, image, 3), expected)
        assert networks.takes_interpolated(same) == network.interpolated
        assert multiply_adds(same, 3, (30, 30)) == work


@pytest.mark.parametrize(
    ("kind", "near"), [(torch.float64, 1), (torch.float16, 2), (torch.bfloat16, 6)]
)
@pytest.mark.parametrize("name", ["fsrcnn_x3", "srcnn_x3", "vdsr"])
def test_networks_of_other_precisions_enlarge(kind, near, name):
    image = data.photos()["chelsea"][60:84, 100:130]
    network = networks.load(name)
    expected = enlarge(network, image, 3).astype(int)
    difference = np.abs(enlarge(network.to(kind), image, 3) - expected)
    assert difference.max() <= near
    assert difference.mean() < near / 4
    assert multiply_adds(network, 3, (30, 30)) > 0


def test_enlarging_is_no_training():
    """SRResNet has batch normalisation, which in training sees and records each batch."""
    network = SRResNet(2, 4)
    image = data.photos()["chelsea"][60:84, 100:130]
    expected = enlarge(network.eval(), image, 4)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    np.testing.assert_array_equal(enlarge(network.train(), image, 4), expected)
    assert network.training
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_what_does_not_say_what_it_takes_gets_a_sentence():
    image = data.photos()["chelsea"][60:84, 100:130]
    with pytest.raises(ValueError, match="attribute `interpolated`"):
        enlarge(nn.Sequential(nn.Conv2d(1, 1, 1)), image, 3)
    with pytest.raises(ValueError, match="without a convolution"):
        enlarge(nn.Identity(), image, 3)


def test_all_three_bands_of_a_network_on_ycbcr_are_the_network_s(photo):
    """A network that copies the enlarged bands is bi-cubic interpolation, in YCbCr and in RGB."""
    network = nn.Conv2d(3, 3, 1, bias=False)
    network.interpolated = True
    nn.init.dirac_(network.weight)
    low = imresize(photo, 1 / 2)
    in_rgb = enlarge(network, low, 2).astype(int)
    inside = ((in_rgb > 5) & (in_rgb < 250)).all(axis=-1)  # studio swing clips differently
    in_ycbcr = enlarge(network, low, 2, bands="ycbcr")
    assert np.abs(in_ycbcr - in_rgb)[inside].max() <= 1
    network.weight.data[0] = 0  # without luminance
    darker = rgb2ycbcr(enlarge(network, low, 2, bands="ycbcr"))
    assert darker[..., 0].mean() < rgb2ycbcr(in_ycbcr)[..., 0].mean() - 50
