"""Recipes: how each shipped checkpoint is made, one file each, run with one command.

``python -m lecture_utils train NAME`` runs ``recipes/PART/NAME.py`` of the lecture's part to which
NAME belongs. Such a file holds a ``RECIPE``; what several share is in the part's own package (such
as ``super_resolution/training.py``), which the pages use, too.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import platform
import subprocess
import time
from functools import cache
from pathlib import Path

import numpy as np
import torch

from lecture_utils import __version__, checkpoints
from lecture_utils.files import check_writable
from lecture_utils.recipe import Recipe
from lecture_utils.runtime import Run


@cache
def _modules() -> dict[str, str]:
    """Return the module of each recipe by the recipe's name."""
    found = pkgutil.walk_packages(__path__, f"{__name__}.")
    return {m.name.rpartition(".")[2]: m.name for m in found if not m.ispkg}


def names() -> list[str]:
    """Return the names of all recipes, sorted."""
    return sorted(_modules())


def part(name: str) -> str:
    """Return the part of the lecture that a recipe belongs to, such as ``super_resolution``."""
    return _module(name).split(".")[-2]


def get(name: str) -> Recipe:
    """Return a recipe by its name.

    Raises
    ------
    KeyError
        If there is no such recipe.
    """
    recipe = importlib.import_module(_module(name)).RECIPE
    assert isinstance(recipe, Recipe)
    return recipe


def _module(name: str) -> str:
    """Return the module of a recipe, or say which recipes there are."""
    if name not in _modules():
        raise KeyError(
            f"There is no recipe {name!r}; there are: {', '.join(names())}."
        )
    return _modules()[name]


def run_recipe(
    name: str,
    run: Run,
    out: Path | str,
    *,
    state: Path | str | None = None,
    progress: bool = True,
) -> checkpoints.Record:
    """Train a recipe, going on from its state if it was stopped, and write its checkpoint.

    Parameters
    ----------
    name
        The recipe's name, also the checkpoint's.
    run
        Profile, device, precision and seed.
    out
        The folder for ``NAME.safetensors`` and ``NAME.json``.
    state
        The resumable state; without it ``runs/NAME-PROFILE.safetensors`` below the working folder.
    progress
        Show a progress bar.

    Returns
    -------
    The record as it was written; of several processes only the first one writes, and the others'
    has no hash.

    Raises
    ------
    OSError
        Before the training, if the checkpoint or the state could not be written.
    """
    recipe = get(name)
    out = Path(out)
    state = Path(state or f"runs/{name}-{run.profile}.safetensors")
    advice = "Choose a folder that you may write to with {}"
    check_writable(out, advice.format("--out"))
    check_writable(state.parent, advice.format("--state"))
    started = time.monotonic()
    commit = source_commit()
    result = recipe.train(run, state, progress)
    description = checkpoints.Record(
        name=name,
        recipe=name,
        commit=commit,
        profile=run.profile,
        data=result.data,
        seed=run.seed,
        steps=result.history.steps if result.history else 0,
        seconds=round(
            (
                result.history.seconds
                if result.history
                else time.monotonic() - started
            ),
            1,
        ),
        hardware=hardware(run),
        versions=versions(),
        settings={"precision": run.precision} | result.settings,
        metrics={
            key: round(value, 5) for key, value in result.metrics.items()
        },
        history={
            key: [(i, round(value, 6)) for i, value in curve]
            for key, curve in (
                result.history.curves if result.history else {}
            ).items()
        },
    )
    if run.fabric.is_global_zero:  # several processes must not write one file
        description = checkpoints.save(result.tensors, description, out)
    run.fabric.barrier()
    return description


def source_commit() -> str:
    """Return the commit of the sources, with ``+`` if the package was changed since."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    try:
        changed = git(
            "status",
            "--porcelain",
            "--untracked-files=no",
            "--",
            str(here.parent),
        )
        return git("rev-parse", "--short=12", "HEAD") + (
            "+" if changed else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def hardware(run: Run) -> str:
    """Describe what a training ran on, in a few words."""
    if run.device.type == "cuda":
        return (
            f"{torch.cuda.get_device_name(run.device)} x"
            f" {run.fabric.world_size}"
        )
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass  # not Linux: the short name does
    cores = f"{model}, {torch.get_num_threads()} of {os.cpu_count()} cores"
    processes = run.fabric.world_size
    return (
        cores
        if processes == 1
        else f"{cores} for each of {processes} processes"
    )


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that a training depends on."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "lecture_utils": __version__,
    }
