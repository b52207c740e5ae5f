"""A recipe: how a shipped checkpoint is made, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

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
