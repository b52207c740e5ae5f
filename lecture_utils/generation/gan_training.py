"""What the recipes of the first GANs share: the training of a pair, and what its samples resemble."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path

import torch
from torch import Tensor, nn

from lecture_utils.adversarial import Objective, alternate, r1, start_game
from lecture_utils.generation.gaussian import GaussianModel
from lecture_utils.generation.training import Judge, moving_average, sample
from lecture_utils.recipe import Result
from lecture_utils.runtime import Run
from lecture_utils.sample_metrics import nearest
from lecture_utils.settings import check_number, check_whole
from lecture_utils.training import round_to_half, train

SHOWN = 60  # codes that are shipped, with the nearest training images


@dataclass(frozen=True)
class PairSettings:
    """The choices of a training with the paper's losses and the penalty R1.

    Attributes
    ----------
    steps, batch
        Steps, and images in each.
    latent
        Numbers in a code.
    penalty, every
        The weight of R1, and at how many steps' distance it is computed (then times as much).
    rate, momentum
        Adam's learning rate, which falls to zero over the last fifth, and beta1.
    half_life
        Images after which a weight counts half in the average that is shipped.
    evaluations
        How often samples are judged during the training.
    """

    steps: int
    batch: int = 64
    latent: int = 100
    penalty: float = 1.0
    every: int = 1
    rate: float = 2e-4
    momentum: float = 0.5
    half_life: int = 20_000
    evaluations: int = 3

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "latent", "every", "half_life"):
            check_whole(name, getattr(self, name), 1)
        check_whole("evaluations", self.evaluations, 0)
        check_number("rate", self.rate, "above 0", lambda x: 0 < x < inf)
        for name, end in (("penalty", inf), ("momentum", 1.0)):
            check_number(
                name,
                getattr(self, name),
                f"of at least 0, below {end:g}",
                lambda x, end=end: 0 <= x < end,  # type: ignore[misc]
            )


def train_pair(
    run: Run,
    state: Path | None,
    progress: bool,
    players: tuple[nn.Module, nn.Module],
    judge: Judge,
    settings: PairSettings,
    name: str,
) -> tuple[Result, nn.Module]:
    """Train a generator against a discriminator; ship the average of the generator's weights.

    Parameters
    ----------
    run, state, progress
        As a recipe gets them.
    players
        Generator and discriminator.
    judge
        Holds the training images, and measures.
    settings
        The choices.
    name
        Of the data set.

    Returns
    -------
    The result, and the generator that ships, in evaluation mode.
    """
    G, D = players
    images = judge.training
    average = moving_average(G, settings.batch, settings.half_life)
    for network in (G, D, average):
        network.to(memory_format=torch.channels_last)
    game = start_game(
        run.fabric, G, D, rate=settings.rate, betas=(settings.momentum, 0.999)
    )
    average = average.to(run.fabric.device)
    penalised = Objective(
        penalty=r1, penalty_weight=settings.penalty * settings.every
    )
    steps = settings.steps

    def step(i: int, random: torch.Generator) -> dict[str, Tensor]:
        chosen = torch.randint(
            len(images), (settings.batch,), generator=random
        )
        z = torch.randn(settings.batch, settings.latent, generator=random)
        x = run.fabric.to_device(images[chosen].float() / 255)
        due = i % settings.every == 0
        objective = penalised if due else Objective()
        terms = alternate(game, objective, x, run.fabric.to_device(z))
        average.update_parameters(G)
        kept = ["discriminator", "generator", "real", "fake", "fooled"]
        return {key: terms[key] for key in kept}

    codes = judge.codes(settings.latent)

    def evaluate() -> dict[str, float]:
        return judge.measure(judge.space(sample(average.module, codes)))

    choices = asdict(settings) | {
        "images": {name: len(images)},
        "features": judge.space.name,
        "judged": judge.count,
    }
    history = train(
        run,
        step,
        steps,
        modules=game.modules | {"average": average},
        optimizers=game.optimizers,
        learning_rate=lambda i: (
            settings.rate * min(1, (steps - i) / (0.2 * steps))
        ),
        evaluate=evaluate if settings.evaluations else None,
        evaluate_every=max(1, steps // max(settings.evaluations, 1)),
        log_every=max(1, steps // 50),
        state=state,
        settings=choices,
        save_every=run.pick(ci=0.0, book=60.0, full=60.0),
        progress=progress,
    )
    generator = average.module.eval()
    tensors = {
        f"generator.{key}": value
        for key, value in round_to_half(generator).items()
        if not key.endswith("num_batches_tracked")
    }
    result = Result(tensors, evaluate(), choices, [name], history)
    return result, generator


def resemblance(
    judge: Judge, generator: nn.Module, latent: int
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Find the training images that samples resemble most, in pixels and in features.

    Returns
    -------
    Codes, and indices of the nearest training images in either space; and the median distances to
    the nearest training image, of samples and of held-out images, in both spaces.
    """
    codes = judge.codes(latent).half()
    samples = sample(generator, codes.float())
    training = judge.training.float() / 255
    held_out = judge.unseen.float() / 255
    spaces = {
        "pixels": (samples, held_out, training),
        "features": (
            judge.space(samples), judge.held_out, judge.space(training)
        ),
    }  # fmt: skip
    tensors = {"codes": codes[:SHOWN]}
    metrics = {}
    for name, (made, real, known) in spaces.items():
        distances, indices = nearest(made, known)
        tensors[f"nearest.{name}"] = indices[:SHOWN].int()
        metrics[f"{name}_samples"] = float(distances.median())
        metrics[f"{name}_least"] = float(distances.min())
        metrics[f"{name}_held_out"] = float(nearest(real, known)[0].median())
    return tensors, metrics


def gaussian_report(
    judge: Judge, run: Run, components: int
) -> dict[str, float]:
    """Measure samples of the Gaussian model of the training images: what a generator has to beat."""
    images = judge.training.double() / 255
    few = len(images) < images[0].numel()
    model = GaussianModel.fit(
        images, "gram" if few else "covariance", components
    )
    samples = model.sample(judge.count, run.generator(101)).clip(0, 1).float()
    measured = judge.measure(judge.space(samples))
    return {f"gaussian_{key}": value for key, value in measured.items()}
