"""Two processes train as one on the doubled batch, but for batch normalisation."""

import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from safetensors.torch import load_file

SCRIPT = """
    import sys
    import torch
    from safetensors.torch import save_file
    from lecture_utils import start
    from lecture_utils.adversarial import Game, Objective, alternate, r1
    from lecture_utils.generation.dcgan import Discriminator, Generator

    run = start(quiet=True, profile="ci", device="cpu")
    torch.manual_seed(0)
    x, z = torch.rand(8, 3, 8, 8), torch.randn(8, 3)
    norm = sys.argv[2] == "normalised"
    G, D = Generator(8, 2, latent=3, normalised=norm), Discriminator(8, 2, normalised=norm)
    # Plain descent with a rate of 1: the change of a weight is its gradient.
    sets = [run.fabric.setup(n, torch.optim.SGD(n.parameters(), lr=1.0)) for n in (G, D)]
    game = Game(run.fabric, sets[0][0], sets[1][0], sets[0][1], sets[1][1])
    own = slice(run.fabric.global_rank, None, run.fabric.world_size)
    objective = Objective() if norm else Objective(penalty=r1)
    alternate(game, objective, x[own], z[own])
    if run.fabric.is_global_zero:
        state = {f"G.{k}": v for k, v in G.state_dict().items()}
        save_file(state | {f"D.{k}": v for k, v in D.state_dict().items()}, sys.argv[1])
"""


@pytest.fixture(scope="module")
def difference(tmp_path_factory):
    """Return a function: by how much weights differ after a step of two processes and of one."""
    folder = tmp_path_factory.mktemp("processes")
    script = folder / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))

    def measure(kind):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        fabric = Path(sys.executable).with_name("fabric")
        two = [fabric, "run", "--accelerator", "cpu", "--devices", "2", "--main-port", port]
        weights = []
        for name, words in (("one", [sys.executable]), ("two", two)):
            path = folder / f"{kind}-{name}"
            done = subprocess.run(
                [str(word) for word in (*words, script, path, kind)],
                capture_output=True,
                text=True,
                cwd=folder,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )
            assert done.returncode == 0, done.stderr
            weights.append(load_file(path))
        return max(
            float((weights[0][key] - weights[1][key]).abs().max())
            for key in weights[0]
            if weights[0][key].is_floating_point() and "running" not in key
        )

    return measure


def test_two_processes_have_the_gradients_of_one_on_the_doubled_batch(difference):
    """The gradient penalty included."""
    assert difference("plain") < 1e-5


def test_batch_normalisation_sees_each_process_s_half_only(difference):
    """Mean and variance are those of four images and not of eight: another step, not a wrong one."""
    assert difference("normalised") > 5e-4
