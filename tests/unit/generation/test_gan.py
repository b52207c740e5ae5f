"""The plane's data and its modes, the first networks, and the Parzen window against scikit-learn."""

import math

import numpy as np
import pytest
import torch
from sklearn.neighbors import KernelDensity

from lecture_utils import start
from lecture_utils.generation import gan
from lecture_utils.generation.gan_training import PairSettings
from lecture_utils.recipes.generation import gan_modes


@pytest.fixture
def run():
    return start(profile="ci", device="cpu", quiet=True)


def test_the_ring_has_the_moments_of_its_mixture(run):
    points = gan.ring(20_000, run.generator(1))
    assert points.mean(0).abs().max() < 0.05
    # E |x|^2 is the squared radius plus the two variances.
    assert points.square().sum(1).mean() == pytest.approx(4 + 2 * 0.01, rel=0.01)
    found = gan.mode_report(points, gan.ring_centres())
    assert found["modes"] == 8
    # Within 3 standard deviations in the plane: 1 - exp(-9/2).
    assert found["near"] == pytest.approx(1 - math.exp(-4.5), abs=0.003)
    assert found["reverse_kl"] < 0.001


def test_two_moons_are_two_half_circles(run):
    points = gan.two_moons(5_000, run.generator(1))
    centres = torch.tensor([[-0.75, -0.375], [0.75, 0.375]])
    radius = torch.cdist(points, centres)
    assert (radius - 1.5).abs().min(1).values.mean() < 0.1
    assert points.mean(0).abs().max() < 0.1


def test_collapse_is_seen(run):
    centres = gan.ring_centres()
    one = centres[:1] + 0.01 * torch.randn(1_000, 2, generator=run.generator(1))
    found = gan.mode_report(one, centres)
    assert found["modes"] == 1 and found["near"] == 1
    assert found["reverse_kl"] == pytest.approx(math.log(8), rel=1e-6)
    half = centres[:4].repeat(250, 1)
    assert gan.mode_report(half, centres)["reverse_kl"] == pytest.approx(math.log(2), rel=1e-6)
    # Points between the modes belong to none.
    assert gan.mode_report(torch.zeros(100, 2), centres)["modes"] == 0


def test_networks_map_codes_to_images_and_images_to_logits(run):
    shape = (3, 8, 8)
    G = gan.fully_connected_generator(shape, 5, (16, 16))
    D = gan.fully_connected_discriminator(shape, (16,), dropout=0.5)
    images = G(torch.randn(4, 5, generator=run.generator(1)))
    assert images.shape == (4, *shape) and images.min() >= 0 and images.max() <= 1
    assert D(images).shape == (4, 1)
    assert sum(isinstance(layer, torch.nn.Dropout) for layer in D) == 1
    assert isinstance(D[-1], torch.nn.Linear)


def test_parzen_agrees_with_scikit_learn(run):
    samples, validation, test = torch.rand(3, 40, 2, 3, generator=run.generator(1))
    found = gan.parzen(samples, validation, test)
    scores = {}
    for sigma in np.logspace(-1.5, 0, 16):
        kde = KernelDensity(bandwidth=sigma).fit(samples.flatten(1).numpy())
        scores[sigma] = (
            kde.score_samples(validation.flatten(1)).mean(),
            kde.score_samples(test.flatten(1)),
        )
    best = max(scores, key=lambda s: scores[s][0])
    assert found.sigma == pytest.approx(best)
    assert found.value == pytest.approx(scores[best][1].mean(), rel=1e-5)
    assert found.error == pytest.approx(scores[best][1].std(ddof=1) / 40**0.5, rel=1e-4)


def test_the_ablation_compares_what_it_says(run):
    variants = gan_modes.variants(start(profile="book", device="cpu", quiet=True))
    assert len(variants) == 2 * 5 * 4
    assert variants["relativistic, 0.3, seed 2"]["seed"] == 2
    rates = variants["standard, 0, seed 0"]["rates"]
    assert rates["generator"] == 5 * rates["discriminator"]
    assert gan_modes.objective("relativistic", 0.3).paired
    assert not gan_modes.objective("standard", 0.3).paired


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"steps": 0}, "steps=0; it must be a whole number of at least 1"),
        ({"penalty": -1}, "penalty=-1; it must be a number of at least 0"),
        ({"momentum": 1}, "momentum=1"),
        ({"rate": 0}, "rate=0"),
    ],
)
def test_choices_are_checked_when_they_are_made(choice, words):
    with pytest.raises(ValueError, match=words):
        PairSettings(**({"steps": 2} | choice))
