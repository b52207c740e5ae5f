"""Patches, schedule and validation of the super-resolution recipes, and trainings side by side."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from skimage.color import rgb2ycbcr

from lecture_utils import data, start
from lecture_utils.metrics import luminance, psnr, psnr_y
from lecture_utils.resize import imresize
from lecture_utils.super_resolution.fsrcnn import FSRCNN
from lecture_utils.super_resolution.srcnn import SRCNN
from lecture_utils.super_resolution.training import (
    Patches,
    Settings,
    Variant,
    describe,
    estimates,
    in_colour,
    pair,
    report,
    schedule,
    split,
    train_network,
    train_variants,
    training_images,
    validation,
)
from lecture_utils.super_resolution.vdsr import VDSR


@pytest.fixture
def run():
    return start(profile="ci", device="cpu", quiet=True)


def ramps(count, height, width, level):
    """Images whose pixels say where they are: rows in red, columns in green, the image in blue."""
    rows, columns = np.mgrid[:height, :width]
    return [
        np.stack([rows % 256, columns % 256, np.full_like(rows, level + i)], -1).astype(np.uint8)
        for i in range(count)
    ]


@pytest.mark.parametrize(("scale", "interpolated"), [(2, False), (3, False), (4, True)])
def test_input_and_target_show_the_same_place(scale, interpolated, run):
    """Interpolating a patch of the input gives its target where the image is smooth."""
    rows, columns = np.mgrid[:96, :120]
    smooth = 128 + 60 * np.sin(rows / 17) * np.cos(columns / 23)
    image = np.repeat(smooth[..., None], 3, -1).astype(np.uint8)
    patches = Patches(
        {"smooth": [image]}, Settings((scale,), 1, batch=24, patch=16), interpolated=interpolated
    )
    given, target = patches.draw(run.generator())
    assert given.shape == (24, 1, 16, 16)
    enlarged = given if interpolated else imresize(given, scale)
    assert target.shape == enlarged.shape
    inside = slice(6, -6)
    difference = (enlarged - target)[..., inside, inside].abs()
    assert difference.max() < 3 / 255
    # One pixel further the two would differ by more.
    shifted = (enlarged.roll(1, -1) - target)[..., inside, inside].abs()
    assert shifted.mean() > 2 * difference.mean()


def test_each_set_gives_the_same_share_however_large(run):
    sets = {"few": ramps(2, 48, 48, 0), "many": ramps(30, 64, 96, 100)}
    settings = Settings((2,), 1, batch=1500, patch=4, colour="rgb")
    _, target = Patches(sets, settings, interpolated=False).draw(run.generator())
    from_few = (target[:, 2].mean((1, 2)) * 255 < 50).double().mean()
    assert float(from_few) == pytest.approx(0.5, abs=0.05)


def test_patches_are_turned_and_mirrored_in_all_eight_ways(run):
    settings = Settings((2,), 1, batch=400, patch=4, colour="rgb")
    _, target = Patches({"a": ramps(1, 64, 64, 0)}, settings, interpolated=False).draw(
        run.generator(1)
    )
    steps = torch.stack(
        [
            (target[:, 0, 1, 0] - target[:, 0, 0, 0]).sign(),
            (target[:, 0, 0, 1] - target[:, 0, 0, 0]).sign(),
            (target[:, 1, 1, 0] - target[:, 1, 0, 0]).sign(),
            (target[:, 1, 0, 1] - target[:, 1, 0, 0]).sign(),
        ],
        1,
    )
    assert len({tuple(row) for row in steps.tolist()}) == 8


@pytest.mark.parametrize("interpolated", [True, False])
def test_scales_are_mixed_within_a_batch_where_the_input_is_interpolated(interpolated, run):
    """Each scale's inputs and targets are made uniform images of that grey level."""
    scales = (2, 3, 4)
    settings = Settings(scales, 1, batch=600, patch=8)
    patches = Patches({"a": ramps(1, 72, 72, 0)}, settings, interpolated=interpolated)
    patches.pairs = {
        scale: [(given * 0 + scale, target * 0 + scale) for given, target in patches.pairs[scale]]
        for scale in scales
    }
    generator = run.generator()
    draws = [patches.draw(generator) for _ in range(12)]
    for given, target in draws:
        assert torch.equal(given.flatten(1)[:, 0], target.flatten(1)[:, 0])
    shares = [
        [float((given[:, 0, 0, 0] == s).double().mean()) for s in scales] for given, _ in draws
    ]
    if interpolated:
        assert np.allclose(shares, 1 / 3, atol=0.08)
    else:
        assert {round(share) for row in shares for share in row} == {0, 1}
        assert len({row.index(1.0) for row in shares}) == 3


def test_too_small_images_get_a_sentence():
    with pytest.raises(ValueError, match="Take smaller patches"):
        Patches({"a": ramps(1, 20, 20, 0)}, Settings((4,), 1, patch=24), interpolated=False)


def test_what_is_held_out_is_not_trained_on():
    sets = {"a": ramps(20, 8, 8, 0), "b": ramps(3, 8, 8, 100)}
    kept, held_out = split(sets, 7)
    everything = [image for images in sets.values() for image in images]
    again = [image for images in kept.values() for image in images] + held_out
    assert sorted(id(x) for x in again) == sorted(id(x) for x in everything)
    assert len(held_out) == 7 + 1
    assert [len(images) for images in kept.values()] == [13, 2]


def test_the_rate_rises_and_falls():
    rate = schedule(Settings((2,), 1000, learning_rate=0.5))
    values = [rate(i) for i in range(1000)]
    assert max(values) == pytest.approx(0.5)
    assert values[9] == pytest.approx(0.5)
    assert values[0] == pytest.approx(0.05)
    assert values[505] == pytest.approx(0.25, abs=1e-3)
    assert 0 <= values[-1] < 1e-5
    assert all(a >= b for a, b in pairwise(values[9:]))


def test_colours_are_those_of_scikit_image():
    image = data.photos()["chelsea"][:20, :30]
    assert torch.allclose(
        in_colour(image, "ycbcr").double(),
        torch.from_numpy(rgb2ycbcr(image)).permute(2, 0, 1) / 255,
        atol=1e-6,
    )
    assert torch.allclose(in_colour(image, "y")[0], in_colour(image, "ycbcr")[0], atol=2e-5)
    assert in_colour(image[..., 0], "rgb").shape == (3, 20, 30)
    assert torch.equal(in_colour(image, "rgb"), torch.from_numpy(image).permute(2, 0, 1) / 255)


def test_estimates_are_measured_like_written_images():
    """Interpolation by an untrained residual network has the PSNR of bi-cubic interpolation."""
    image = data.photos()["coffee"][100:196, 200:296]
    network = VDSR(depth=2, width=2)
    ((x, y),) = estimates(network, [pair(image, 3, True)])
    bicubic = imresize(torch.from_numpy(luminance(imresize(image, 1 / 3))), 3)
    assert psnr(x, y, peak=255.0, border=3) == pytest.approx(
        psnr(bicubic, torch.from_numpy(luminance(image)), peak=255.0, border=3), abs=0.02
    )
    colour = torch.nn.Conv2d(3, 3, 1, bias=False)  # hands the image on as it is
    torch.nn.init.dirac_(colour.weight)
    ((x, y),) = estimates(colour, [pair(image, 3, True, "rgb")], "rgb")
    written = imresize(torch.from_numpy(imresize(image, 1 / 3)).permute(2, 0, 1).double() / 255, 3)
    eight_bits = (255 * written).round().clip(0, 255).byte().permute(1, 2, 0).numpy()
    assert psnr(x, y, peak=255.0, border=3) == pytest.approx(psnr_y(eight_bits, image, 3), abs=1e-3)


def test_parameters_without_gradient_stay(run):
    torch.manual_seed(0)
    network = FSRCNN(2)
    network.features.requires_grad_(False)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    settings = Settings((2,), 4, batch=2, patch=12)
    result = train_network(run, None, False, network, settings)
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key]) == key.startswith("features")
    assert result.history.steps == 4


def test_variants_are_compared_and_one_may_diverge(run, tmp_path):
    sets = {"photos": [data.photos()["chelsea"][:96, :96], data.photos()["coffee"][:96, :96]]}
    good = Settings((2,), 20, batch=2, patch=12)
    wild = replace(good, optimizer="sgd", loss="sum", learning_rate=1e6, clip=float("inf"))
    variants = {"good": Variant(SRCNN, good), "wild": Variant(SRCNN, wild)}
    state = tmp_path / "state.safetensors"
    result = train_variants(run, state, False, variants, sets=sets, ship=True)
    assert len(result.history.curves["good: held_out_x2_psnr_y"]) == 2
    assert result.metrics["wild: diverged_at_step"] <= 20
    assert {key.split(":")[0] for key in result.tensors} == {"good"}
    assert {v["images"]["photos"] for v in result.settings.values()} == {1}
    assert (tmp_path / "state-0.safetensors").exists()
    again = train_variants(run, state, False, variants, sets=sets, ship=True)
    assert all(torch.equal(a, again.tensors[key]) for key, a in result.tensors.items())


def test_clipped_updates_do_not_exceed_their_bound(run):
    """Without momentum's memory, in the first step, no weight moves further than the bound."""
    torch.manual_seed(0)
    network = VDSR(depth=4, width=8)
    before = [p.detach().clone() for p in network.parameters()]
    settings = Settings(
        (2,), 1, batch=2, patch=12, optimizer="sgd", loss="sum", learning_rate=0.5,
        clip_update=1e-3, clip=float("inf"),
    )  # fmt: skip
    train_network(run, None, False, network, settings)
    after = [p.detach() for p in network.parameters()]
    moved = [float((a - b).abs().max()) for a, b in zip(before, after, strict=True)]
    assert max(moved) == pytest.approx(1e-3, rel=1e-3)


def test_profile_full_downloads_training_sets_and_takes_no_stand_in(monkeypatch, tmp_path):
    asked = []

    def loader(name):
        def images(run=None):
            asked.append((name, run.profile))
            return data.photos()

        return images

    monkeypatch.setenv("LECTURE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LECTURE_CACHE_DIR", str(tmp_path))
    for name in ("t91", "bsds500_train"):
        monkeypatch.setattr(data, name, loader(name))
    full = start(profile="full", device="cpu", quiet=True)
    assert set(training_images(full)) == {"t91", "bsds500_train"}
    assert asked == [("t91", "full"), ("bsds500_train", "full")]
    assert set(training_images(start(profile="book", quiet=True))) == {"photos"}


def test_a_set_that_is_not_there_is_not_replaced_by_another():
    run = start(profile="ci", device="cpu", quiet=True)
    settings = Settings((3,), 2, batch=2, patch=20, sets=("t91",), held_out=1)
    images = list(data.photos().values())
    with pytest.raises(data.DataNotFoundError, match="data fetch t91"):
        train_network(run, None, False, SRCNN(), settings, sets={"imagenet_256": images})

    with pytest.raises(data.DataNotFoundError, match="takes the set 't91', and found are photos"):
        train_network(run, None, False, SRCNN(), settings, sets={"photos": images})


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"scales": ()}, r"scales=\(\); they need at least one"),
        ({"scales": 3}, r"scales=3; they need at least one"),
        ({"scales": (1,)}, "scales=1; it must be a whole number of at least 2"),
        ({"scales": (2.5,)}, "scales=2.5; it must be a whole number"),
        ({"steps": 0}, "steps=0"),
        ({"batch": 2.0}, "batch=2.0; it must be a whole number"),
        ({"patch": 0}, "patch=0"),
        ({"images": 0}, "images=0"),
        ({"held_out": -1}, "held_out=-1"),
        ({"evaluations": -1}, "evaluations=-1"),
        ({"learning_rate": 0}, "learning_rate=0; it must be a number above 0"),
        ({"learning_rate": float("nan")}, "learning_rate=nan"),
        ({"learning_rate": "fast"}, "learning_rate='fast'"),
        ({"rise": 2}, "rise=2"),
        ({"averaging": 1.0}, "averaging=1.0"),
        ({"clip": 0}, "clip=0"),
        ({"clip_update": -1.0}, "clip_update=-1.0"),
        ({"clip_update": 1e-3}, "a training clips in one way"),
        ({"optimizer": "adamw"}, "optimizer='adamw'; it must be one of adam, sgd"),
        ({"loss": "L1"}, "loss='L1'; it must be one of l1, l2, sum"),
        ({"colour": "Y"}, "colour='Y'; it must be one of y, ycbcr, rgb"),
        ({"sets": "t91"}, r"sets='t91'; they need a tuple of names, such as sets=\('t91',\)"),
    ],
)
def test_choices_are_checked_when_they_are_made(choice, words):
    with pytest.raises(ValueError, match=words):
        Settings(**({"scales": (3,), "steps": 2} | choice))


def test_choices_are_plain_numbers_in_a_record():
    settings = Settings([np.int64(3)], np.int32(2), learning_rate=np.float32(0.5), sets=["t91"])
    assert settings == Settings((3,), 2, learning_rate=0.5, sets=("t91",))
    text = json.dumps(describe(settings, {}))
    assert json.loads(text)["scales"] == [3]


CAT = data.photos()["chelsea"][:90, :90]


@pytest.mark.parametrize(
    ("images", "choice", "set_aside", "measured"),
    [
        ([CAT], {}, 0, False),  # a picture of one's own
        ([CAT, CAT[::-1]], {}, 1, True),
        ([CAT] * 3, {"held_out": 0}, 0, False),
        ([CAT] * 3, {"evaluations": 0}, 1, True),
        ([CAT, np.zeros_like(CAT), CAT], {}, 1, False),
        ([CAT, np.full_like(CAT, 128), CAT], {}, 1, False),
        ([CAT, CAT[:7, :7], CAT], {}, 1, False),  # nothing inside the border
        ([CAT[..., 0]] * 2, {}, 1, True),
    ],
)
def test_a_reader_s_own_images(run, images, choice, set_aside, measured):
    settings = Settings(**({"scales": (3,), "steps": 2, "batch": 2, "patch": 12} | choice))
    result = train_network(run, None, False, SRCNN(), settings, sets={"mine": images})
    assert ("held_out_x3_psnr_y" in result.metrics) == measured
    logged = "held_out_x3_psnr_y" in result.history.curves
    assert logged == (measured and settings.evaluations > 0)
    assert result.settings["held_out"] == {"mine": set_aside}
    assert result.settings["images"] == {"mine": len(images) - set_aside}


def test_an_estimate_without_any_error_is_no_divergence(run):
    """Its PSNR is infinite; what is logged stays a number."""
    settings = Settings((2,), 1, colour="rgb")

    class Exact(torch.nn.Module):
        def __init__(self, target):
            super().__init__()
            self.weight = torch.nn.Parameter(target)

        def forward(self, x):
            return self.weight

    exact = Exact(pair(CAT[:48, :48], 2, True, "rgb")[1][None])
    values = validation(run, exact, [CAT], settings, interpolated=True)()
    assert values == {"held_out_x2_psnr_y": 100.0}


@pytest.mark.parametrize("train_them", [train_network, train_variants])
@pytest.mark.parametrize("sets", [{}, {"mine": []}, {"mine": [CAT], "yours": []}])
def test_no_images_are_not_replaced_by_others(run, sets, train_them):
    settings = Settings((3,), 2, batch=2, patch=12)
    what = {"a": Variant(SRCNN, settings)} if train_them is train_variants else SRCNN()
    rest = () if train_them is train_variants else (settings,)
    with pytest.raises(ValueError, match="needs at least one set, with at least one image in each"):
        train_them(run, None, False, what, *rest, sets=sets)


def test_the_record_counts_the_images_that_were_trained_on(run):
    settings = Settings((3,), 2, batch=2, patch=20, held_out=0)
    sets = {"mine": [CAT, CAT[:9, :9], CAT], "small": [CAT[:9, :9]]}
    result = train_network(run, None, False, SRCNN(), settings, sets=sets)
    assert result.settings["images"] == {"mine": 2, "small": 0}


def test_colours_that_the_network_does_not_take_are_refused(run):
    settings = Settings((3,), 2, batch=2, patch=12, colour="rgb")
    with pytest.raises(ValueError, match=r"colour='rgb', which is 3 channel.* convolution takes 1"):
        train_network(run, None, False, SRCNN(), settings, sets={"mine": [CAT] * 2})


def test_a_state_of_other_choices_is_refused(tmp_path):
    state = tmp_path / "state"
    images = {"photos": [image[:80, :80] for image in data.photos().values()]}

    def fit(seed=0, **changed):
        run = start(seed, profile="ci", device="cpu", quiet=True)
        settings = Settings((3,), 2, batch=2, patch=20, held_out=2)
        return train_network(run, state, False, SRCNN(), replace(settings, **changed), sets=images)

    fit()
    with pytest.raises(ValueError, match="its seed is 0, and this training's is 1"):
        fit(seed=1)
    with pytest.raises(ValueError, match="its batch is 2, and this training's is 4"):
        fit(batch=4)
    assert fit(steps=3).history.steps == 3  # a training may be made longer


def test_what_is_measured_is_what_is_shipped():
    run = start(profile="ci", device="cpu", quiet=True)
    settings = Settings((3,), 2, batch=2, patch=20, held_out=2)
    images = {"photos": [image[:80, :80] for image in data.photos().values()]}
    result = train_network(run, None, False, SRCNN(), settings, sets=images)
    network = SRCNN()
    network.load_state_dict({key: value.float() for key, value in result.tensors.items()})
    again = report(run, network, (3,), "y")
    assert again == {key: result.metrics[key] for key in again}
