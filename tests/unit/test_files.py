"""Atomic writing: either the whole new file or the old one."""

import errno
import os
from pathlib import Path

import pytest

from lecture_utils.files import write_atomically


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "deep" / "file.bin"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["file.bin"]


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file.bin"]


def test_a_really_full_device_gets_the_same_sentence():
    if not Path("/dev/full").exists():
        pytest.skip("NOT RUN: this system has no /dev/full")
    with pytest.raises(OSError, match="could not be written"):
        write_atomically("/dev/full/x", b"new")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="choose a folder"):
        write_atomically(tmp_path / "file" / "below", b"new")
    assert (tmp_path / "file").read_bytes() == b""
