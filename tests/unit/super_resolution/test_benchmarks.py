"""The benchmark of super-resolution prints what the package measures."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lecture_utils import data
from lecture_utils.metrics import psnr_y, ssim_y
from lecture_utils.resize import imresize, modcrop

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "super_resolution.py"


def run(*words):
    return subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True)


def test_a_folder_of_images_is_measured(tmp_path):
    photo = data.photos()["chelsea"][60:160, 100:210]
    Image.fromarray(photo).save(tmp_path / "cat.png")
    Image.fromarray(photo[..., 1]).save(tmp_path / "grey.png")
    (tmp_path / "notes.txt").write_text("no image")
    words = ["--set", str(tmp_path), "--scales", "3", "--device", "cpu", "--repeat", "1"]
    done = run(*words, "--methods", "nearest", "bi-cubic", "fsrcnn_x3", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["images"] == 2
    rows = {row["method"]: row for row in report["rows"]}
    assert rows["nearest"]["psnr"] < rows["bi-cubic"]["psnr"] < rows["FSRCNN"]["psnr"]
    assert rows["FSRCNN"]["weights"] == 12464
    assert rows["FSRCNN"]["multiply_adds"] == 12464 * 85 * 85
    assert all(row["ms"] > 0 for row in rows.values())
    # On the grey image bi-cubic interpolation of luminance is that of the image.
    Path(tmp_path / "cat.png").unlink()
    alone = json.loads(run(*words, "--methods", "bi-cubic", "--json").stdout)["rows"][0]
    high = modcrop(np.ascontiguousarray(photo[..., 1]), 3)
    estimate = imresize(imresize(high, 1 / 3), 3)
    assert alone["psnr"] == pytest.approx(psnr_y(estimate, high, 3), abs=0.02)
    assert alone["ssim"] == pytest.approx(ssim_y(estimate, high, 3), abs=2e-3)


def test_what_it_cannot_do_is_a_sentence(tmp_path):
    assert "holds no image" in run("--set", str(tmp_path)).stderr
    assert "there are: nearest" in run("--methods", "edsr").stderr


def test_an_image_of_16_bits_is_measured_as_its_8_bits(tmp_path):
    photo = data.photos()["chelsea"][60:160, 100:210, 0]
    measured = []
    for name, image in (("deep", photo.astype(np.uint16) * 257), ("flat", photo)):
        (tmp_path / name).mkdir()
        Image.fromarray(image).save(tmp_path / name / "cat.png")
        (tmp_path / name / "._cat.png").write_bytes(b"what macOS leaves")
        options = ["--scales", "3", "--device", "cpu", "--methods", "nearest", "--json"]
        (row,) = json.loads(run("--set", str(tmp_path / name), *options).stdout)["rows"]
        measured.append((row["psnr"], row["ssim"]))
    assert measured[0] == measured[1]
