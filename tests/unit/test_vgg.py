"""VGG19's features: torchvision's layers, the Keras weights, and the losses made of them."""

import json

import numpy as np
import pytest
import torch
import torchvision
from scipy.signal import correlate

from lecture_utils import data, start
from lecture_utils.losses import ContentLoss
from lecture_utils.vgg import DATA_SET, LAYERS, VGG19, load_vgg19, random_vgg19

KERAS = pytest.mark.skipif(data.find(DATA_SET) is None, reason=f"{DATA_SET} is not found")


@pytest.fixture
def run():
    return start(profile="ci", device="cpu", quiet=True)


def test_every_layer_is_torchvisions(run):
    """With the same weights every layer gives what torchvision's own network gives."""
    torch.manual_seed(0)
    reference = torchvision.models.vgg19(weights=None).features.eval()
    network = VGG19(LAYERS)
    theirs = [layer for layer in reference if isinstance(layer, torch.nn.Conv2d)]
    ours = [layer for layer in network.steps.values() if isinstance(layer, torch.nn.Conv2d)]
    for a, b in zip(ours, theirs, strict=True):
        a.load_state_dict(b.state_dict())
    image = torch.rand(1, 3, 64, 64)
    x = (image - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(3, 1, 1)
    found = network(image)
    assert list(found) == list(LAYERS)
    with torch.no_grad():
        for name, layer in zip(LAYERS, reference, strict=True):
            x = layer(x.clone())
            if name.startswith("relu"):  # torchvision's rectifier works in place
                assert torch.allclose(found[name], x, rtol=1e-4, atol=1e-5), name
    assert x.shape == found["pool5"].shape


def test_only_what_is_wanted_is_built(run):
    network = random_vgg19(["relu2_2"], run)
    assert len(network.steps) == LAYERS.index("relu2_2") + 1
    assert list(network(torch.rand(2, 3, 16, 16))) == ["relu2_2"]
    assert not any(p.requires_grad for p in network.parameters())
    with pytest.raises(ValueError, match="at least one of conv1_1"):
        VGG19(["relu2_3"])


@KERAS
@pytest.mark.data
def test_keras_weights_see_what_keras_showed_them(run):
    """The first response against SciPy's correlation of BGR minus the mean colour."""
    network = load_vgg19(["conv1_1"], run)
    assert "Keras" in network.source
    image = torch.rand(1, 3, 9, 8, generator=run.generator())
    folder = data.find(DATA_SET)
    values = np.fromfile(folder / "group1-shard1of1", dtype="<f4")
    kernel, bias = values[:1728].reshape(3, 3, 3, 64), values[1728:]
    assert json.loads((folder / "model.json").read_text())["weightsManifest"][0]["paths"] == [
        "group1-shard1of1"
    ]
    bgr = 255 * image[0].numpy()[::-1] - np.array([103.939, 116.779, 123.68])[:, None, None]
    for unit in (0, 17, 63):
        wanted = bias[unit] + sum(
            correlate(bgr[c], kernel[:, :, c, unit], mode="same") for c in range(3)
        )
        assert np.allclose(network(image)["conv1_1"][0, unit].numpy(), wanted, atol=2e-3)


@KERAS
@pytest.mark.data
def test_every_keras_layer_lands_in_its_place(run):
    network = load_vgg19(["relu3_4"], run)
    folder = data.find(DATA_SET)
    names = [name for name in LAYERS if name.startswith("conv") and name in network.steps]
    for number, name in enumerate(names, 1):
        kernel = np.fromfile(folder / f"group{number}-shard1of1", dtype="<f4")
        layer = network.steps[name]
        assert np.array_equal(kernel[-len(layer.bias) :], layer.bias.numpy())
        if number > 1:
            taps = kernel[: layer.weight.numel()].reshape(3, 3, layer.in_channels, -1)
            assert np.array_equal(taps[0, 2, 5], layer.weight[:, 5, 0, 2].numpy())


def test_deep_layers_without_weights_get_a_sentence(run, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(data.DataNotFoundError, match="downloads torchvision's"):
        load_vgg19(["relu5_4"], run)


def test_torchvisions_weights_are_taken_from_its_cache(run, monkeypatch, tmp_path):
    """A file of the right name in the cache is read, and its tensors land in the right layers."""
    weights = torchvision.models.VGG19_Weights.IMAGENET1K_V1
    torch.manual_seed(1)
    state = torchvision.models.vgg19(weights=None).state_dict()
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / weights.url.rpartition("/")[2]).touch()
    monkeypatch.setattr(type(weights), "get_state_dict", lambda self, **kwargs: state)
    network = load_vgg19(["relu4_1"], run)
    assert network.source == "VGG19, torchvision's weights"
    assert torch.equal(network.steps["conv4_1"].weight, state["features.19.weight"])


def test_content_losses(run):
    a, b = (torch.rand(2, 3, 16, 16, generator=run.generator(i)) for i in (1, 2))
    assert ContentLoss("mse")(a, b) == pytest.approx(float((a - b).square().mean()))
    vgg = random_vgg19(["relu1_1", "relu2_2"], run)
    loss = ContentLoss("relu2_2", vgg)
    wanted = (vgg(a)["relu2_2"] - vgg(b)["relu2_2"]).square().sum() / vgg(b)[
        "relu2_2"
    ].square().sum()
    assert loss(a, b) == pytest.approx(float(wanted))
    assert loss(b, b) == 0
    a.requires_grad_()
    loss(a, b).backward()
    assert a.grad.abs().sum() > 0
    with pytest.raises(ValueError, match="needs one that returns 'relu3_4'"):
        ContentLoss("relu3_4", vgg)
