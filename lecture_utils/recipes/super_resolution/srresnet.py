"""SRResNet, the generator of SRGAN trained with the mean squared error alone, x4."""

from pathlib import Path

import torch

from lecture_utils.recipe import Recipe, Result
from lecture_utils.runtime import Run
from lecture_utils.super_resolution.networks import build
from lecture_utils.super_resolution.srgan_training import (
    perceptual_network,
    perceptual_report,
)
from lecture_utils.super_resolution.training import (
    Settings,
    split,
    train_network,
    training_images,
)


def _train(run: Run, state: Path, progress: bool) -> Result:
    torch.manual_seed(run.seed)
    settings = Settings(
        scales=(4,),
        steps=run.pick(ci=4, book=14_000, full=1_000_000),
        batch=run.pick(ci=2, book=8, full=16),
        patch=run.pick(ci=12, book=24, full=24),
        learning_rate=4e-4,
        rise=0.05,
        loss="l2",
        colour="rgb",
    )
    network = build("srresnet")
    result = train_network(run, state, progress, network, settings)
    network.load_state_dict(
        {key: value.float() for key, value in result.tensors.items()}
    )
    _, held_out = split(training_images(run), settings.held_out)
    result.metrics.update(
        perceptual_report(
            run, network.to(run.device), perceptual_network(run), held_out
        )
    )
    return result


RECIPE = Recipe("SRResNet with 8 residual blocks of 64, x4", _train)
