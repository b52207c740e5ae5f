"""A fully connected GAN on digits, as in the paper, with the paper's measure.

It is trained on nine tenths of the 5,000 embedded digits, or on MNIST's 60,000 in profile ``full``.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from lecture_utils import data
from lecture_utils.generation.gan import (
    fully_connected_discriminator,
    fully_connected_generator,
    parzen,
)
from lecture_utils.generation.gan_training import (
    PairSettings,
    gaussian_report,
    resemblance,
    train_pair,
)
from lecture_utils.generation.gaussian import GaussianModel
from lecture_utils.generation.training import Judge, sample
from lecture_utils.recipe import Recipe, Result
from lecture_utils.runtime import Run

SHAPE = (1, 28, 28)
HIDDEN = (256, 512)


def embedded_digits() -> tuple[Tensor, Tensor]:
    """Return the embedded digits, uint8 (N, 1, 28, 28): 4,500 to train on and 500 held out.

    The classes take turns, so that any part has them all.
    """
    by_class = torch.from_numpy(data.mnist_5k()[0]).reshape(10, 500, 28, 28)
    images = by_class.transpose(0, 1).reshape(5000, *SHAPE)
    return images[:4500], images[4500:]


def digits(run: Run) -> tuple[Tensor, Tensor, str]:
    """Return digits to train on and held out, uint8 (N, 1, 28, 28), and the data set's name."""
    if run.profile == "full":
        sets = [data.mnist(split, run=run)[0] for split in ("train", "test")]
        training, held_out = (torch.from_numpy(x)[:, None] for x in sets)
        return training, held_out, "mnist"
    training, held_out = embedded_digits()
    some = run.pick(ci=20, book=500, full=500)
    return training[: 9 * some], held_out[:some], "mnist_5k"


def parzen_report(
    run: Run, samples: Tensor, training: Tensor, test: Tensor
) -> dict[str, float]:
    """Measure the paper's likelihood: of samples, of the Gaussian model, and of training digits."""
    size = len(samples)
    model = GaussianModel.fit(training.double(), "covariance", 100)
    others = {
        "samples": samples,
        "gaussian": model.sample(size, run.generator(2)).float(),
        "training": training[:size],
    }
    validation, test = test[::2], test[1::2]
    metrics = {"parzen_tested": float(len(test))}
    for name, images in others.items():
        measured = parzen(images, validation, test)
        metrics[f"parzen_{name}"] = measured.value
        metrics[f"parzen_{name}_error"] = measured.error
        metrics[f"parzen_{name}_sigma"] = measured.sigma
    return metrics


def train(run: Run, state: Path | None, progress: bool) -> Result:
    """Train, and measure samples against digits held out."""
    torch.manual_seed(run.seed)
    training, held_out, name = digits(run)
    settings = PairSettings(
        steps=run.pick(ci=4, book=15_000, full=200_000),
        batch=run.pick(ci=8, book=64, full=128),
        latent=64,
    )
    judge = Judge(run, training, held_out, 1_000)
    players = (
        fully_connected_generator(SHAPE, settings.latent, HIDDEN),
        fully_connected_discriminator(SHAPE, HIDDEN[::-1]),
    )
    result, generator = train_pair(
        run, state, progress, players, judge, settings, name
    )
    neighbours, distances = resemblance(judge, generator, settings.latent)
    count = run.pick(ci=100, book=10_000, full=10_000)
    codes = torch.randn(count, settings.latent, generator=run.generator(1))
    likelihoods = parzen_report(
        run,
        sample(generator, codes),
        training.float() / 255,
        held_out.float() / 255,
    )
    return Result(
        result.tensors | neighbours,
        result.metrics
        | judge.floor()
        | gaussian_report(judge, run, 100)
        | distances
        | likelihoods,
        result.settings | {"hidden": HIDDEN},
        result.data,
        result.history,
    )


RECIPE = Recipe("Fully connected GAN on digits", train)
