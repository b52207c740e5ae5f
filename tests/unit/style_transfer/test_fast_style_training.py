"""The training of style networks: choices, the step, and the comparison with optimisation."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest
import torch

from lecture_utils import checkpoints, data, recipes, start
from lecture_utils.losses import feature_distance
from lecture_utils.style_transfer import training
from lecture_utils.style_transfer.fast_style import TransformNetwork
from lecture_utils.style_transfer.networks import DECODER, MANY, SHARED, STYLES, checkpoint
from lecture_utils.style_transfer.texture import gram_matrix, style_distance
from lecture_utils.training import cosine
from lecture_utils.vgg import random_vgg

SMALL = training.Settings(
    ("wave",),
    steps=2,
    batch=2,
    side=32,
    early_batch=1,
    early_side=16,
    stroke=32,
    width=4,
    optimised=1,
    iterations=2,
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
        ({"early": -1}, "early=-1; it must be a number in 0 .. 1"),
        ({"early_side": 8}, "early_side=8; it must be a whole number of at least 16"),
        ({"paintings": "wave"}, r"paintings='wave'; they need a tuple .*'starry_night', 'wave'"),
        ({"paintings": ()}, "need a tuple of names"),
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


def lesson(run, settings, targets):
    vgg = random_vgg(settings.style_layers, run, depth=16)
    network = TransformNetwork(settings.width, len(settings.paintings))
    model, optimizer = run.fabric.setup(network, torch.optim.Adam(network.parameters(), lr=2e-3))
    return vgg, training.Lesson(
        fabric=run.fabric,
        network=model,
        optimizer=optimizer,
        content=random_vgg([settings.content_layer], run, depth=16),
        style=vgg,
        grams=training.gram_matrices(vgg, targets, settings.style_layers),
        settings=settings,
    )  # fmt: skip


FIRST = torch.zeros(2, dtype=torch.long)


def test_the_early_part_of_the_steps_sees_small_crops():
    chosen = replace(SMALL, steps=8, early=0.75)
    assert [chosen.crops(i) for i in (0, 5, 6, 7)] == [(1, 16), (1, 16), (2, 32), (2, 32)]
    assert replace(chosen, early=0).crops(0) == (2, 32)


def test_the_step_measures_what_the_optimisation_lowers(run):
    """Two routes to the same numbers: the step's, and the objective of one photograph."""
    torch.manual_seed(0)
    target = training.painting("wave", run, 32)
    vgg, taught = lesson(run, SMALL, [target])
    photo = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        painted = taught.network(photo)
    parts = training.objective(vgg, photo, target, SMALL).losses(painted)
    logged = taught.step(photo, FIRST[:1])
    assert float(logged["content"]) == pytest.approx(float(parts.content), rel=1e-4)
    assert float(logged["style"]) == pytest.approx(float(parts.style), rel=1e-4)
    assert float(logged["variation"]) == pytest.approx(float(parts.variation), rel=1e-4)
    found, wanted = vgg(painted), vgg(photo)
    direct = feature_distance(found["relu3_3"], wanted["relu3_3"])
    assert float(parts.content) == pytest.approx(float(direct), rel=1e-4)
    grams = {name: gram_matrix(h) for name, h in vgg(target).items()}
    assert float(parts.style) == pytest.approx(float(style_distance(found, grams)), rel=1e-4)


def test_each_photograph_is_painted_and_judged_in_its_own_style(run):
    torch.manual_seed(0)
    several = replace(SMALL, paintings=("wave", "udnie", "the_scream"))
    targets = [torch.rand(1, 3, 32, 32 + 8 * k) for k in range(3)]
    vgg, taught = lesson(run, several, targets)
    for name, p in taught.network.named_parameters():
        if name.endswith("shift"):
            torch.nn.init.normal_(p)
    photos, which = torch.rand(2, 3, 32, 32), torch.tensor([2, 0])
    with torch.no_grad():
        painted = [
            taught.network(photos[k : k + 1], torch.eye(3)[i][None]) for k, i in enumerate(which)
        ]
    expected = [
        float(training.objective(vgg, photos[:1], targets[i], several).losses(y).style)
        for i, y in zip(which, painted, strict=True)
    ]
    logged = taught.step(photos, which)
    assert float(logged["style"]) == pytest.approx(sum(expected) / 2, rel=1e-4)
    # A style that no photograph of the batch has keeps its scales and shifts.
    for name, p in taught.network.named_parameters():
        if name.endswith(("scale", "shift")):
            assert p.grad[1].abs().sum() == 0
            assert p.grad[2].abs().sum() > 0


def test_style_distances_have_the_gradient_of_the_written_out_distance(run):
    features = {"a": torch.rand(2, 3, 5, 6).double().requires_grad_()}
    wanted = {"a": torch.rand(2, 3, 3).double()}
    wanted["a"] = wanted["a"] + wanted["a"].transpose(1, 2)
    found = training.style_distances(features, wanted, {"a": 2.0})
    products = gram_matrix(features["a"])
    expected = (products - wanted["a"]).square().sum((1, 2)) / wanted["a"].square().sum((1, 2))
    assert torch.allclose(found.double(), expected, rtol=1e-5)
    slopes = [torch.autograd.grad(x.sum(), features["a"])[0] for x in (found, expected)]
    assert torch.allclose(*slopes, rtol=1e-4)


def test_steps_lower_the_objective_and_leave_vgg_alone(run):
    torch.manual_seed(0)
    vgg, taught = lesson(run, SMALL, [training.painting("wave", run, 32)])
    before = {key: value.clone() for key, value in vgg.state_dict().items()}
    photos = torch.rand(2, 3, 32, 32)

    def whole(parts):
        return float(parts["content"] + 10 * parts["style"] + 0.5 * parts["variation"])

    losses = [whole(taught.step(photos, FIRST)) for _ in range(15)]
    assert losses[-1] < 0.8 * losses[0]
    assert all(torch.equal(value, before[key]) for key, value in vgg.state_dict().items())


class Unchanged(torch.nn.Module):
    """A network that paints nothing."""

    def forward(self, images, mix):
        return images


def test_the_comparison_takes_the_best_of_the_optimisation(run):
    vgg = random_vgg(SMALL.style_layers, run, depth=16)
    target = training.painting("wave", run, 32)
    photo = torch.rand(1, 3, 32, 32)
    goal = training.objective(vgg, photo, target, SMALL)
    case = training.Case("wave", torch.ones(1, 1), photo, goal)
    found = training.compare(Unchanged(), [case], 5)
    at_start = float(goal(photo))
    assert found["compared_network_objective"] == pytest.approx(at_start, rel=1e-5)
    assert 0 < found["compared_objective_after_5_iterations"] < at_start


def test_several_styles_are_measured_one_by_one(run):
    vgg = random_vgg(SMALL.style_layers, run, depth=16)
    chosen = replace(SMALL, paintings=("wave", "udnie"))
    targets = [torch.rand(1, 3, 32, 32) for _ in range(2)]
    aside = [photo[:32, :32] for photo in list(data.photos().values())[:3]]
    cases = training.held_out_cases(vgg, aside, targets, run, chosen)
    assert [case.painting for case in cases] == ["wave", "udnie"] * 2
    assert [case.mix.argmax().item() for case in cases] == [0, 1] * 2
    found = training.held_out(Unchanged(), cases)
    of_each = [found[f"held_out_objective_{name}"] for name in chosen.paintings]
    assert found["held_out_objective"] == pytest.approx(sum(of_each) / 2, rel=1e-5)
    direct = [float(case.objective(case.photograph)) for case in cases[::2]]
    assert of_each[0] == pytest.approx(sum(direct) / 2, rel=1e-5)


def shared(folder, paintings=("wave", "udnie", "the_scream")):
    """A checkpoint of a network with several styles, in a folder."""
    torch.manual_seed(3)
    network = TransformNetwork(4, len(paintings))
    for p in network.parameters():
        torch.nn.init.normal_(p, std=0.2)
    record = checkpoints.Record(
        "many", "many", "unknown", "ci", ["photos"], 0, 1, 1.0, "none", {},
        settings={"width": 4, "upsampling": "nearest", "paintings": list(paintings)},
    )  # fmt: skip
    checkpoints.save(network.state_dict(), record, folder)
    return network


def test_a_training_starts_from_the_style_of_another_network(tmp_path):
    several = shared(tmp_path)
    own = training.first_weights(replace(SMALL, paintings=("udnie",), start="many"), tmp_path)
    photo = torch.rand(1, 3, 32, 40)
    with torch.no_grad():
        assert torch.equal(own(photo), several(photo, torch.eye(3)[1:2]))
    for change, words in (
        ({"width": 8}, "whose width is 4, with 8"),
        ({"paintings": ("udnie", "shipwreck")}, "has no style shipwreck; it has wave, udnie"),
    ):
        with pytest.raises(ValueError, match=words):
            training.first_weights(replace(SMALL, start="many", **change), tmp_path)
    with pytest.raises(checkpoints.CheckpointError, match="no checkpoint 'none'"):
        training.first_weights(replace(SMALL, start="none"), tmp_path)


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


def test_a_network_of_one_style_starts_from_the_one_of_several():
    book = start(profile="book", device="cpu", quiet=True)
    for style in STYLES:
        chosen = training.own_style(book, style)
        assert (chosen.start, chosen.paintings) == (MANY, (style,))
        assert style in SHARED
        assert chosen.steps < training.fast_style(book, *SHARED).steps


def test_variants_are_trained_apart_and_keep_their_names(run, tmp_path):
    variants = {name: replace(SMALL, upsampling=name) for name in ("nearest", "transposed")}
    result = training.train_variants(run, tmp_path / "state", False, variants)
    assert {"nearest: held_out_objective", "transposed: held_out_style"} <= set(result.metrics)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["state-nearest", "state-transposed"]
    for name in variants:
        assert result.settings[name]["upsampling"] == name
        network = TransformNetwork(SMALL.width, upsampling=name)
        own = {k.removeprefix(f"{name}:"): v for k, v in result.tensors.items() if name in k}
        network.load_state_dict(own)
    assert result.history.steps == 4


def test_a_shipped_network_is_at_most_a_megabyte():
    parameters = sum(p.numel() for p in TransformNetwork(16).parameters())
    assert 2 * parameters < 1e6


def test_every_style_has_its_recipe():
    assert {*map(checkpoint, STYLES), MANY, DECODER} <= set(recipes.names())
    assert set(SHARED) <= set(data.PAINTINGS)


def test_paintings_have_the_size_that_is_asked_for(run):
    for name in SHARED:
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
