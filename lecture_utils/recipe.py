"""A recipe: how a shipped checkpoint is made, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lecture_utils.runtime import Run
from lecture_utils.training import DivergedError, History


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


def train_each(
    run: Run,
    state: Path | None,
    trainings: Mapping[str, Callable[[Path | None], Result]],
    *,
    ship: bool = False,
) -> Result:
    """Do several trainings one after the other and put their results together: an ablation.

    Every training starts from the same seed. One that diverges is not an error here: its curves end
    where its numbers did, and the metric ``diverged_at_step`` says when. Each keeps a state of its
    own, so after an interruption what has reached its last step is not trained again.

    Parameters
    ----------
    run, state
        As a recipe gets them; the states stand beside ``state``, or nowhere if it is None.
    trainings
        Called with the path of its own state, by the name that stands before each curve's and
        metric's name, with a colon. Of their settings ``images`` names the sets of images.
    ship
        Whether the weights are part of the result.
    """
    history = History()
    metrics: dict[str, float] = {}
    tensors: dict[str, Tensor] = {}
    settings: dict[str, Any] = {}
    names: set[str] = set()
    for number, (name, training) in enumerate(trainings.items()):
        torch.manual_seed(run.seed)
        own = (
            None
            if state is None
            else state.with_name(f"{state.stem}-{number}{state.suffix}")
        )
        try:
            result = training(own)
        except DivergedError as error:
            result = Result(
                {},
                {"diverged_at_step": error.step},
                dict(error.settings),
                list(error.settings["images"]),
                error.history,
            )
        assert result.history is not None
        history.steps += result.history.steps
        history.seconds += result.history.seconds
        metrics[f"{name}: seconds"] = result.history.seconds
        history.curves |= {
            f"{name}: {key}": c for key, c in result.history.curves.items()
        }
        metrics |= {
            f"{name}: {key}": value for key, value in result.metrics.items()
        }
        settings[name] = result.settings
        names |= set(result.data)
        if ship:
            tensors |= {
                f"{name}:{key}": value for key, value in result.tensors.items()
            }
    return Result(tensors, metrics, settings, sorted(names), history)
