"""VDSR, 20 layers of 64, x2, x3 and x4 jointly."""

from pathlib import Path

import torch

from lecture_utils.recipe import Recipe, Result
from lecture_utils.runtime import Run
from lecture_utils.super_resolution.networks import build
from lecture_utils.super_resolution.training import Settings, train_network


def _train(run: Run, state: Path, progress: bool) -> Result:
    torch.manual_seed(run.seed)
    settings = Settings(
        scales=(2, 3, 4),
        steps=run.pick(ci=20, book=16_000, full=200_000),
        batch=run.pick(ci=2, book=16, full=64),
        patch=41,
        # More, or a short rise, silences the rectifiers of the 20 layers.
        learning_rate=3e-4,
        rise=0.05,
        evaluations=16,
    )
    return train_network(run, state, progress, build("vdsr"), settings)


RECIPE = Recipe("VDSR, 20 layers of 64, x2, x3 and x4 jointly", _train)
