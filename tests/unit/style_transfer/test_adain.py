"""Adaptive instance normalisation, and the decoder and its training."""

from __future__ import annotations

import inspect
from dataclasses import replace

import numpy as np
import pytest
import torch

from lecture_utils import start
from lecture_utils.feature_network import FeatureNetwork
from lecture_utils.style_transfer import adain, adain_training, networks
from lecture_utils.style_transfer.adain_training import Settings

SMALL = Settings(steps=2, batch=2, side=16, width=4)


@pytest.fixture(scope="module")
def run():
    return start(profile="ci", device="cpu", quiet=True)


@pytest.fixture
def features():
    generator = torch.Generator().manual_seed(1)
    mixing = torch.randn(2, 5, 5, generator=generator)
    drawn = torch.randn(2, 5, 400, generator=generator)
    content, style = (m @ d + 2 for m, d in zip(mixing, drawn, strict=True))
    return content.reshape(1, 5, 20, 20), style.reshape(1, 5, 10, 40)


def rows(features):
    return features[0].flatten(1).double().numpy()


def test_adain_gives_the_means_and_the_spreads_of_the_style(features):
    made = rows(adain.adaptive_instance_norm(*features))
    style = rows(features[1])
    assert np.allclose(made.mean(1), style.mean(1), atol=1e-5)
    assert np.allclose(made.std(1), style.std(1), rtol=1e-4)
    # and keeps each channel's order of positions
    content = rows(features[0])
    assert np.allclose(np.corrcoef(made[0], content[0])[0, 1], 1, atol=1e-6)


def test_features_that_have_the_statistics_already_stay(features):
    assert torch.allclose(adain.adaptive_instance_norm(*features[:1] * 2), features[0], atol=1e-4)


def test_the_decoder_gives_an_image_of_the_encoders_size():
    torch.manual_seed(0)
    for layer, side in (("relu4_1", 4), ("relu3_1", 8)):
        given = torch.rand(1, 256 if layer == "relu3_1" else 512, side, side)
        made = adain.Decoder(layer, 4)(given).detach()
        assert made.shape == (1, 3, 32, 32)
        assert 0 < float(made.min()) < float(made.max()) < 1
    assert 2 * sum(p.numel() for p in adain.Decoder().parameters()) < 2e6


def test_any_size_is_painted_and_the_strength_blends_features():
    torch.manual_seed(0)
    encoder = FeatureNetwork(("relu4_1",), widths=(4, 4, 4, 4))
    decoder = adain.Decoder(width=4)
    content, style = torch.rand(1, 3, 37, 50), torch.rand(1, 3, 40, 33)
    with torch.no_grad():
        painted = adain.repaint(encoder, decoder, content, style)
        plain = adain.repaint(encoder, decoder, content, style, strength=0)
        whole = decoder(encoder(content[..., :32, :48])["relu4_1"])
        same = adain.repaint(encoder, decoder, content[..., :32, :48], style, strength=0)
    assert painted.shape == content.shape
    assert not torch.allclose(painted, plain, atol=1e-4)
    assert torch.equal(same, whole)


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"steps": 0}, "steps=0; it must be a whole number of at least 1"),
        ({"batch": 3}, "batch=3 and side=16; they need a whole multiple of 2 and one of 8"),
        ({"side": 20}, "side=20"),
        ({"beta": float("inf")}, "beta=inf; it must be a number of at least 0"),
        ({"learning_rate": 0}, "learning_rate=0; it must be a number above 0"),
        ({"layer": "relu5_1"}, "layers='relu5_1'; it must be one of relu1_1"),
        ({"style_layers": "relu1_1"}, "style_layers='relu1_1'; they need a tuple"),
    ],
)
def test_choices_are_checked_when_they_are_made(choice, words):
    with pytest.raises(ValueError, match=words):
        replace(SMALL, **choice)


def test_the_style_term_compares_means_and_standard_deviations():
    generator = torch.Generator().manual_seed(3)
    a, b = (torch.rand(2, 4, 6, 6, generator=generator) for _ in range(2))
    expected = 0.0
    of = [np.concatenate([x.mean((2, 3)), x.numpy().std((2, 3))], axis=1) for x in (a, b)]
    expected = ((of[0] - of[1]) ** 2).sum() / (of[1] ** 2).sum()
    found = adain_training.moments_distance({"x": a}, {"x": b})
    assert float(found) == pytest.approx(expected, rel=1e-3)
    permuted = a.flatten(2)[..., torch.randperm(36, generator=generator)].reshape(a.shape)
    assert float(adain_training.moments_distance({"x": permuted}, {"x": a})) < 1e-9


def test_steps_lower_the_loss_and_leave_the_encoder_alone(run):
    torch.manual_seed(0)
    encoder = FeatureNetwork(SMALL.style_layers, widths=(4, 4, 4, 4))
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    decoder = adain.Decoder(width=4)
    lesson = adain_training.Lesson(
        run.fabric,
        *run.fabric.setup(decoder, torch.optim.Adam(decoder.parameters(), lr=3e-3)),
        encoder,
        SMALL,
    )
    photos, styles = torch.rand(2, 2, 3, 32, 32)
    losses = [lesson.step(photos, styles) for _ in range(30)]
    first, last = (float(x["content"] + SMALL.beta * x["style"]) for x in (losses[0], losses[-1]))
    assert last < 0.9 * first
    assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())
    assert len(inspect.getsource(adain_training.Lesson.step).splitlines()) <= 25


def test_what_is_shipped_is_loaded_again(run, tmp_path):
    from lecture_utils import recipes

    record = recipes.run_recipe("adain_decoder", run, tmp_path, state=tmp_path / "state")
    assert {"held_out_style", "held_out_style_before", "held_out_content"} <= set(record.metrics)
    decoder = networks.load_decoder(folder=tmp_path)
    assert decoder(torch.rand(1, 512, 2, 2)).shape == (1, 3, 16, 16)
