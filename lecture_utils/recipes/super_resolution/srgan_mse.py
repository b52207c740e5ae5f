"""SRGAN-MSE: the adversarial loss with the mean squared error as content loss, x4."""

from pathlib import Path

import torch

from lecture_utils.recipe import Recipe, Result
from lecture_utils.runtime import Run
from lecture_utils.super_resolution.srgan_training import train_adversarial


def _train(run: Run, state: Path, progress: bool) -> Result:
    torch.manual_seed(run.seed)
    return train_adversarial(run, state, progress, "mse", weight=5_000)


RECIPE = Recipe(
    "SRGAN-MSE: adversarial loss and mean squared error, x4", _train
)
