"""SRGAN-VGG16-53: the adversarial loss with the features relu5_3 of VGG16 as content loss, x4.

The deepest layer of VGG16, whose weights the book's data folder holds; of VGG19 it is relu5_4, in
the recipe ``srgan_vgg54``.
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
    # On eight crops at the start the gradient of the generator's weights is
    # 2.3 times that of VGG19's relu3_4, whose weight is 100.
    settings = srgan_settings(run, "relu5_3", 40, depth=16)
    return train_adversarial(run, state, progress, settings)


RECIPE = Recipe(
    "SRGAN-VGG16-53: adversarial loss and features of VGG16, x4", _train
)
