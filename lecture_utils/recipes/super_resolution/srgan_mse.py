"""SRGAN-MSE: the adversarial loss with the mean squared error as content loss, x4."""

from pathlib import Path

import torch

from lecture_utils.recipe import Recipe, Result
from lecture_utils.runtime import Run
from lecture_utils.super_resolution.srgan_training import (
    srgan_settings,
    train_adversarial,
)


def _train(run: Run, state: Path, progress: bool) -> Result:
    torch.manual_seed(run.seed)
    settings = srgan_settings(run, "mse", 5_000)
    return train_adversarial(run, state, progress, settings)


RECIPE = Recipe(
    "SRGAN-MSE: adversarial loss and mean squared error, x4", _train
)
