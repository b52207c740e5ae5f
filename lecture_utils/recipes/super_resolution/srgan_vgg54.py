"""SRGAN-VGG54: the adversarial loss with the features relu5_4 of VGG19 as content loss, x4.

Needs torchvision's weights: run it in profile ``full``, which downloads them.
"""

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
    settings = srgan_settings(run, "relu5_4", 100)
    return train_adversarial(run, state, progress, settings)


RECIPE = Recipe(
    "SRGAN-VGG54: adversarial loss and features of VGG19, x4", _train
)
