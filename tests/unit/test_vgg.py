"""VGG19's features: torchvision's layers, the Keras weights, and the losses made of them."""

import io
import json
from email.message import Message
from urllib.error import HTTPError, URLError

import numpy as np
import pytest
import torch
import torchvision
from scipy.signal import correlate

from lecture_utils import data, start
from lecture_utils.losses import ContentLoss
from lecture_utils.vgg import (
    DATA_SETS,
    POOLING_FACTORS,
    VGG,
    AveragePool,
    layer_names,
    load_vgg,
    pooling_factors,
    random_vgg,
)

LAYERS, DATA_SET = layer_names(19), DATA_SETS[19][0]

KERAS = pytest.mark.skipif(data.find(DATA_SET) is None, reason=f"{DATA_SET} is not found")
KERAS16 = pytest.mark.skipif(
    data.find(DATA_SETS[16][0]) is None, reason=f"{DATA_SETS[16][0]} is not found"
)


@pytest.fixture
def run():
    return start(profile="ci", device="cpu", quiet=True)


def test_every_layer_is_torchvisions(run):
    """With the same weights every layer gives what torchvision's own network gives."""
    torch.manual_seed(0)
    reference = torchvision.models.vgg19(weights=None).features.eval()
    network = VGG(LAYERS)
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
    network = random_vgg(["relu2_2"], run)
    assert len(network.steps) == LAYERS.index("relu2_2") + 1
    assert list(network(torch.rand(2, 3, 16, 16))) == ["relu2_2"]
    assert not any(p.requires_grad for p in network.parameters())
    with pytest.raises(ValueError, match="at least one of conv1_1"):
        VGG(["relu2_3"])


@KERAS
@pytest.mark.data
def test_keras_weights_see_what_keras_showed_them(run):
    """The first response against SciPy's correlation of BGR minus the mean colour."""
    network = load_vgg(["conv1_1"], run)
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
    network = load_vgg(["relu3_4"], run)
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
        load_vgg(["relu5_4"], run)


def test_torchvisions_weights_are_taken_from_its_cache(run, monkeypatch, tmp_path):
    """A file of the right name in the cache is read, and its tensors land in the right layers."""
    weights = torchvision.models.VGG19_Weights.IMAGENET1K_V1
    torch.manual_seed(1)
    state = torchvision.models.vgg19(weights=None).state_dict()
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / weights.url.rpartition("/")[2]).touch()
    monkeypatch.setattr(type(weights), "get_state_dict", lambda self, **kwargs: state)
    network = load_vgg(["relu4_1"], run)
    assert network.source == "VGG19, torchvision's weights"
    assert torch.equal(network.steps["conv4_1"].weight, state["features.19.weight"])


@pytest.fixture
def torchvisions(run, monkeypatch, tmp_path):
    """Ask for torchvision's weights in profile full, in a cache of the test's own."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    full = start(profile="full", device="cpu", quiet=True)
    return lambda: load_vgg(["relu5_4"], full)


@pytest.mark.parametrize(
    ("reason", "kind", "words"),
    [
        (URLError("no route to host"), data.DownloadError, r"no route.*Check the network and try"),
        (HTTPError("x", 404, "Not Found", {}, None), data.DownloadError, r"404.*put the file into"),
        (TimeoutError("timed out"), data.DownloadError, r"timed out\).*Check the network"),
        (OSError(28, "No space left on device"), OSError, r"could not be written \(No space"),
    ],
)
def test_a_download_that_fails_is_a_sentence(torchvisions, monkeypatch, reason, kind, words):
    def refuse(*args, **kwargs):
        raise reason

    monkeypatch.setattr(torch.hub, "urlopen", refuse)
    with pytest.raises(kind, match=words):
        torchvisions()


def test_a_download_of_another_file_is_a_sentence(torchvisions, monkeypatch, tmp_path):
    body = io.BytesIO(b"a page that asks to log in")
    body.info = Message
    monkeypatch.setattr(torch.hub, "urlopen", lambda *args, **kwargs: body)
    with pytest.raises(data.DataCorruptError, match="is not torchvision's file: invalid hash"):
        torchvisions()
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_a_damaged_file_in_torchvision_s_cache_is_named(torchvisions, tmp_path):
    name = torchvision.models.VGG19_Weights.IMAGENET1K_V1.url.rpartition("/")[2]
    path = tmp_path / "hub/checkpoints" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half of it")
    with pytest.raises(data.DataCorruptError, match=rf"{name} cannot be read .*damaged or cut off"):
        torchvisions()


def test_without_a_home_folder_torchvision_s_cache_has_no_place(torchvisions, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: "~/.cache/torch/hub")
    with pytest.raises(data.DataNotFoundError, match=r"no home folder.*Set TORCH_HOME"):
        torchvisions()


def test_content_losses(run):
    a, b = (torch.rand(2, 3, 16, 16, generator=run.generator(i)) for i in (1, 2))
    assert ContentLoss("mse")(a, b) == pytest.approx(float((a - b).square().mean()))
    vgg = random_vgg(["relu1_1", "relu2_2"], run)
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


def test_vgg16_is_torchvisions(run):
    torch.manual_seed(0)
    reference = torchvision.models.vgg16(weights=None).features.eval()
    names = layer_names(16)
    assert len(names) == len(reference)
    network = VGG(names, depth=16)
    ours = [layer for layer in network.steps.values() if isinstance(layer, torch.nn.Conv2d)]
    theirs = [layer for layer in reference if isinstance(layer, torch.nn.Conv2d)]
    assert len(ours) == 13
    for a, b in zip(ours, theirs, strict=True):
        a.load_state_dict(b.state_dict())
    image = torch.rand(1, 3, 32, 48)
    with torch.no_grad():
        expected = reference((image - network.mean) / network.std)
    assert torch.allclose(network(image)["pool5"], expected, rtol=1e-4, atol=1e-5)


# Mean and maximum of relu1_2, relu2_2, relu3_3, relu4_3 and relu5_3 for a photograph.
STORED_VGG16 = [84.41, 2033.0, 142.6, 6511.0, 126.4, 7045.0, 17.29, 1990.0, 2.14, 340.7]


@KERAS16
@pytest.mark.data
def test_the_weights_of_vgg16_are_those_that_keras_published(run):
    """Three values of block 5 as Keras' own file has them: kernels (3, 3, in, out), a bias."""
    network = load_vgg(["relu5_3"], run, depth=16)
    assert "Keras" in network.source
    conv = {name: network.steps[name] for name in ("conv5_1", "conv5_2", "conv5_3")}
    found = [
        float(conv["conv5_1"].weight[269, 63, 1, 0]),
        float(conv["conv5_2"].bias[510]),
        float(conv["conv5_3"].weight[400, 0, 0, 2]),
    ]
    assert found == pytest.approx([-0.011236359, 0.23517226, -0.008714244], rel=1e-3)


@KERAS16
@pytest.mark.data
def test_stored_activations_of_vgg16(run):
    """Means and maxima of layers, stored when the weights were compared with Keras' published ones."""
    photo = torch.from_numpy(data.photos()["chelsea"][:224, :224]).permute(2, 0, 1)[None] / 255
    layers = ["relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3"]
    found = load_vgg(layers, run, depth=16)(photo)
    summary = [value for x in found.values() for value in (float(x.mean()), float(x.amax()))]
    assert summary == pytest.approx(STORED_VGG16, rel=2e-3)


@KERAS16
@pytest.mark.data
def test_rescaled_means_keep_the_spread_of_later_layers(run):
    """Nearer to that after maxima than with plain means, or with means doubled as some codes do."""
    batch = torch.stack(
        [
            torch.from_numpy(image[:192, :256]).permute(2, 0, 1) / 255
            for image in data.photos().values()
            if image.shape[0] >= 192 and image.shape[1] >= 256
        ]
    )
    layers = [f"relu{block}_1" for block in (3, 4, 5)]
    peaks = load_vgg(layers, run, depth=16)(batch)
    network = load_vgg([*layers, "pool5"], run, depth=16, pooling="avg")
    pools = [step for step in network.steps.values() if isinstance(step, AveragePool)]

    def distance(factors):
        for pool, factor in zip(pools, factors, strict=True):
            pool.factor = factor
        means = network(batch)
        ratios = [means[k].square().mean() / peaks[k].square().mean() for k in layers]
        return np.abs(np.log(ratios)).max() / 2

    measured, plain, doubled = (distance(f) for f in (POOLING_FACTORS, [1.0] * 5, [2.0] * 5))
    assert measured < 0.35
    assert measured < 0.5 * min(plain, doubled)
    distance(POOLING_FACTORS)
    assert pooling_factors(network, batch) == pytest.approx(POOLING_FACTORS, rel=0.2)


def test_replicated_borders_leave_a_flat_image_flat(run):
    flat = torch.full((1, 3, 24, 24), 0.6)
    spread = {
        padding: float(
            random_vgg(["relu2_1"], run, padding=padding)(flat)["relu2_1"].var((2, 3)).max()
        )
        for padding in ("zeros", "replicate")
    }
    assert spread["replicate"] < 1e-9 < spread["zeros"]


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"depth": 11}, "depth 11; it must be 16 or 19"),
        ({"pooling": "mean"}, "pooling 'mean'; it must be 'max' or 'avg'"),
        ({"padding": "reflect"}, "padding 'reflect'"),
    ],
)
def test_choices_that_do_not_exist_are_sentences(choice, message):
    with pytest.raises(ValueError, match=message):
        VGG(["relu1_1"], **choice)
