"""The training loop: a killed training, started again, ends with the same weights."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lecture_utils import start
from lecture_utils.training import History, train


def small_training(state, steps, *, stop_at=None, optimizer="adam", **kwargs):
    """A regression with dropout, batch norm, an average of weights, and draws from every generator."""
    run = start(seed=3, profile="ci", device="cpu", quiet=True)
    model = nn.Sequential(
        nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 1)
    )
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    optimizers = {
        "adam": lambda: torch.optim.AdamW(model.parameters(), amsgrad=True),
        "sgd": lambda: torch.optim.SGD(model.parameters(), momentum=0.9, lr=0.1),
    }
    opt = optimizers[optimizer]()

    def step(i, generator):
        if i == stop_at:
            raise KeyboardInterrupt
        x = torch.randn(8, 4, generator=generator)
        noise = random.random() + float(np.random.randn())
        loss = ((model(x) - x.sum(1, keepdim=True) - 0.01 * noise) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        average.update_parameters(model)
        return {"loss": loss.detach()}

    history = train(
        run, step, steps, modules={"model": model, "average": average}, optimizers={"opt": opt},
        learning_rate=lambda i: 0.01 * (1 - i / 50), state=state, **kwargs,
    )  # fmt: skip
    return model, average, history


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("stop_at", [1, 10, 17, 29])
def test_a_stopped_training_ends_with_the_same_weights(tmp_path, stop_at, optimizer):
    how = {"log_every": 5, "evaluate_every": 7, "save_every": 0.0, "optimizer": optimizer,
           "evaluate": lambda: {"probe": torch.rand(()).item() * 0 + 1}}  # fmt: skip
    straight, average, history = small_training(None, 30, **how)
    state = tmp_path / "state.safetensors"
    with pytest.raises(KeyboardInterrupt):
        small_training(state, 30, stop_at=stop_at, **how)
    again, average_again, history_again = small_training(state, 30, **how)
    for (key, a), b in zip(straight.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b), key
    for a, b in zip(
        average.state_dict().values(), average_again.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b)
    assert history_again.curves == history.curves
    assert history_again.steps == 30


def test_a_killed_process_ends_with_the_same_weights(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent("""
        import sys, time, torch
        from pathlib import Path
        from lecture_utils import start
        from lecture_utils.training import train
        run = start(seed=1, profile="ci", device="cpu", quiet=True)
        model = torch.nn.Linear(3, 1)
        opt = torch.optim.Adam(model.parameters(), lr=0.01)
        def step(i, generator):
            time.sleep(float(sys.argv[2]))
            loss = ((model(torch.randn(4, 3, generator=generator)) - 1) ** 2).mean()
            opt.zero_grad(); loss.backward(); opt.step()
            return {"loss": loss.detach()}
        train(run, step, 60, modules={"m": model}, optimizers={"o": opt}, log_every=4,
              state=Path(sys.argv[1]), save_every=0.0)
        print(model.weight.tolist(), model.bias.tolist())
    """)
    )
    state = tmp_path / "killed.safetensors"
    process = subprocess.Popen([sys.executable, program, state, "0.05"])
    while not state.exists() and process.poll() is None:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert state.exists(), "the training ended without a state"

    def finish(path):
        done = subprocess.run(
            [sys.executable, program, path, "0"], capture_output=True, text=True, check=True
        )
        return done.stdout

    assert finish(state) == finish(tmp_path / "straight.safetensors")


def test_a_finished_training_does_nothing_more(tmp_path):
    state = tmp_path / "state.safetensors"
    first, _, _ = small_training(state, 10)
    second, _, history = small_training(state, 10)
    assert torch.equal(first[0].weight, second[0].weight)
    assert history.steps == 10


def test_a_state_beyond_the_steps_asked_for_is_refused(tmp_path):
    state = tmp_path / "state.safetensors"
    small_training(state, 10)
    with pytest.raises(ValueError, match="has 10 steps, and this training asks for 5"):
        small_training(state, 5)


def test_a_damaged_or_foreign_state_is_refused(tmp_path):
    state = tmp_path / "state.safetensors"
    small_training(state, 5)
    content = state.read_bytes()
    state.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="Delete it to start"):
        small_training(state, 10)
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, str(state))
    with pytest.raises(ValueError, match="format"):
        small_training(state, 10)


def test_a_diverging_training_stops_with_a_sentence():
    run = start(profile="ci", device="cpu", quiet=True)
    with pytest.raises(FloatingPointError, match="diverged"):
        train(run, lambda i, g: {"loss": float("nan")}, 10, modules={}, optimizers={}, log_every=2)


def test_history_names_its_curves():
    history = History()
    history.add(1, {"loss": 2.0})
    assert history.curves == {"loss": [(1, 2.0)]}


def test_logged_values_are_means_over_the_interval():
    run = start(profile="ci", device="cpu", quiet=True)
    history = train(
        run, lambda i, g: {"i": float(i)}, 10, modules={}, optimizers={}, log_every=4
    )  # fmt: skip
    assert history.curves["i"] == [(4, 1.5), (8, 5.5), (10, 8.5)]
