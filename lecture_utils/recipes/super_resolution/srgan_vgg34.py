"""SRGAN-VGG34: the adversarial loss with the features relu3_4 of VGG19 as content loss, x4.

The deepest layer of VGG19 that the book's data folder holds; it stands in for VGG54, whose own
recipe is ``srgan_vgg54``.
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
    settings = srgan_settings(run, "relu3_4", 100)
    return train_adversarial(run, state, progress, settings)


RECIPE = Recipe(
    "SRGAN-VGG34: adversarial loss and features of VGG19, x4", _train
)
