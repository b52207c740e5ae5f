"""EfficientNet-Lite0: padding as TensorFlow's, the published weights, the classes of photographs."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lecture_utils import data, start
from lecture_utils.efficientnet import (
    DATA_SET,
    EfficientNetLite0,
    SameConv,
    load_efficientnet,
)

WEIGHTS = pytest.mark.skipif(data.find(DATA_SET) is None, reason=f"{DATA_SET} is not found")
PHOTOS = pytest.mark.skipif(
    data.find("imagenet_256") is None, reason="the photographs are not found"
)


@pytest.fixture
def run():
    return start(profile="book", device="cpu", precision="32-true", quiet=True)


def test_it_has_as_many_weights_as_the_paper_s_table():
    network = EfficientNetLite0()
    assert sum(p.numel() for p in network.parameters()) == 4_652_008
    assert network.training
    assert not any(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize("length", range(4, 13))
@pytest.mark.parametrize(("size", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_padding_puts_the_larger_margin_behind(length, size, stride):
    """Output position k of ``SAME`` sees k * stride - floor(margin / 2) and what follows."""
    layer = SameConv(1, 1, size, stride, bias=False)
    torch.nn.init.ones_(layer.weight)
    rows = torch.arange(1.0, length + 1).repeat(20, 1)[None, None]  # (1, 1, 20, length)
    found = layer(rows)[0, 0, 5] / size  # a row that sees no margin
    outputs = -(-length // stride)
    before = max((outputs - 1) * stride + size - length, 0) // 2
    expected = [
        sum(
            i + 1 for i in range(k * stride - before, k * stride - before + size) if 0 <= i < length
        )
        for k in range(outputs)
    ]
    assert np.allclose(found.detach(), expected)


def test_images_of_any_size_are_brought_to_one():
    network = EfficientNetLite0().eval()
    images = torch.rand(1, 3, 20, 20)
    enlarged = F.interpolate(images, (64, 64), mode="bilinear", antialias=True)
    assert torch.allclose(network.features(images, 64), network.features(enlarged, 64))


@WEIGHTS
def test_the_published_file_fills_every_weight(run):
    network = load_efficientnet(run)
    assert network.source == "EfficientNet-Lite0"
    assert not network.training


@WEIGHTS
def test_a_file_that_lacks_weights_is_named(run, tmp_path, monkeypatch):
    from safetensors.torch import save_file

    save_file({"_fc.bias": torch.zeros(1000)}, tmp_path / "efficientnet_lite0.safetensors")
    monkeypatch.setattr(data, "locate", lambda *_: tmp_path)
    with pytest.raises(data.DataCorruptError, match=r"data check efficientnet_lite0"):
        load_efficientnet(run)


@WEIGHTS
@PHOTOS
def test_photographs_get_their_classes(run):
    """WordNet's order is that of the classes, and the first of them have a photograph each."""
    images = list(data.imagenet_256(12).values())
    x = torch.stack([torch.from_numpy(i).permute(2, 0, 1) for i in images]).float() / 255
    network = load_efficientnet(run)
    with torch.no_grad():
        top = network(x[:, :, 16:240, 16:240]).topk(5).indices
    assert sum(c in row for c, row in enumerate(top.tolist())) >= 11
    assert sum(c == int(row[0]) for c, row in enumerate(top)) >= 8
