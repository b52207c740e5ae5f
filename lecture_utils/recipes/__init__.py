"""Recipes: how each shipped checkpoint is made, one file each, run with one command.

``python -m lecture_utils train NAME`` runs ``lecture_utils/recipes/NAME.py``. Such a file holds a
``RECIPE``; what several share is in ``lecture_utils/super_resolution_training.py`` and
``lecture_utils/srgan_training.py``, which the pages use, too.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import platform
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lecture_utils import __version__, checkpoints
from lecture_utils.runtime import Run
from lecture_utils.training import History


@dataclass(frozen=True)
class Result:
    """What a recipe gives back: the tensors to ship, what was measured, and how it was made.

    Attributes
    ----------
    tensors
        By name; float16 where the metrics do not suffer.
    metrics
        Flat names and numbers, such as ``set5_x3_psnr_y``.
    settings
        The choices that made it.
    data
        Names of the data sets that were used for training.
    history
        The training's history; None for a closed-form fit.
    """

    tensors: dict[str, Tensor]
    metrics: dict[str, float]
    settings: dict[str, Any]
    data: list[str]
    history: History | None = None


@dataclass(frozen=True)
class Recipe:
    """How one checkpoint is made.

    Attributes
    ----------
    title
        One line for the command line's list.
    train
        Called as ``train(run, state, progress)``: the run, the path of the resumable state, and
        whether to show a progress bar.
    """

    title: str
    train: Callable[[Run, Path, bool], Result]


def names() -> list[str]:
    """Return the names of all recipes, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def get(name: str) -> Recipe:
    """Return a recipe by its name.

    Raises
    ------
    KeyError
        If there is no such recipe.
    """
    if name not in names():
        raise KeyError(f"There is no recipe {name!r}; there are: {', '.join(names())}.")
    recipe = importlib.import_module(f"{__name__}.{name}").RECIPE
    assert isinstance(recipe, Recipe)
    return recipe


def run_recipe(
    name: str, run: Run, out: Path, *, state: Path | None = None, progress: bool = True
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
    """
    recipe = get(name)
    state = state or Path("runs") / f"{name}-{run.profile}.safetensors"
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
        seconds=round(result.history.seconds if result.history else time.monotonic() - started, 1),
        hardware=hardware(run),
        versions=versions(),
        settings={"precision": run.precision} | result.settings,
        metrics={key: round(value, 5) for key, value in result.metrics.items()},
        history={
            key: [(i, round(value, 6)) for i, value in curve]
            for key, curve in (result.history.curves if result.history else {}).items()
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
            ["git", *words], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", str(here.parent))
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def hardware(run: Run) -> str:
    """Describe what a training ran on, in a few words."""
    if run.device.type == "cuda":
        return f"{torch.cuda.get_device_name(run.device)} x {run.fabric.world_size}"
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
    return cores if processes == 1 else f"{cores} for each of {processes} processes"


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that a training depends on."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "lecture_utils": __version__,
    }
