"""The feature network, its start from VGG16, and what its distillation measures."""

import numpy as np
import pytest
import torch

from lecture_utils import checkpoints, data, recipes, start
from lecture_utils.feature_network import (
    CHECKPOINT,
    LAYERS,
    STEPS,
    WIDTHS,
    FeatureNetwork,
    features,
    load_feature_network,
)
from lecture_utils.style_transfer.distillation import (
    STYLE_LAYERS,
    Crops,
    altered,
    gram,
    gram_distance,
    most_telling,
    narrowed,
    report,
    rescale,
    set_aside,
    statistics,
    style_pairs,
    style_removed,
)
from lecture_utils.vgg import AveragePool, random_vgg


@pytest.fixture
def run():
    return start(profile="ci", device="cpu", quiet=True)


def images(count, side, run):
    return torch.rand(count, 3, side, side, generator=run.generator())


def test_its_layers_are_vgg16s_in_number_order_and_size(run):
    network, teacher = FeatureNetwork(LAYERS), random_vgg(LAYERS, run, depth=16)
    assert list(network.steps) == list(teacher.steps) == list(STEPS)
    given = images(2, 40, run)
    own, theirs = network(given), teacher(given)
    assert {k: x.shape for k, x in own.items()} == {k: x.shape for k, x in theirs.items()}
    assert all((x >= 0).all() for x in own.values())
    assert not any(p.requires_grad for p in network.parameters())


def test_what_is_shipped_fits_into_five_megabytes():
    count = sum(x.numel() for x in FeatureNetwork(LAYERS).state_dict().values())
    assert 2 * count <= 5e6


def test_only_what_is_wanted_is_built():
    network = FeatureNetwork(["relu2_1"], pooling="avg", padding="replicate")
    assert list(network.steps)[-1] == "relu2_1" and list(network.lifts) == ["relu2_1"]
    assert isinstance(network.steps["pool1"], AveragePool)
    assert network.steps["conv2_1"].padding_mode == "replicate"
    assert network.steps["conv2_1"].out_channels == WIDTHS[1]


@pytest.mark.parametrize("layers", [[], ["relu5_1"], ["relu1_2", "conv4_3"]])
def test_unknown_layers_are_refused_with_the_list(layers):
    with pytest.raises(ValueError, match=r"at least one of relu1_1, .*relu4_3\. Deeper"):
        FeatureNetwork(layers)


@pytest.mark.parametrize("option", [{"pooling": "mean"}, {"padding": "reflect"}])
def test_unknown_options_are_refused(option):
    with pytest.raises(ValueError, match=r"got the .* it must be '\w+' or '\w+'"):
        FeatureNetwork(["relu1_1"], **option)


def test_with_all_channels_it_starts_as_vgg16_itself(run):
    teacher = random_vgg(LAYERS[:4], run, depth=16)
    given = images(4, 64, run)
    measured = statistics(teacher, [given[:2], given[2:]])
    whole = dict.fromkeys(LAYERS[4:], measured["relu2_2"])
    for name in whole:  # deeper layers are not compared: one channel does
        second = torch.eye(random_vgg([name], run, depth=16)(given)[name].shape[1])
        whole[name] = type(measured["relu2_2"])(second.double(), 1.0)
    network = narrowed(random_vgg(LAYERS, run, depth=16), measured | whole, (64, 128, 8, 8))
    found = network(given)
    for name, wanted in teacher(given).items():
        ratio = wanted / measured[name].spread
        assert (found[name] - ratio).abs().max() < 0.02 * ratio.max(), name
    rescale(network, measured | whole)
    assert torch.allclose(
        network(given)["relu2_2"], measured["relu2_2"].spread * found["relu2_2"], rtol=1e-3
    )


def test_the_start_beats_any_random_choice_of_channels(run):
    """Half the channels, chosen, restore more of a layer than a hundred random halves do."""
    teacher = random_vgg(["relu1_2"], run, depth=16)
    second = statistics(teacher, [images(4, 32, run)])["relu1_2"].second

    def lost(chosen):
        own = second[chosen][:, chosen]
        restored = second[:, chosen] @ torch.linalg.solve(own, second[chosen])
        return float((second - restored).trace() / second.trace())

    generator = run.generator()
    others = [lost(torch.randperm(64, generator=generator)[:8]) for _ in range(100)]
    assert lost(most_telling(second, 8)) < min(others)


def test_channels_that_say_nothing_new_are_chosen_last(run):
    rows = torch.randn(6, 400, generator=run.generator(), dtype=torch.float64)
    rows[1], rows[3], rows[5] = 2 * rows[0], rows[2] - rows[4], 0
    second = rows @ rows.T / 400
    chosen = most_telling(second, 3)
    assert torch.linalg.matrix_rank(rows[chosen]) == 3
    assert most_telling(second, 6).tolist() == list(range(6))


def test_statistics_are_numpys(run):
    teacher = random_vgg(["relu1_1"], run, depth=16)
    given = images(3, 16, run)
    found = statistics(teacher, [given[:1], given[1:]])["relu1_1"]
    rows = teacher(given)["relu1_1"].numpy().transpose(1, 0, 2, 3).reshape(64, -1)
    np.testing.assert_allclose(found.second, rows @ rows.T / rows.shape[1], rtol=1e-4)
    np.testing.assert_allclose(found.spread, np.sqrt(rows.var(axis=1).mean()), rtol=1e-4)


def test_the_report_is_zero_for_the_teacher_and_one_for_its_mean(run):
    teacher = random_vgg(["relu1_2", "relu2_1"], run, depth=16)
    given = list(images(3, 24, run)[:, None])
    assert all(value < 1e-6 for value in report(teacher, teacher, given).values())
    features = [teacher(x) for x in given]
    means = {k: torch.cat([f[k] for f in features]).mean((0, 2, 3)) for k in features[0]}

    def constant(x):
        return {k: means[k].view(1, -1, 1, 1).expand_as(wanted) for k, wanted in teacher(x).items()}

    found = report(constant, teacher, given)
    assert found["residual_relu1_2"] == pytest.approx(1, rel=1e-4)
    assert found["residual_relu2_1"] == pytest.approx(1, rel=1e-4)
    assert 0 < found["gram_relu2_1"] < 1


def test_the_gram_distance_is_relative(run):
    features = images(2, 8, run)
    matrix = features[1].reshape(3, 64) @ features[1].reshape(3, 64).T / 64
    torch.testing.assert_close(gram(features)[1], matrix)
    assert float(gram_distance(features, gram(features))) < 1e-9
    assert float(gram_distance(2**0.5 * features, gram(features))) == pytest.approx(1, rel=1e-4)


def test_the_gradient_of_the_gram_distance_is_that_of_the_plain_formula(run):
    features = images(2, 8, run).double().requires_grad_()
    wanted = gram(images(2, 8, run).double().flip(0))
    rows = features.flatten(2)
    error = rows @ rows.transpose(1, 2) / 64 - wanted
    plain = (error.square().sum((1, 2)) / wanted.square().sum((1, 2))).mean()
    (expected,) = torch.autograd.grad(plain, features)
    (found,) = torch.autograd.grad(gram_distance(features, wanted), features)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-8)


def test_altered_images_are_nearer_to_the_style_and_near_to_what_they_were(run):
    network = random_vgg(["relu1_2", "relu2_1"], run, depth=16)
    ours, styles = images(2, 24, run), 0.3 + 0.2 * images(2, 24, run).flip(0)
    changed = altered(network, ours, styles, steps=4, size=0.01)
    assert (changed - ours).abs().max() <= 0.0401
    assert changed.min() >= 0 and changed.max() <= 1

    def distance(x):
        wanted = gram(network(styles)["relu2_1"])
        return float(gram_distance(network(x)["relu2_1"], wanted))

    assert distance(changed) < 0.8 * distance(ours)


def test_the_teacher_removes_all_that_it_removes_and_colours_alone_remove_less(run):
    teacher = random_vgg(STYLE_LAYERS, run, depth=16)
    pairs = style_pairs(run, [data.photos()["astronaut"]], 32)
    assert all(x.shape == (1, 3, 32, 32) for pair in pairs.values() for x in pair)
    found = style_removed(teacher, teacher, pairs, steps=8)
    assert set(found) == {"style_removed", "speedup"} | {f"style_removed_{k}" for k in pairs}
    assert found["style_removed"] == pytest.approx(1, abs=1e-4)

    def colours(x):
        return dict.fromkeys(STYLE_LAYERS, x)

    other = style_removed(colours, teacher, pairs, steps=8)
    assert other["style_removed"] < 0.9
    assert other["speedup"] > 1


def test_crops_are_drawn_alike_from_alike_generators(run):
    photographs = {"photos": list(data.photos().values())}
    crops = Crops(photographs, 48)
    first, second = (crops.draw(6, run.generator()) for _ in range(2))
    assert first.shape == (6, 3, 48, 48) and torch.equal(first, second)
    assert first.min() >= 0 and first.max() <= 1
    plain = crops.draw(6, run.generator(), change=False)
    assert 0 < sum(not torch.equal(a, b) for a, b in zip(plain, first, strict=True)) < 6
    with pytest.raises(ValueError, match=r"No photograph holds a crop of 5000 pixels"):
        Crops(photographs, 5000)


def test_images_set_aside_are_not_trained_on():
    sets = {"a": [np.full((1, 1, 3), i, np.uint8) for i in range(50)], "b": [np.zeros((1, 1, 3))]}
    kept, aside = set_aside(sets, 4)
    values = [int(x[0, 0, 0]) for x in aside]
    assert values == [6, 18, 30, 42]
    assert len(kept["a"]) == 46 and not set(values) & {int(x[0, 0, 0]) for x in kept["a"]}


def test_it_can_be_trained_in_bfloat16(tmp_path):
    run = start(profile="ci", device="cpu", precision="bf16-mixed", quiet=True)
    record = recipes.run_recipe(CHECKPOINT, run, tmp_path, state=tmp_path / "state", progress=False)
    assert record.settings["precision"] == "bf16-mixed"


@pytest.mark.skipif(CHECKPOINT not in checkpoints.names(), reason="it is not trained yet")
def test_the_shipped_network_keeps_what_its_record_promises(run):
    network = load_feature_network(LAYERS, run)
    assert "distilled" in network.source
    metrics = checkpoints.record(CHECKPOINT).metrics
    limits = {"relu1_2": 0.10, "relu2_2": 0.15, "relu3_3": 0.20, "relu4_3": 0.30}
    for name, limit in limits.items():
        assert metrics[f"residual_{name}"] <= limit
    deep = network(images(1, 32, run))
    shallow = load_feature_network(["relu2_2"], run)(images(1, 32, run))
    assert torch.equal(deep["relu2_2"], shallow["relu2_2"])


def test_features_are_vgg16s_where_its_weights_are_and_else_the_shipped_networks(run, monkeypatch):
    def found(name, by):
        def load(layers, run, **options):
            assert options.pop("depth", 16) == 16
            return name, layers, options

        monkeypatch.setattr(f"lecture_utils.feature_network.{by}", load)

    found("VGG16", "load_vgg")
    found("shipped", "load_feature_network")
    options = {"pooling": "avg", "padding": "replicate"}
    for folder, name in (("here", "VGG16"), (None, "shipped")):
        monkeypatch.setattr(data, "find", lambda _, folder=folder: folder)
        assert features(["relu3_3"], run, **options) == (name, ["relu3_3"], options)
    monkeypatch.setattr(data, "find", lambda _: "here")
    # A layer that only VGG16 has is refused everywhere, not on some machines.
    assert features(["relu5_1"], run)[0] == "shipped"
