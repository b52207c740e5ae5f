"""The paper's convolutional pair on CIFAR-10, with the next section's layers."""

from __future__ import annotations

from pathlib import Path

import torch

from lecture_utils.generation.dcgan import Discriminator, Generator
from lecture_utils.generation.gan_training import PairSettings
from lecture_utils.recipe import Recipe, Result
from lecture_utils.recipes.generation.gan_cifar10_fc import train_on_cifar10
from lecture_utils.runtime import Run


def train(run: Run, state: Path | None, progress: bool) -> Result:
    """Train the convolutional pair; only the generator is normalised over the batch."""
    torch.manual_seed(run.seed)
    settings = PairSettings(
        steps=run.pick(ci=4, book=10_000, full=300_000),
        batch=run.pick(ci=8, book=64, full=128),
        every=4,
    )
    width = run.pick(ci=4, book=32, full=96)
    players = (
        Generator(32, width, latent=settings.latent),
        Discriminator(32, width, normalised=False),
    )
    result = train_on_cifar10(run, state, progress, players, settings)
    result.settings["width"] = width
    return result


RECIPE = Recipe("Convolutional GAN on CIFAR-10", train)
