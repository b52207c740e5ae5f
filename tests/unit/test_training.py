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
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision.amp import MixedPrecision
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lecture_utils import start
from lecture_utils.runtime import Run
from lecture_utils.training import History, train


def small_training(
    state, steps, *, stop_at=None, signal_at=None, again_after=None, optimizer="adam", **kwargs
):
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
        if i == signal_at:
            signal.raise_signal(signal.SIGINT)
            if again_after is not None:
                time.sleep(again_after)
                signal.raise_signal(signal.SIGINT)
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


def assert_equal(first, second):
    for (key, a), b in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b), key


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
    assert_equal(straight, again)
    assert_equal(average, average_again)
    assert history_again.curves == history.curves
    assert history_again.steps == 30


@pytest.mark.parametrize("signal_at", [0, 12, 29])
def test_ctrl_c_ends_the_step_and_leaves_a_state(tmp_path, signal_at):
    """Also long before the state would have been written, and between two entries of the log."""
    how = {"log_every": 5, "evaluate_every": 7, "evaluate": lambda: {"probe": 1.0}}
    straight, average, history = small_training(None, 30, **how)
    state = tmp_path / "state.safetensors"
    sentence = f"Stopped after step {signal_at + 1} of 30; the state is in .* goes on from there"
    with pytest.raises(KeyboardInterrupt, match=sentence):
        small_training(state, 30, signal_at=signal_at, **how)
    again, average_again, history_again = small_training(state, 30, **how)
    assert_equal(straight, again)
    assert_equal(average, average_again)
    assert history_again.curves == history.curves
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_second_ctrl_c_stops_at_once(tmp_path):
    with pytest.raises(KeyboardInterrupt) as caught:
        small_training(tmp_path / "state", 30, signal_at=12, again_after=1.1)
    assert str(caught.value) == ""
    assert not (tmp_path / "state").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_ctrl_c_that_is_passed_on_twice_counts_once(tmp_path):
    with pytest.raises(KeyboardInterrupt, match="Stopped after step 13 of 30"):
        small_training(tmp_path / "state", 30, signal_at=12, again_after=0.01)
    assert (tmp_path / "state").exists()


def test_without_a_state_ctrl_c_stops_at_once():
    with pytest.raises(KeyboardInterrupt) as caught:
        small_training(None, 30, signal_at=12)
    assert str(caught.value) == ""


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
            if i == 4 and float(sys.argv[2]):
                print(i, flush=True)
            time.sleep(float(sys.argv[2]))
            loss = ((model(torch.randn(4, 3, generator=generator)) - 1) ** 2).mean()
            opt.zero_grad(); loss.backward(); opt.step()
            return {"loss": loss.detach()}
        train(run, step, 60, modules={"m": model}, optimizers={"o": opt}, log_every=4,
              state=Path(sys.argv[1]), save_every=60.0 if "asked" in sys.argv[1] else 0.0)
        print(model.weight.tolist(), model.bias.tolist())
    """)
    )
    asked = tmp_path / "asked.safetensors"
    process = subprocess.Popen([sys.executable, program, asked, "0.05"], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"4\n"  # it is in its fifth step
    process.terminate()
    assert process.wait() == -signal.SIGTERM
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

    whole = finish(tmp_path / "straight.safetensors")
    assert finish(state) == whole
    assert asked.exists(), "a training that was told to end wrote no state"
    assert finish(asked) == whole


def test_the_state_s_place_may_be_a_string(tmp_path):
    place = str(tmp_path / "state.safetensors")
    first, _, _ = small_training(place, 3)
    again, _, history = small_training(place, 3)
    assert_equal(first, again)
    assert history.steps == 3


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


def test_a_state_that_cannot_be_written_is_found_before_the_first_step(tmp_path):
    (tmp_path / "file").touch()
    never = {"stop_at": 0}
    with pytest.raises(OSError, match=r"Nothing can be written to .*file .*Put the state into a"):
        small_training(tmp_path / "file" / "state", 5, **never)
    with pytest.raises(ValueError, match="is a folder; it needs to be the path of a file"):
        small_training(tmp_path, 5, **never)


def half_precision_training(state, steps):
    """Mixed with float16, whose losses are scaled: too much at first, so that steps are left out.

    The CPU stands in for a GPU; `start` would refuse it.
    """
    run = Run("ci", torch.device("cpu"), "16-mixed", 0)
    plugin = MixedPrecision("16-mixed", "cpu")
    vars(run)["fabric"] = Fabric(accelerator="cpu", devices=1, plugins=[plugin])
    run.fabric.launch()
    torch.manual_seed(0)
    net = nn.Linear(64, 64)
    model, optimizer = run.fabric.setup(net, torch.optim.SGD(net.parameters(), lr=1e-3))

    def step(i, generator):
        x = torch.randn(32, 64, generator=generator)
        loss = (model(x) - 1).float().square().sum() / 4
        optimizer.zero_grad()
        run.fabric.backward(loss)
        optimizer.step()
        return {"loss": loss.detach()}

    train(
        run, step, steps, modules={"net": model}, optimizers={"sgd": optimizer}, state=state,
        log_every=10, save_every=0.0,
    )  # fmt: skip
    return net, plugin.scaler.get_scale()


def test_the_scale_of_losses_in_half_precision_is_part_of_the_state(tmp_path):
    whole, scale = half_precision_training(tmp_path / "whole", 40)
    _, first = half_precision_training(tmp_path / "halves", 20)
    assert first < 2**16, "no step was left out, and the test shows nothing"
    halves, again = half_precision_training(tmp_path / "halves", 40)
    assert again == scale
    assert_equal(whole, halves)


def test_each_optimizer_can_have_its_learning_rate():
    run = start(profile="ci", device="cpu", quiet=True)
    layers = {name: nn.Linear(1, 1) for name in ("generator", "discriminator", "other")}
    optimizers = {
        name: torch.optim.SGD(layer.parameters(), lr=0.5) for name, layer in layers.items()
    }
    seen = []

    def step(i, generator):
        seen.append([optimizer.param_groups[0]["lr"] for optimizer in optimizers.values()])
        return {}

    rates = {"generator": lambda i: 1 / (i + 1), "discriminator": lambda i: 4 / (i + 1)}
    train(run, step, 2, modules=layers, optimizers=optimizers, learning_rate=rates)
    assert seen == [[1, 4, 0.5], [0.5, 2, 0.5]]
    with pytest.raises(ValueError, match="learning rate for critic; its optimisers are generator"):
        train(run, step, 2, modules=layers, optimizers=optimizers,
              learning_rate={"critic": rates["generator"]})  # fmt: skip


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
