"""Checkpoints: what is shipped is what its record says; what is damaged is refused."""

import json

import pytest
import torch

from lecture_utils import checkpoints, recipes
from lecture_utils.checkpoints import CheckpointError, Record


def example(**changes):
    entries = {
        "name": "tiny", "recipe": "tiny", "commit": "unknown", "profile": "ci", "data": ["photos"],
        "seed": 0, "steps": 1, "seconds": 0.1, "hardware": "none", "versions": {},
        "metrics": {"set5_x3_psnr_y": 30.0},
    }  # fmt: skip
    return Record(**(entries | changes))


def test_round_trip_halves_become_singles(tmp_path):
    weights = torch.randn(3, 4)
    saved = checkpoints.save({"w": weights.half(), "n": torch.tensor([3])}, example(), tmp_path)
    tensors, record = checkpoints.load("tiny", tmp_path)
    torch.testing.assert_close(tensors["w"], weights.half().float())
    assert tensors["n"].dtype == torch.int64
    assert record == saved
    assert checkpoints.names(tmp_path) == ["tiny"]


def test_a_folder_may_be_a_string(tmp_path):
    saved = checkpoints.save({"w": torch.ones(2)}, example(), str(tmp_path / "new"))
    assert checkpoints.names(str(tmp_path)) == ["tiny"]
    assert checkpoints.load("tiny", str(tmp_path))[1] == saved
    assert checkpoints.verify("tiny", str(tmp_path)) == tmp_path / "new" / "tiny.safetensors"


def test_views_of_one_tensor_can_be_saved(tmp_path):
    weights = torch.randn(4, 4)
    checkpoints.save({"a": weights, "b": weights.T}, example(), tmp_path)
    tensors, _ = checkpoints.load("tiny", tmp_path)
    torch.testing.assert_close(tensors["b"], weights.T)


def test_damage_is_noticed(tmp_path):
    checkpoints.save({"w": torch.zeros(8)}, example(), tmp_path)
    path = tmp_path / "tiny.safetensors"
    content = path.read_bytes()
    for broken in (content[:-1], content[:-1] + b"x"):
        path.write_bytes(broken)
        with pytest.raises(CheckpointError, match="SHA-256"):
            checkpoints.load("tiny", tmp_path)
    path.unlink()
    with pytest.raises(CheckpointError, match="record of 'tiny' is there"):
        checkpoints.load("tiny", tmp_path)
    (tmp_path / "tiny.json").write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoints.load("tiny", tmp_path)


def test_unknown_names_get_the_list(tmp_path):
    checkpoints.save({"w": torch.zeros(8)}, example(), tmp_path)
    with pytest.raises(CheckpointError, match="there are: tiny"):
        checkpoints.load("huge", tmp_path)


def test_numbers_that_json_cannot_hold_are_refused(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        checkpoints.save({"w": torch.zeros(1)}, example(metrics={"x": float("nan")}), tmp_path)
    assert not list(tmp_path.iterdir())


def test_names_of_shipped_checkpoints_are_unique_and_lie_with_their_recipe():
    files = sorted(checkpoints.FOLDER.rglob("*.json"))
    assert len({file.stem for file in files}) == len(files)
    for file in files:
        assert file.parent.name == recipes.part(checkpoints.record(file.stem).recipe)


@pytest.mark.parametrize("name", checkpoints.names())
def test_each_shipped_checkpoint_is_what_its_record_says(name):
    path = checkpoints.verify(name)
    record = checkpoints.record(name)
    assert record.name == name
    assert record.data
    assert record.metrics
    assert record.commit != "unknown"
    # No tensor file may hold code: the format is safetensors, whose header is JSON.
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    assert isinstance(json.loads(content[8 : 8 + length]), dict)


def test_all_shipped_checkpoints_stay_under_64_megabytes():
    files = checkpoints.FOLDER.rglob("*.safetensors")
    assert sum(path.stat().st_size for path in files) <= 64e6
