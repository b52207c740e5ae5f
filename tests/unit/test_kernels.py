"""Notebooks that the project runs: none of the reader's own settings bear on them."""

import os
import subprocess
import sys
from pathlib import Path

from lecture_utils.kernels import own_settings


def test_settings_of_the_reader_are_away_and_come_back(tmp_path, monkeypatch):
    monkeypatch.setenv("MATPLOTLIBRC", "mine")
    monkeypatch.setenv("JUPYTER_PATH", "mine")
    monkeypatch.delenv("IPYTHONDIR", raising=False)
    before = dict(os.environ)
    with own_settings(tmp_path) as empty:
        assert list(empty.iterdir()) == []
        assert "MATPLOTLIBRC" not in os.environ
        assert Path(os.environ["IPYTHONDIR"]).is_dir()
        listing = [sys.executable, "-m", "jupyter", "kernelspec", "list"]
        listed = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
        assert os.environ["JUPYTER_PATH"] in listed
    assert dict(os.environ) == before
    assert not empty.exists()


def test_fonts_are_listed_once_and_before_a_notebook_runs(tmp_path):
    folder = tmp_path / "fonts"
    quiet = [sys.executable, "-c", "import matplotlib.font_manager"]
    for _ in range(2):
        with own_settings(folder):
            assert Path(os.environ["MPLCONFIGDIR"]) == folder
            (listed,) = folder.glob("fontlist-*.json")
            done = subprocess.run(quiet, capture_output=True, text=True, check=True)
            assert done.stderr == ""
    with own_settings(listed):  # not a folder: nothing can be written to it
        assert any(Path(os.environ["MPLCONFIGDIR"]).glob("fontlist-*.json"))


def test_a_folder_of_data_is_the_same_from_everywhere(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LECTURE_DATA_DIR", "data")
    with own_settings():
        assert os.environ["LECTURE_DATA_DIR"] == str(tmp_path / "data")
