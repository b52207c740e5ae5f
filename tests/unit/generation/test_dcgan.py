"""DCGAN's networks, the transposed convolution, the average of weights, and how samples are judged."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lecture_utils import start
from lecture_utils.generation import training
from lecture_utils.generation.attributes import (
    FaceNetwork,
    attributes,
    balanced_accuracy,
    matches,
)
from lecture_utils.generation.dcgan import (
    Augmented,
    Discriminator,
    Generator,
    augment,
    slerp,
    transposed_matrix,
    widths,
)
from lecture_utils.generation.training import (
    GeneratorSettings,
    Judge,
    load_players,
    moving_average,
    objective,
    sample,
    train_generator,
)
from lecture_utils.sample_metrics import FeatureSpace


@pytest.fixture
def run():
    return start(profile="ci", device="cpu", quiet=True)


def codes(n, latent, seed=0):
    return torch.randn(n, latent, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("enlarge", ["transposed", "interpolated"])
@pytest.mark.parametrize("size", [8, 32, 64])
def test_generators_make_images_in_0_to_1_and_discriminators_logits(size, enlarge):
    images = Generator(size, 4, latent=7, enlarge=enlarge)(codes(2, 7))
    assert images.shape == (2, 3, size, size)
    assert images.min() >= 0
    assert images.max() <= 1
    critic = Discriminator(size, 4)
    assert critic(images).shape == (2, 1)
    channels = sum(widths(size, 4))
    assert critic.features(images).shape == (2, 16 * channels)


def test_the_paper_s_generator_has_the_weights_of_its_figure_1():
    """100 -> 4x4x1024 -> 8x8x512 -> 16x16x256 -> 32x32x128 -> 64x64x3, filters of 4 x 4."""
    assert widths(64, 128) == [1024, 512, 256, 128]
    network = Generator(64, 128)
    filters = 16 * (100 * 1024 + 1024 * 512 + 512 * 256 + 256 * 128 + 128 * 3) + 3
    assert sum(p.numel() for p in network.parameters()) == filters + 2 * (1024 + 512 + 256 + 128)


@pytest.mark.parametrize(
    "options", [{"pooling": True}, {"normalised": False}, {"hidden": 5}, {"slope": 0.0}]
)
def test_discriminators_may_break_each_guideline(options):
    assert Discriminator(16, 2, **options)(torch.rand(3, 3, 16, 16)).shape == (3, 1)
    if "pooling" not in options and "slope" not in options:
        assert Generator(16, 2, **options)(codes(3, 100)).shape == (3, 3, 16, 16)


def test_sizes_that_four_is_not_doubled_to_are_refused():
    for size in (4, 48, 63):
        with pytest.raises(ValueError, match="doubles"):
            widths(size, 8)


@pytest.mark.parametrize(("taps", "stride"), [(4, 2), (6, 2), (3, 3), (8, 4)])
def test_a_transposed_convolution_is_the_transpose_of_the_strided_one(taps, stride):
    generator = torch.Generator().manual_seed(0)
    kernel = torch.randn(taps, generator=generator)
    S = transposed_matrix(kernel, 4 * stride, stride)
    x, y = torch.randn(4 * stride, generator=generator), torch.randn(4, generator=generator)
    margin, filters = (taps - stride) // 2, kernel[None, None]
    shrunk = F.conv1d(x[None, None], filters, stride=stride, padding=margin)[0, 0]
    grown = F.conv_transpose1d(y[None, None], filters, stride=stride, padding=margin)[0, 0]
    assert torch.allclose(S @ x, shrunk, atol=1e-5)
    assert torch.allclose(S.T @ y, grown, atol=1e-5)
    assert float((S @ x) @ y) == pytest.approx(float(x @ (S.T @ y)), abs=1e-4)


def test_spherical_interpolation_keeps_the_length_and_the_speed():
    start_, end = codes(2, 50)
    end = end * start_.norm() / end.norm()
    path = slerp(start_, end, torch.linspace(0, 1, 9))
    assert torch.allclose(path[0], start_, atol=1e-5)
    assert torch.allclose(path[-1], end, atol=1e-5)
    assert torch.allclose(path.norm(dim=1), start_.norm().expand(9), rtol=1e-5)
    steps = (path[1:] - path[:-1]).norm(dim=1)
    assert float(steps.max() - steps.min()) < 1e-4
    same = slerp(start_, 2 * start_, torch.tensor([0.5]))
    assert torch.allclose(same[0], 1.5 * start_, rtol=1e-4)


def test_augmentation_keeps_the_size_and_lets_gradients_pass():
    images = torch.rand(4, 3, 16, 16, requires_grad=True)
    changed = augment(images, 1.0)
    assert changed.shape == images.shape
    changed.sum().backward()
    assert float(images.grad.abs().sum()) > 0
    assert torch.allclose(augment(images, 0.0), images, atol=1e-6)


def test_augmentation_is_for_training_only_and_its_mean_is_the_image():
    critic = Augmented(Discriminator(8, 2, normalised=False), amount=1.0)
    images = torch.rand(2, 3, 8, 8)
    assert not torch.equal(critic(images), critic(images))
    critic.eval()
    assert torch.equal(critic(images), critic.discriminator(images))
    torch.manual_seed(0)
    flat = torch.full((4000, 3, 8, 8), 0.5)
    assert float(augment(flat, 1.0).mean()) == pytest.approx(0.5, abs=0.01)


def test_the_average_forgets_half_in_its_half_life():
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    average = moving_average(network, batch=10, half_life=100, ramp=10.0)
    average.update_parameters(network)  # the first one is a copy
    nn.init.ones_(network.weight)
    for _ in range(10):
        average.update_parameters(network)
    assert float(average.module.weight) == pytest.approx(0.5, abs=1e-6)


def test_the_average_s_half_life_is_short_at_the_start():
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    average = moving_average(network, batch=10, half_life=10**6, ramp=0.05)
    average.update_parameters(network)
    nn.init.ones_(network.weight)
    for _ in range(200):
        average.update_parameters(network)
    assert float(average.module.weight) > 0.99


def test_the_average_includes_the_statistics_of_the_normalisation():
    network = nn.BatchNorm1d(2)
    average = moving_average(network, batch=10, half_life=10)
    average.update_parameters(network)
    network(5 + torch.randn(50, 2))
    average.update_parameters(network)
    assert 0 < float(average.module.running_mean.mean()) <= float(network.running_mean.mean())


def test_penalties_are_rare_and_weigh_as_much_more():
    settings = GeneratorSettings(images=10, penalty=0.5, every=4, loss="relativistic")
    penalised, plain = objective(settings)
    assert penalised.penalty_weight == 2
    assert penalised.paired
    assert float(plain.penalty()) == 0
    assert objective(GeneratorSettings(images=10))[0] == objective(GeneratorSettings(images=10))[1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"images": 0},
        {"loss": "wasserstein"},
        {"enlarge": "pixel shuffle"},
        {"augment": 1.5},
        {"penalty": -1},
        {"momentum": 1.0},
    ],
)
def test_settings_are_checked(wrong):
    with pytest.raises(ValueError, match="The settings got"):
        GeneratorSettings(**{"images": 10} | wrong)


SMALL = GeneratorSettings(images=24, batch=4, latent=3, width=2, evaluations=1)


def small_judge(run, n=16):
    images = torch.randint(256, (n, 3, 8, 8), dtype=torch.uint8)
    space = FeatureSpace("pixels", lambda x: x.flatten(1))
    return Judge(run, images, images.flip(0), 8, space)


@pytest.mark.parametrize(
    "settings",
    [
        SMALL,
        replace(SMALL, enlarge="interpolated", d_norm=False, penalty=0.5, augment=0.5),
        replace(SMALL, loss="relativistic", d_norm=False, penalty=0.5, hidden=3),
    ],
)
def test_a_generator_is_trained_shipped_and_loaded(run, settings):
    torch.manual_seed(0)
    judge = small_judge(run)
    result = train_generator(run, None, False, settings, judge, "celeba_10k", moments=2)
    assert {"kid", "kid_error", "precision", "recall", "last_kid"} <= set(result.metrics)
    assert result.tensors["album"].shape == (2, 8, 3, 8, 8)
    assert result.settings["moments"] == [3, 6]
    assert float(result.tensors["album"].float().std()) > 0
    generator, critic = load_players(result.tensors, result.settings)
    images = sample(generator, judge.codes(3))
    again = judge.measure(judge.space(images))
    assert again["kid"] == pytest.approx(result.metrics["kid"], rel=1e-4)
    assert critic(images).shape == (8, 1)


def test_a_resumed_training_ends_as_one_that_was_not_stopped(run, tmp_path, monkeypatch):
    settings = replace(SMALL, augment=0.5, augment_after=0.0, evaluations=0)

    def train_it(state):
        torch.manual_seed(0)
        return train_generator(run, state, False, settings, small_judge(run), "celeba_10k")

    whole = train_it(None)
    state = tmp_path / "state.safetensors"
    original, calls = training.alternate, []

    def stops_in_the_fifth_step(*args):
        calls.append(args)
        if len(calls) == 5:
            raise InterruptedError
        return original(*args)

    monkeypatch.setattr(training, "alternate", stops_in_the_fifth_step)
    with pytest.raises(InterruptedError):
        train_it(state)
    monkeypatch.undo()
    assert state.exists()
    resumed = train_it(state)
    assert whole.tensors.keys() == resumed.tensors.keys()
    assert all(torch.equal(whole.tensors[k], resumed.tensors[k]) for k in whole.tensors)


def test_the_judge_finds_copies(run):
    judge = small_judge(run)
    copied = judge.copies(judge.training[:4].float() / 255)
    assert copied["copies"] == 1
    assert copied["nearest_least"] < 1e-3
    floor = judge.floor()
    assert floor["floor_precision"] > 0
    assert set(floor) == {
        f"floor_{k}" for k in ("kid", "kid_error", *("precision", "recall", "variety"))
    }


def test_balanced_accuracy_counts_yes_and_no_alike():
    true = torch.tensor([[True], [False], [False], [False]])
    assert balanced_accuracy(torch.zeros_like(true), true, ["a"]) == {"a": 0.5}
    assert balanced_accuracy(true, true, ["a"]) == {"a": 1.0}


def test_attributes_are_signs_of_logits_and_can_be_left_open():
    network = FaceNetwork(2, 2).eval()
    images = torch.rand(5, 3, 64, 64)
    found = attributes(network, images, batch=2)
    assert torch.equal(found, network(images) > 0)
    assert FaceNetwork(4, 2, whole=True)(images).shape == (5, 4)
    table = torch.tensor([[True, False], [True, True], [False, True]])
    assert matches(table, (True, None)).tolist() == [True, True, False]
    assert matches(table, (True, False)).tolist() == [True, False, False]
    assert np.all(matches(table, (None, None)).numpy())
