"""Recipes: each runs in profile ci, and a run writes a checkpoint with its record."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
from importlib import metadata
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lecture_utils import checkpoints, cli, data, recipes, start
from lecture_utils import recipe as recipe_module

# What some recipes start from; all others fall back to embedded photos.
NEEDED_DATA = {name: "celeba_10k" for name in recipes.names() if name.startswith("dcgan_")} | {
    "gaussian_celeba64": "celeba_10k", "face_attributes": "celeba_10k",
    "dcgan_scenes": "scenes_64", "gan_cifar10_fc": "cifar10", "gan_cifar10_conv": "cifar10",
}  # fmt: skip
DRAWN = {"gan_modes"}  # its points come from a formula
NEEDED_CHECKPOINT = {
    name: "srresnet" if name.startswith("srgan") else "fsrcnn_x3"
    for name in recipes.names()
    if name.startswith(("srgan", "fsrcnn_transfer", "fsrcnn_x2", "fsrcnn_x4"))
}


@pytest.mark.parametrize("name", recipes.names())
def test_each_recipe_runs_in_profile_ci(name, tmp_path):
    needed = NEEDED_DATA.get(name)
    if needed and data.find(needed) is None:
        pytest.skip(f"the data set {needed} is not found")
    needed = NEEDED_CHECKPOINT.get(name)
    if needed and needed not in checkpoints.names():
        pytest.skip(f"the checkpoint {needed} is not trained yet")
    run = start(profile="ci", device="cpu", quiet=True)
    record = recipes.run_recipe(name, run, tmp_path, state=tmp_path / "state", progress=False)
    assert record.metrics
    assert bool(record.data) != (name in DRAWN)
    tensors, again = checkpoints.load(name, tmp_path)
    assert again == record
    assert all(torch.isfinite(t).all() for t in tensors.values())


def test_vdsr_is_measured_at_scales_that_it_was_not_trained_for(tmp_path):
    run = start(profile="ci", device="cpu", quiet=True)
    record = recipes.run_recipe(
        "vdsr_scales", run, tmp_path, state=tmp_path / "state", progress=False
    )
    found = {key for key in record.metrics if re.fullmatch(r"x[234,]+: \w+_x[234]_psnr_y", key)}
    assert len([key for key in found if "held_out" not in key]) == 7 * 3


def test_a_recipe_resumes(tmp_path):
    """The state of a finished training makes the second run a repetition of the report only."""
    name = "fsrcnn_x3"
    first, second = (
        recipes.run_recipe(
            name,
            start(profile="ci", device="cpu", quiet=True),
            str(tmp_path / folder),
            state=tmp_path / "state",
            progress=False,
        )
        for folder in ("a", "b")
    )
    assert first.sha256 == second.sha256
    assert first.metrics == second.metrics


def program(path, text):
    path.write_text(textwrap.dedent(text))
    return path


def test_a_killed_recipe_ends_with_the_same_weights(tmp_path):
    """The process is killed at a given draw of a batch, and the same command is given again."""
    recipe = program(
        tmp_path / "recipe.py",
        """
        import os, signal, sys
        from pathlib import Path
        from lecture_utils import recipes, start
        from lecture_utils.super_resolution.training import Patches
        folder, kill_at = Path(sys.argv[1]), int(sys.argv[2])
        draw, count = Patches.draw, 0
        def draw_or_die(self, generator):
            global count
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return draw(self, generator)
        Patches.draw = draw_or_die
        run = start(profile="ci", device="cpu", quiet=True)
        record = recipes.run_recipe("fsrcnn_x3", run, folder, state=folder / "state", progress=False)
        print(record.sha256, record.steps)
        """,
    )

    def call(folder, kill_at):
        return subprocess.run(
            [sys.executable, recipe, tmp_path / folder, str(kill_at)],
            capture_output=True,
            text=True,
        )

    straight = call("straight", 0)
    assert straight.returncode == 0, straight.stderr
    for kill_at in (2, 8, 5):  # before the first state, then twice in what is left
        assert call("killed", kill_at).returncode == -signal.SIGKILL
    assert (tmp_path / "killed" / "state").exists()
    assert call("killed", 0).stdout == straight.stdout


def test_two_processes_average_to_the_gradient_of_the_doubled_batch(tmp_path):
    script = program(
        tmp_path / "gradient.py",
        """
        import sys, torch
        from lecture_utils import start
        from lecture_utils.super_resolution.fsrcnn import FSRCNN
        from safetensors.torch import save_file
        run = start(device="cpu", profile="ci", quiet=True)
        fabric = run.fabric
        model, optimizer = fabric.setup(net := FSRCNN(3), torch.optim.SGD(net.parameters(), lr=1))
        images = torch.rand(8, 1, 12, 12, generator=run.generator(5))
        targets = torch.rand(8, 1, 36, 36, generator=run.generator(6))
        part = slice(fabric.global_rank, None, fabric.world_size)
        loss = (model(images[part]) - targets[part]).abs().mean()
        fabric.backward(loss)
        gradient = {name: p.grad.clone() for name, p in net.named_parameters()}
        print("rank", fabric.global_rank, "of", fabric.world_size)
        save_file(gradient, f"{sys.argv[1]}-{fabric.global_rank}.safetensors")
        """,
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    alone = subprocess.run(
        [sys.executable, script, tmp_path / "one"], capture_output=True, text=True, env=environment
    )
    assert alone.returncode == 0, alone.stderr
    both = fabric_run(tmp_path, script, tmp_path / "two")
    assert both.returncode == 0, both.stderr
    one = load_file(tmp_path / "one-0.safetensors")
    for rank in (0, 1):
        two = load_file(tmp_path / f"two-{rank}.safetensors")
        for name, gradient in one.items():
            assert torch.allclose(two[name], gradient, rtol=1e-4, atol=1e-7), name
    assert max(float(g.abs().max()) for g in one.values()) > 1e-3


@pytest.mark.parametrize("option", ["out", "state"])
def test_a_place_that_cannot_be_written_is_found_before_the_training(tmp_path, option, monkeypatch):
    (tmp_path / "file").touch()
    places = {"out": tmp_path / "out", "state": tmp_path / "state"} | {
        option: tmp_path / "file" / "below"
    }
    trained = []
    recipe = recipe_module.Recipe("none", lambda *args: trained.append(args))
    monkeypatch.setattr(recipes, "get", lambda name: recipe)
    with pytest.raises(OSError, match=rf"Nothing can be written to .*file.*with --{option}"):
        recipes.run_recipe(
            "vdsr", start(profile="ci", quiet=True), places["out"], state=places["state"]
        )
    assert trained == []


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


def test_ctrl_c_at_the_command_line_says_what_it_left(monkeypatch, capsys):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt("Stopped after step 5 of 9; the state is in state.")

    monkeypatch.setattr(recipes, "run_recipe", stop)
    monkeypatch.setattr(sys, "argv", ["lecture_utils", "train", "vdsr", "--profile", "ci"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "Stopped after step 5 of 9; the state is in state.\n"


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


def fabric_run(folder, *words, **options):
    """Call a script with two processes on the CPU, which meet at a port that nothing else uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    return subprocess.run(
        [str(Path(sys.executable).with_name("fabric")), "run", "--accelerator", "cpu",
         "--devices", "2", "--main-port", port, *words],
        capture_output=True, text=True, cwd=folder, env=os.environ | {"OMP_NUM_THREADS": "1"},
        **options,
    )  # fmt: skip


def test_fabric_run_trains_with_two_processes(tmp_path):
    """`fabric run` starts the processes; the package must not start them again."""
    main = Path(recipes.__file__).parents[1] / "__main__.py"
    done = fabric_run(
        tmp_path, "--precision", "bf16-mixed", main, "train", "srgan_mse", "--profile", "ci",
        "--out", "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert checkpoints.names(tmp_path / "out") == ["srgan_mse"]
    checkpoints.verify("srgan_mse", tmp_path / "out")
    record = checkpoints.record("srgan_mse", tmp_path / "out")
    assert record.settings["precision"] == "bf16-mixed"
    assert record.hardware.endswith("for each of 2 processes")
    assert done.stdout.count("The checkpoint srgan_mse is in out") == 1


def test_two_processes_go_on_as_if_they_had_not_been_stopped(tmp_path):
    script = program(
        tmp_path / "script.py",
        """
        import sys
        from pathlib import Path
        import torch
        from lecture_utils import start
        from lecture_utils.training import train
        run = start(quiet=True, profile="ci")
        stop_at = int(sys.argv[2])
        layer = torch.nn.Linear(1, 1)
        rank = run.fabric.global_rank

        def step(i, generator):
            if i == stop_at:
                sys.exit(3)
            drawn = torch.rand((), generator=generator).item(), torch.rand(()).item()
            with open(f"{sys.argv[1]}-{rank}-draws", "a") as file:
                print(i, *drawn, file=file)
            return {"mean": drawn[0]}

        torch.manual_seed(100 + rank)
        history = train(
            run, step, 6, modules={"layer": layer}, optimizers={}, log_every=1, save_every=0.0,
            state=Path(sys.argv[1]),
        )
        Path(f"{sys.argv[1]}-{rank}-curve").write_text(str(history.curves["mean"]))
        """,
    )

    def written(training, what):
        return [(tmp_path / f"{training}-{rank}-{what}").read_text() for rank in (0, 1)]

    straight = fabric_run(tmp_path, script, "straight", "-1")
    assert straight.returncode == 0, straight.stderr
    stopped = fabric_run(tmp_path, script, "stopped", "3")
    assert stopped.returncode != 0
    resumed = fabric_run(tmp_path, script, "stopped", "-1")
    assert resumed.returncode == 0, resumed.stderr
    assert written("stopped", "draws") == written("straight", "draws")
    first, second = written("straight", "draws")
    assert set(first.split()) & set(second.split()) == set("012345")  # all numbers drawn differ
    first, second = written("straight", "curve")
    assert first == second  # the mean over both
    assert written("stopped", "curve") == [first, second]

    alone = subprocess.run(
        [sys.executable, script, "stopped", "-1"], capture_output=True, text=True, cwd=tmp_path
    )
    assert "that of 2 processes, and this training has 1" in alone.stderr
