"""Transition state 2 between SRCNN-Ex and FSRCNN, x3."""

from pathlib import Path

import torch

from lecture_utils.recipe import Recipe, Result
from lecture_utils.runtime import Run
from lecture_utils.super_resolution.networks import build
from lecture_utils.super_resolution.training import Settings, train_network


def _train(run: Run, state: Path, progress: bool) -> Result:
    torch.manual_seed(run.seed)
    settings = Settings(
        scales=(3,),
        steps=run.pick(ci=20, book=120_000, full=500_000),
        batch=run.pick(ci=2, book=16, full=64),
        patch=20,
        learning_rate=3e-3,
    )
    return train_network(
        run, state, progress, build("transition_2_x3"), settings
    )


RECIPE = Recipe("Transition state 2 between SRCNN-Ex and FSRCNN, x3", _train)
