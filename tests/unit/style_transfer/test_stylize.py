"""Painting of pictures: any size, tiles without edges, and the command's sentences."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from lecture_utils import checkpoints, data
from lecture_utils.style_transfer import stylize as module
from lecture_utils.style_transfer.fast_style import TransformNetwork
from lecture_utils.style_transfer.networks import load, shipped
from lecture_utils.style_transfer.stylize import check_format, stylize, write

PHOTO = data.photos()["chelsea"]


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    made = TransformNetwork(4).eval()
    for name, p in made.named_parameters():
        if name.endswith(("scale", "shift")):  # all differ, as in a trained network
            torch.nn.init.normal_(p, 0.5, 0.3)
    return made


def direct(network, photo):
    with torch.no_grad():
        y = network(torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255)[0]
    return np.rint(255 * y.permute(1, 2, 0).numpy()).astype(np.uint8)


@pytest.mark.parametrize("size", [(16, 16), (33, 50), (64, 61)])
def test_a_picture_that_fits_is_one_pass(network, size):
    photo = PHOTO[: size[0], : size[1]]
    painted = stylize(network, photo)
    assert painted.shape == photo.shape
    assert np.abs(painted.astype(int) - direct(network, photo)).max() <= 1


@pytest.mark.parametrize("upsampling", ["nearest", "transposed"])
def test_tiles_have_no_edges(upsampling, monkeypatch):
    """With the whole picture's own statistics, tiles give exactly what one pass gives."""
    torch.manual_seed(1)
    network = TransformNetwork(4, upsampling=upsampling).eval()
    monkeypatch.setattr(module, "TILE", 64)
    monkeypatch.setattr(module, "WINDOW", 1000)  # one window, which is the picture
    photo = PHOTO[:196, :232]
    painted = stylize(network, photo, at_once=1)
    assert np.abs(painted.astype(int) - direct(network, photo)).max() <= 1
    photo = PHOTO[:150, :211]  # sides that 4 does not divide, but for a row of the statistics
    painted = stylize(network, photo, at_once=1)
    assert np.abs(painted.astype(int) - direct(network, photo)).mean() < 1


def test_statistics_from_windows_are_nearer_than_those_of_each_tile(network, monkeypatch):
    monkeypatch.setattr(module, "TILE", 64)
    monkeypatch.setattr(module, "WINDOW", 64)
    wanted = direct(network, PHOTO).astype(float)
    painted = stylize(network, PHOTO, at_once=40 * 64 * 64)
    error = np.abs(painted - wanted).mean()
    alone = [
        np.abs(direct(network, PHOTO[r : r + 64, c : c + 64]) - wanted[r : r + 64, c : c + 64])
        for r in range(0, 256, 64)
        for c in range(0, 384, 64)
    ]
    assert error < 0.5 * np.mean(alone)


def test_the_network_is_left_as_it_was(network, monkeypatch):
    monkeypatch.setattr(module, "TILE", 64)
    before = direct(network, PHOTO[:40, :40])
    stylize(network, PHOTO[:100, :100], at_once=64)
    with pytest.raises(ZeroDivisionError):
        stylize(network, PHOTO[:100, :100], at_once=64, progress=lambda done, of: 1 // 0)
    assert np.array_equal(direct(network, PHOTO[:40, :40]), before)
    assert not any(m._forward_pre_hooks for m in network.modules())


def test_progress_counts_the_tiles(network, monkeypatch):
    monkeypatch.setattr(module, "TILE", 64)
    seen = []
    stylize(network, PHOTO[:70, :130], at_once=64, progress=lambda *x: seen.append(x))
    assert seen == [(k, 6) for k in range(1, 7)]


def test_memory_is_bounded(network, monkeypatch):
    """Whatever the picture's size, no more than a tile or the windows pass the network."""
    monkeypatch.setattr(module, "TILE", 32)
    monkeypatch.setattr(module, "WINDOW", 32)
    sizes = []
    hook = network.register_forward_pre_hook(lambda _, x: sizes.append(x[0][:, 0].numel()))
    stylize(network, np.tile(PHOTO, (1, 3, 1))[:200], at_once=20_000)
    hook.remove()
    assert len(sizes) > 100
    assert max(sizes) <= max(20_000, (32 + 2 * module.MARGIN) ** 2)


@pytest.mark.parametrize("shape", [(20, 3000, 3), (3000, 20, 3)])
def test_strips_are_painted_too(network, shape):
    photo = np.resize(PHOTO, shape)
    assert stylize(network, photo, at_once=10_000).shape == shape


def test_strength_and_colour(network):
    photo = PHOTO[:64, :64]
    painted = stylize(network, photo).astype(float)
    assert np.array_equal(stylize(network, photo, strength=0), photo)
    half = stylize(network, photo, strength=0.5)
    assert np.abs(half - (painted + photo) / 2).max() <= 1
    kept = stylize(network, photo, keep_colour=True).astype(float)
    inside = ((kept > 0) & (kept < 255)).all(axis=-1)
    chroma = (kept - photo)[inside]
    assert inside.any()
    assert np.abs(chroma - chroma.mean(axis=-1, keepdims=True)).max() <= 1
    weights = np.array([0.299, 0.587, 0.114])
    assert np.abs((kept @ weights - painted @ weights)[inside]).max() <= 1


def test_grey_becomes_colour(network):
    grey = PHOTO[:32, :32, 0]
    painted = stylize(network, grey)
    assert painted.shape == (32, 32, 3)
    assert np.array_equal(painted, stylize(network, grey[..., None]))


def test_styles_are_mixed_in_tiles_too(monkeypatch):
    monkeypatch.setattr(module, "TILE", 64)
    network = TransformNetwork(4, styles=2).eval()
    for name, p in network.named_parameters():
        if name.endswith("shift"):
            torch.nn.init.normal_(p)
    photo = PHOTO[:80, :80]
    first, second = (
        stylize(network, photo, mix=torch.eye(2)[k : k + 1], at_once=64) for k in (0, 1)
    )
    assert np.array_equal(first, stylize(network, photo, at_once=64))
    assert np.abs(first.astype(int) - second).mean() > 5


@pytest.mark.parametrize(
    ("photo", "options", "words"),
    [
        (PHOTO[:15, :40], {}, "40 x 15 pixels; its sides need at least 16"),
        (PHOTO[:20, :40], {"strength": 1.5}, "the strength 1.5; it must be in 0 .. 1"),
        (PHOTO[:20, :40], {"strength": float("nan")}, "the strength nan"),
    ],
)
def test_what_cannot_be_painted_is_refused(network, photo, options, words):
    with pytest.raises(ValueError, match=words):
        stylize(network, photo, **options)
    with pytest.raises(TypeError, match="uint8"):
        stylize(network, photo / 255)


def test_files_are_written_in_the_format_of_their_name(tmp_path):
    image = PHOTO[:32, :40]
    for name in ("a.png", "b.TIF", "c.jpg", "d.webp"):
        with Image.open(write(image, tmp_path / name)) as read:
            assert read.size == (40, 32)
            assert np.abs(np.asarray(read).astype(int) - image).mean() < 8
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.TIF", "c.jpg", "d.webp"]
    with pytest.raises(ValueError, match=r"x\.svg; the name must end in one of \.png"):
        check_format("x.svg")


# The command line


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory):
    """A folder with one style, as a recipe writes it."""
    folder = tmp_path_factory.mktemp("weights")
    record = checkpoints.Record(
        "fast_style_wave", "fast_style_wave", "unknown", "ci", ["photos"], 0, 1, 1.0, "none", {},
        settings={"width": 4, "upsampling": "nearest", "paintings": ["wave"]},
    )  # fmt: skip
    checkpoints.save(network.state_dict(), record, folder)
    return folder


def command(*words):
    return subprocess.run(
        [sys.executable, "-m", "lecture_utils", "stylize", *map(str, words)],
        capture_output=True,
        text=True,
    )


def test_a_network_is_loaded_by_its_style(weights, network):
    assert shipped(weights) == ["wave"]
    loaded = load("wave", folder=weights)
    assert np.array_equal(direct(loaded, PHOTO[:32, :32]), direct(network, PHOTO[:32, :32]))
    with pytest.raises(KeyError, match="no style 'waves'; there are: starry_night"):
        load("waves", folder=weights)


def test_the_command_paints_and_lists(weights, network, tmp_path):
    photo, out = tmp_path / "photo.png", tmp_path / "new" / "painting.png"
    Image.fromarray(PHOTO[:48, :64]).save(photo)
    done = command(photo, "--style", "wave", "--out", out, "--weights", weights, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{out}: 64 x 48 pixels in the style wave.\n"
    assert done.stderr == ""
    assert np.array_equal(np.asarray(Image.open(out)), stylize(network, PHOTO[:48, :64]))
    listed = command("--weights", weights)
    assert listed.stdout.startswith("wave ")
    assert "Hokusai" in listed.stdout


def test_the_command_says_that_there_is_no_style(tmp_path):
    done = command("--weights", tmp_path)
    assert done.returncode == 0
    assert f"No style is in {tmp_path}." in done.stdout
    assert "train fast_style_starry_night --out FOLDER" in done.stdout
    done = command("photo.png", "--weights", tmp_path)
    assert done.returncode == 1
    assert "No style is in" in done.stderr


def test_the_command_takes_pictures_as_people_have_them(weights, tmp_path, monkeypatch, capsys):
    """Grey, transparent, 16 bits, turned by the camera: each becomes an RGB painting, upright."""
    from lecture_utils import cli

    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned
    pictures = {
        "grey.png": (Image.fromarray(PHOTO[:40, :48, 0]), {}),
        "alpha.png": (Image.fromarray(PHOTO[:40, :48]).convert("RGBA"), {}),
        "sixteen.png": (Image.fromarray(PHOTO[:40, :48, 0].astype(np.uint16) * 257), {}),
        "turned.jpg": (Image.fromarray(PHOTO[:48, :40]), {"exif": exif}),
    }
    for name, (picture, options) in pictures.items():
        picture.save(tmp_path / name, **options)
        words = [str(tmp_path / name), "--style", "wave", "--out", str(tmp_path / "out.png")]
        words += ["--weights", str(weights), "--device", "cpu"]
        monkeypatch.setattr(sys, "argv", ["lecture_utils", "stylize", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code, capsys.readouterr().err
        with Image.open(tmp_path / "out.png") as painted:
            assert painted.mode == "RGB"
            assert painted.size == (48, 40), name


def test_the_command_speaks_in_sentences(weights, tmp_path, monkeypatch, capsys):
    from lecture_utils import cli

    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    huge = tmp_path / "huge.png"
    Image.fromarray(PHOTO[:20, :20]).save(good)
    bad.write_bytes(good.read_bytes()[:100])
    Image.new("1", (20_000, 5_000)).save(huge)
    kept = tmp_path / "kept.png"
    kept.write_bytes(b"as before")
    style = ["--style", "wave"]
    for words, expected in (
        ([good, "--out", kept], "stylize got no style; there are: wave"),
        ([good, "--style", "waves", "--out", kept], "the style 'waves'; there are: wave"),
        ([good, *style], "no file for the painting"),
        ([good, *style, "--out", tmp_path / "x.gif"], "must end in one of .png"),
        ([tmp_path / "none.png", *style, "--out", kept], "none.png"),
        ([bad, *style, "--out", kept], "bad.png"),
        ([huge, *style, "--out", kept], "more pixels than are read (20000 x 5000"),
        ([good, *style, "--strength", "2", "--out", kept], "the strength 2.0"),
        ([good, *style, "--out", good / "x.png"], "Nothing can be written to"),
    ):
        words = [*map(str, words), "--weights", str(weights), "--device", "cpu"]
        monkeypatch.setattr(sys, "argv", ["lecture_utils", "stylize", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        error = capsys.readouterr().err
        assert ended.value.code == 1, words
        assert expected in error
        assert "Traceback" not in error
        assert kept.read_bytes() == b"as before"
