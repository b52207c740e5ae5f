"""Recipes: each runs in profile ci, and a run writes a checkpoint with its record."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import torch

from lecture_utils import checkpoints, recipes, start


@pytest.mark.parametrize("name", recipes.names())
def test_each_recipe_runs_in_profile_ci(name, tmp_path):
    run = start(profile="ci", device="cpu", quiet=True)
    record = recipes.run_recipe(name, run, tmp_path, state=tmp_path / "state", progress=False)
    assert record.metrics
    assert record.data
    tensors, again = checkpoints.load(name, tmp_path)
    assert again == record
    assert all(torch.isfinite(t).all() for t in tensors.values())


def test_a_recipe_resumes(tmp_path):
    """The state of a finished training makes the second run a repetition of the report only."""
    name = "fsrcnn_x3"
    first, second = (
        recipes.run_recipe(
            name,
            start(profile="ci", device="cpu", quiet=True),
            tmp_path / folder,
            state=tmp_path / "state",
            progress=False,
        )
        for folder in ("a", "b")
    )
    assert first.sha256 == second.sha256
    assert first.metrics == second.metrics


def test_unknown_recipes_get_the_list():
    with pytest.raises(KeyError, match="there are:"):
        recipes.get("nothing")


def test_every_shipped_checkpoint_has_its_recipe():
    assert {checkpoints.record(name).recipe for name in checkpoints.names()} <= set(recipes.names())


def command(*words):
    return subprocess.run(
        [sys.executable, "-m", "lecture_utils", *words], capture_output=True, text=True
    )


def test_the_command_line_trains_and_lists(tmp_path):
    done = command(
        "train", "fsrcnn_x3", "--profile", "ci", "--device", "cpu", "--out", str(tmp_path / "out"),
        "--state", str(tmp_path / "state"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert checkpoints.names(tmp_path / "out") == ["fsrcnn_x3"]
    assert "fsrcnn_x3" in command("train").stdout


def test_the_command_line_speaks_in_sentences():
    for words in (["train", "nothing"], ["train", "fsrcnn_x3", "--profile", "fast"]):
        done = command(*words)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "there are:" in done.stderr or "must be one of" in done.stderr


def test_checkpoints_and_doctor():
    records = json.loads(command("checkpoints", "list", "--json").stdout)
    assert [entry["name"] for entry in records] == checkpoints.names()
    assert command("checkpoints", "verify").returncode == 0
    report = command("doctor").stdout
    assert metadata.version("torch") in report
    assert "data set5" in report
    assert "LECTURE_PROFILE" in report


def test_fabric_run_trains_with_two_processes(tmp_path):
    """`fabric run` starts the processes; the package must not start them again."""
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("fabric")), "run", "--accelerator", "cpu",
            "--devices", "2", str(Path(recipes.__file__).parents[1] / "__main__.py"), "train",
            "fsrcnn_x3", "--profile", "ci", "--out", str(tmp_path), "--state", str(tmp_path / "s"),
        ],
        capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert checkpoints.names(tmp_path) == ["fsrcnn_x3"]
