"""The training of style networks: choices, the step, and the comparison with optimisation."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest
import torch

from lecture_utils import data, recipes, start
from lecture_utils.losses import feature_distance
from lecture_utils.style_transfer import training
from lecture_utils.style_transfer.fast_style import TransformNetwork
from lecture_utils.style_transfer.networks import STYLES, checkpoint
from lecture_utils.style_transfer.texture import gram_matrix, style_distance
from lecture_utils.training import cosine
from lecture_utils.vgg import random_vgg

SMALL = training.Settings(
    "wave", steps=2, batch=2, side=32, stroke=32, width=4, optimised=1, iterations=2
)


@pytest.fixture(scope="module")
def run():
    return start(profile="ci", device="cpu", quiet=True)


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"steps": 0}, "steps=0; it must be a whole number of at least 1"),
        ({"side": 8}, "side=8; it must be a whole number of at least 16"),
        ({"beta": -1}, "beta=-1; it must be a number of at least 0"),
        ({"alpha": float("nan")}, "alpha=nan"),
        ({"learning_rate": 0}, "learning_rate=0; it must be a number above 0"),
        ({"rise": 2}, "rise=2; it must be a number in 0 .. 1"),
        ({"upsampling": "cubic"}, "upsampling='cubic'; it must be one of nearest, transposed"),
        ({"content_layer": "relu9_9"}, "content_layer='relu9_9'; it must be one of conv1_1"),
        ({"style_layers": "relu2_2"}, "need a tuple of names"),
        ({"style_layers": ("relu2_2", "relu2_9")}, "style_layers='relu2_9'"),
        ({"style_weights": (1.0,)}, "for 4 layers; they need one weight a layer"),
        ({"style_weights": (0, 0, 0, 0)}, "one that is not 0"),
    ],
)
def test_choices_are_checked_when_they_are_made(choice, words):
    with pytest.raises(ValueError, match=words):
        replace(SMALL, **choice)


def test_the_step_fits_a_page():
    lines = inspect.getsource(training.Lesson.step).splitlines()
    assert len(lines) <= 25


def test_the_learning_rate_rises_and_falls_to_zero():
    rate = cosine(0.5, 100, 0.1)
    assert rate(0) == pytest.approx(0.05)
    assert max(map(rate, range(100))) == 0.5
    assert rate(55) == pytest.approx(0.25)
    assert rate(99) < 0.001


def lesson(run, settings):
    vgg = random_vgg(settings.style_layers, run, depth=16)
    target = training.painting("wave", run, settings.stroke)
    network = TransformNetwork(settings.width)
    model, optimizer = run.fabric.setup(network, torch.optim.Adam(network.parameters(), lr=2e-3))
    return vgg, target, training.Lesson(
        fabric=run.fabric,
        network=model,
        optimizer=optimizer,
        content=random_vgg([settings.content_layer], run, depth=16),
        style=vgg,
        grams={name: gram_matrix(h) for name, h in vgg(target).items()},
        settings=settings,
    )  # fmt: skip


def test_the_step_measures_what_the_optimisation_lowers(run):
    """Two routes to the same numbers: the step's, and the objective of one photograph."""
    torch.manual_seed(0)
    vgg, target, taught = lesson(run, SMALL)
    photo = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        painted = taught.network(photo)
    parts = training.objective(vgg, photo, target, SMALL).losses(painted)
    logged = taught.step(photo)
    assert float(logged["content"]) == pytest.approx(float(parts.content), rel=1e-4)
    assert float(logged["style"]) == pytest.approx(float(parts.style), rel=1e-4)
    assert float(logged["variation"]) == pytest.approx(float(parts.variation), rel=1e-4)
    found, wanted = vgg(painted), vgg(photo)
    direct = feature_distance(found["relu3_3"], wanted["relu3_3"])
    assert float(parts.content) == pytest.approx(float(direct), rel=1e-4)
    assert float(parts.style) == pytest.approx(float(style_distance(found, taught.grams)), rel=1e-4)


def test_steps_lower_the_objective_and_leave_vgg_alone(run):
    torch.manual_seed(0)
    vgg, _, taught = lesson(run, SMALL)
    before = {key: value.clone() for key, value in vgg.state_dict().items()}
    photos = torch.rand(2, 3, 32, 32)

    def whole(parts):
        return float(parts["content"] + 10 * parts["style"] + 0.5 * parts["variation"])

    losses = [whole(taught.step(photos)) for _ in range(15)]
    assert losses[-1] < 0.8 * losses[0]
    assert all(torch.equal(value, before[key]) for key, value in vgg.state_dict().items())


def test_the_comparison_takes_the_best_of_the_optimisation(run):
    vgg = random_vgg(SMALL.style_layers, run, depth=16)
    target = training.painting("wave", run, 32)
    photo = torch.rand(1, 3, 32, 32)
    goal = training.objective(vgg, photo, target, SMALL)
    found = training.compare(torch.nn.Identity(), [goal], [photo], 5)
    at_start = float(goal(photo))
    assert found["compared_network_objective"] == pytest.approx(at_start, rel=1e-5)
    assert 0 < found["compared_objective_after_5_iterations"] < at_start


def test_training_ships_half_precision_and_says_what_was_measured(run):
    result = training.train_style(run, None, False, SMALL)
    assert {t.dtype for t in result.tensors.values()} == {torch.float16}
    assert {"held_out_objective", "held_out_style"} <= set(result.metrics)
    assert "compared_objective_after_2_iterations" in result.metrics
    assert result.settings["features"] == "random weights"
    network = TransformNetwork(SMALL.width)
    network.load_state_dict(result.tensors)


def test_a_killed_training_ends_with_the_same_weights(run, tmp_path, monkeypatch):
    chosen = replace(SMALL, steps=4)
    straight = training.train_style(run, tmp_path / "a", False, chosen)
    draw, count = training.Crops.draw, 0

    def draw_or_stop(self, *args, **kwargs):
        nonlocal count
        count += 1
        if count == 3:
            raise RuntimeError("killed")
        return draw(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(training.Crops, "draw", draw_or_stop)
        with pytest.raises(RuntimeError, match="killed"):
            training.train_style(run, tmp_path / "b", False, chosen)
    again = training.train_style(run, tmp_path / "b", False, chosen)
    for key, value in straight.tensors.items():
        assert torch.equal(value, again.tensors[key])
    assert again.metrics == straight.metrics
    with pytest.raises(ValueError, match="beta"):
        training.train_style(run, tmp_path / "b", False, replace(chosen, beta=3))


def test_a_shipped_network_is_at_most_a_megabyte():
    parameters = sum(p.numel() for p in TransformNetwork(16).parameters())
    assert 2 * parameters < 1e6


def test_every_style_has_its_recipe():
    assert {checkpoint(style) for style in STYLES} <= set(recipes.names())


def test_paintings_have_the_size_that_is_asked_for(run):
    for name in STYLES:
        found = training.painting(name, run, 64)
        assert min(found.shape[-2:]) == 64
        assert 0 <= float(found.min()) < float(found.max()) <= 1
    with pytest.raises(ValueError, match=r"The painting is 'none'.*wave"):
        training.painting("none", run, 64)


def test_the_embedded_paintings_are_too_small_to_train_with(monkeypatch, tmp_path):
    monkeypatch.setenv("LECTURE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LECTURE_CACHE_DIR", str(tmp_path))
    book = start(profile="book", device="cpu", quiet=True)
    with pytest.raises(data.DataNotFoundError, match="Paintings made before 1914"):
        training.painting("wave", book, 64)
