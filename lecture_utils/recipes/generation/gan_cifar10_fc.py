"""The paper's fully connected pair on CIFAR-10."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from lecture_utils import data
from lecture_utils.generation.gan import (
    fully_connected_discriminator,
    fully_connected_generator,
)
from lecture_utils.generation.gan_training import (
    PairSettings,
    gaussian_report,
    resemblance,
    train_pair,
)
from lecture_utils.generation.training import Judge
from lecture_utils.recipe import Recipe, Result
from lecture_utils.runtime import Run

SHAPE = (3, 32, 32)
HIDDEN = (512, 384)


def photographs(run: Run) -> tuple[Tensor, Tensor]:
    """Return images to train on and held out, uint8 (N, 3, 32, 32): every tenth is held out."""
    limit = run.pick(ci=200, book=10_000, full=None)
    images = torch.from_numpy(data.cifar10(limit, run=run)[0])
    images = images.permute(0, 3, 1, 2).contiguous()
    aside = torch.arange(len(images)) % 10 == 9
    return images[~aside], images[aside]


def train_on_cifar10(
    run: Run,
    state: Path | None,
    progress: bool,
    players: tuple[torch.nn.Module, torch.nn.Module],
    settings: PairSettings,
) -> Result:
    """Train a pair, and measure samples against images held out; see `train_pair`."""
    training, held_out = photographs(run)
    judge = Judge(run, training, held_out, 1_000)
    result, generator = train_pair(
        run, state, progress, players, judge, settings, "cifar10"
    )
    neighbours, distances = resemblance(judge, generator, settings.latent)
    return Result(
        result.tensors | neighbours,
        result.metrics
        | judge.floor()
        | gaussian_report(judge, run, run.pick(ci=50, book=500, full=500))
        | distances,
        result.settings,
        result.data,
        result.history,
    )


def train(run: Run, state: Path | None, progress: bool) -> Result:
    """Train the fully connected pair."""
    torch.manual_seed(run.seed)
    settings = PairSettings(
        steps=run.pick(ci=4, book=15_000, full=300_000),
        batch=run.pick(ci=8, book=64, full=128),
    )
    players = (
        fully_connected_generator(SHAPE, settings.latent, HIDDEN),
        fully_connected_discriminator(SHAPE, HIDDEN[::-1]),
    )
    result = train_on_cifar10(run, state, progress, players, settings)
    result.settings["hidden"] = HIDDEN
    return result


RECIPE = Recipe("Fully connected GAN on CIFAR-10", train)
