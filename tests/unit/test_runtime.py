"""start(): profile, device, precision and seed, and the sentences for what is not there."""

import random

import numpy as np
import pytest
import torch

from lecture_utils import start
from lecture_utils.runtime import Run


def test_start_prints_one_line_and_seeds_everything(capsys, monkeypatch):
    monkeypatch.setenv("LECTURE_PROFILE", "ci")
    run = start(seed=5, device="cpu")
    first = (random.random(), np.random.rand(), torch.rand(()).item())
    out = capsys.readouterr().out
    assert out == "profile ci · device cpu · precision 32-true · seed 5\n"
    start(seed=5, device="cpu", quiet=True)
    assert first == (random.random(), np.random.rand(), torch.rand(()).item())
    assert capsys.readouterr().out == ""
    assert run.pick(ci=1, book=2, full=3) == 1


@pytest.mark.parametrize(("profile", "value"), [("ci", 1), ("book", 2), ("full", 3)])
def test_pick_follows_the_profile(profile, value):
    assert start(profile=profile, quiet=True).pick(ci=1, book=2, full=3) == value


def test_the_default_profile_is_book(monkeypatch):
    monkeypatch.delenv("LECTURE_PROFILE", raising=False)
    assert start(quiet=True).profile == "book"


def test_generators_repeat():
    run = start(seed=2, quiet=True)
    draws = [torch.rand(3, generator=run.generator(k)) for k in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize(
    ("kwargs", "error", "words"),
    [
        ({"profile": "fast"}, ValueError, "'ci', 'book' or 'full'"),
        ({"device": "cuda:99"}, RuntimeError, "this machine has"),
        ({"device": "tpu"}, RuntimeError, "LECTURE_DEVICE"),
        ({"precision": "8"}, ValueError, "LECTURE_PRECISION"),
        ({"seed": -1}, ValueError, "seed"),
        ({"precision": "16-mixed", "device": "cpu"}, ValueError, "to 'bf16-mixed' or '32-true'"),
    ],
)
def test_bad_choices_get_a_sentence(kwargs, error, words):
    with pytest.raises(error, match=words):
        start(quiet=True, **kwargs)


def test_fabric_uses_the_chosen_device_and_precision():
    run = start(device="cpu", precision="bf16-mixed", quiet=True)
    assert run.fabric.device == torch.device("cpu")
    assert run.fabric.world_size == 1
    model = run.fabric.setup(torch.nn.Linear(2, 2))
    assert model(torch.ones(1, 2)).dtype == torch.float32  # Fabric hands float32 back


def test_fabric_takes_the_numbered_device(monkeypatch):
    given = {}

    class Stub:
        def __init__(self, **options):
            given.update(options)

        def launch(self):
            pass

    monkeypatch.setattr("lightning_fabric.Fabric", Stub)
    for name, devices in (("cuda:1", [1]), ("cuda", 1), ("cpu", 1)):
        run = Run("ci", torch.device(name), "32-true", 0)
        assert isinstance(run.fabric, Stub)
        assert given["devices"] == devices
