"""SRGAN-VGG22: the adversarial loss with the features relu2_2 of VGG19 as content loss, x4."""

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
    settings = srgan_settings(run, "relu2_2", 100)
    return train_adversarial(run, state, progress, settings)


RECIPE = Recipe(
    "SRGAN-VGG22: adversarial loss and features of VGG19, x4", _train
)
