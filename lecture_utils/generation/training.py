"""What the recipes of generators share: images, the average of weights, and how samples are judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from lecture_utils import checkpoints, data
from lecture_utils.adversarial import (
    Objective,
    alternate,
    r1,
    r1_and_r2,
    relativistic_loss,
    start_game,
)
from lecture_utils.generation.dcgan import (
    LATENT,
    Augmented,
    Discriminator,
    Enlarge,
    Generator,
)
from lecture_utils.generation.faces import face_crops
from lecture_utils.generation.gaussian import GaussianModel
from lecture_utils.recipe import Result, train_each
from lecture_utils.runtime import Run
from lecture_utils.sample_metrics import (
    FeatureSpace,
    feature_space,
    kernel_distance,
    nearest,
    pairwise_distance,
    precision_recall,
)
from lecture_utils.settings import check_known, check_number, check_whole
from lecture_utils.training import round_to_half, train

LOSSES = ("standard", "relativistic")
SHOWN = 8  # codes whose images are kept over the training


@dataclass(frozen=True)
class GeneratorSettings:
    """The choices of an adversarial training of a `Generator`, checked here.

    Attributes
    ----------
    images
        Real images shown in all; a step shows ``batch`` of them.
    batch, latent
        Images of a step, and numbers in a code.
    width, d_width
        As `Generator` and `Discriminator` have them; 0 for the discriminator is the same.
    enlarge
        How the generator doubles its maps.
    g_norm, d_norm
        Whether the players are normalised over the batch.
    pooling, hidden, slope
        As `Discriminator` has them; ``hidden`` goes for both players.
    loss
        ``standard`` or ``relativistic``.
    penalty, every
        The weight gamma of the gradient penalty, R1, or R1 and R2 for the relativistic loss, and
        at how many steps' distance it is computed (then times as much); 0 for none.
    penalty_fall
        By which factor gamma falls over the training, evenly on a logarithmic scale.
    augment, augment_after
        The most that the discriminator's images are changed, from 0 to 1, reached after this share
        of the training and linearly, since it slows the start.
    rate, momentum
        Adam's learning rate, which falls to zero over the last fifth, and beta1.
    half_life
        Images after which a weight counts half in the average that is shipped.
    mirrored
        Whether half of the real images are mirrored.
    evaluations
        How often the samples are judged during the training.
    """

    images: int
    batch: int = 64
    latent: int = LATENT
    width: int = 48
    d_width: int = 0
    enlarge: Enlarge = "transposed"
    g_norm: bool = True
    d_norm: bool = True
    pooling: bool = False
    hidden: int = 0
    slope: float = 0.2
    loss: str = "standard"
    penalty: float = 0.0
    every: int = 4
    penalty_fall: float = 1.0
    augment: float = 0.0
    augment_after: float = 0.5
    rate: float = 2e-4
    momentum: float = 0.5
    half_life: int = 20_000
    mirrored: bool = True
    evaluations: int = 4

    def __post_init__(self) -> None:
        for name in ("images", "batch", "latent", "width", "every"):
            self._set(**{name: check_whole(name, getattr(self, name), 1)})
        for name in ("d_width", "hidden", "evaluations"):
            self._set(**{name: check_whole(name, getattr(self, name), 0)})
        self._set(half_life=check_whole("half_life", self.half_life, 1))
        check_known("enlarge", self.enlarge, ("transposed", "interpolated"))
        check_known("loss", self.loss, LOSSES)
        for name in ("augment", "augment_after", "slope"):
            value = check_number(
                name, getattr(self, name), "in 0 .. 1", lambda x: 0 <= x <= 1
            )
            self._set(**{name: value})
        self._set(
            penalty=check_number(
                "penalty",
                self.penalty,
                "of at least 0",
                lambda x: 0 <= x < inf,
            ),
            rate=check_number("rate", self.rate, "above 0", lambda x: x > 0),
            penalty_fall=check_number(
                "penalty_fall",
                self.penalty_fall,
                "of at least 1",
                lambda x: 1 <= x < inf,
            ),
            momentum=check_number(
                "momentum",
                self.momentum,
                "in 0 .. 1, without 1",
                lambda x: 0 <= x < 1,
            ),
        )

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def steps(self) -> int:
        """How many steps show so many images."""
        return -(-self.images // self.batch)


def build_players(
    settings: GeneratorSettings, shape: tuple[int, ...]
) -> tuple[Generator, Discriminator]:
    """Return generator and discriminator for images of a shape (channels, size, size)."""
    channels, size = shape[0], shape[1]
    generator = Generator(
        size,
        settings.width,
        channels=channels,
        latent=settings.latent,
        enlarge=settings.enlarge,
        normalised=settings.g_norm,
        hidden=settings.hidden,
    )
    discriminator = Discriminator(
        size,
        settings.d_width or settings.width,
        channels=channels,
        normalised=settings.d_norm,
        pooling=settings.pooling,
        hidden=settings.hidden,
        slope=settings.slope,
    )
    return generator, discriminator


def objective(settings: GeneratorSettings) -> tuple[Objective, Objective]:
    """Return what the players descend in a step with the gradient penalty, and in one without."""
    relativistic = settings.loss == "relativistic"
    plain = (
        Objective(relativistic_loss, relativistic_loss, paired=True)
        if relativistic
        else Objective()
    )
    if not settings.penalty:
        return plain, plain
    penalised = replace(
        plain,
        penalty=r1_and_r2 if relativistic else r1,
        penalty_weight=settings.penalty * settings.every,
    )
    return penalised, plain


def moving_average(
    network: nn.Module, batch: int, half_life: int, ramp: float = 0.05
) -> AveragedModel:
    """Return the average of a network's weights, and of its statistics, over the training.

    Parameters
    ----------
    network
        Whose average it is; it is updated after each step.
    batch
        Images of a step.
    half_life
        After so many images a weight counts half. At the start it is shorter: the share ``ramp`` of
        the images seen, so that the first weights, which are random, are soon forgotten.
    ramp
        That share.
    """

    @torch.no_grad()
    def update(
        averaged: Tensor | list[Tensor],
        current: Tensor | list[Tensor],
        number: Tensor | int,
    ) -> None:
        seen = batch * float(number)
        share = 1 - 0.5 ** (batch / max(min(half_life, ramp * seen), 1e-9))
        for mean, new in zip(averaged, current, strict=True):
            if mean.is_floating_point():
                mean.lerp_(new.to(mean.dtype), share)
            else:
                mean.copy_(new)

    return AveragedModel(network, multi_avg_fn=update, use_buffers=True)  # type: ignore[arg-type]


class Album(nn.Module):
    """Images of the same codes at several moments of a training, kept in its state.

    Parameters
    ----------
    moments
        Steps after which images are kept.
    shape
        Of one image.
    """

    def __init__(self, moments: list[int], shape: tuple[int, ...]) -> None:
        super().__init__()
        self.moments = moments
        self.images: Tensor
        pages = torch.zeros(len(moments), SHOWN, *shape, dtype=torch.uint8)
        self.register_buffer("images", pages)

    def keep(self, done: int, draw: Callable[[], Tensor]) -> None:
        """Keep what ``draw`` returns, in [0, 1], if ``done`` steps are a moment."""
        if done in self.moments:
            images = (255 * draw().clip(0, 1)).round().to(torch.uint8)
            self.images[self.moments.index(done)] = images


class Judge:
    """Measures samples against held-out images, beside the floor and the Gaussian model.

    Parameters
    ----------
    run
        Says the profile and the device.
    training, held_out
        Real images, uint8 (N, C, H, W).
    count
        Samples and real images in each comparison.
    space
        The features; `feature_space` without it.
    """

    def __init__(
        self,
        run: Run,
        training: Tensor,
        held_out: Tensor,
        count: int,
        space: FeatureSpace | None = None,
    ) -> None:
        self.space = space or feature_space(run)
        self.count = min(count, len(held_out), len(training))
        self.run = run
        self.training = training
        self.unseen = held_out[: self.count]
        self.held_out = self.space(_floats(self.unseen))

    def codes(self, latent: int) -> Tensor:
        """Return the codes of the samples that are judged, the same at each time."""
        return torch.randn(
            self.count, latent, generator=self.run.generator(100)
        )

    def measure(self, features: Tensor) -> dict[str, float]:
        """Return kernel distance with its error, precision, recall and variety of samples."""
        groups = self.run.pick(ci=4, book=20, full=20)
        distance = kernel_distance(features, self.held_out, groups=groups)
        near = precision_recall(features, self.held_out)
        return {
            "kid": distance.value,
            "kid_error": distance.error,
            "precision": near.precision,
            "recall": near.recall,
            "variety": pairwise_distance(features)
            / pairwise_distance(self.held_out),
        }

    def floor(self) -> dict[str, float]:
        """Measure real images that were trained on: what no generator can beat."""
        some = self.space(_floats(self.training[: self.count]))
        return {f"floor_{k}": v for k, v in self.measure(some).items()}

    def gaussian(self) -> dict[str, float]:
        """Measure the shipped Gaussian model of faces."""
        tensors, _ = checkpoints.load("gaussian_celeba64")
        model = GaussianModel.from_tensors(tensors)
        samples = model.sample(self.count, self.run.generator(101)).float()
        measured = self.measure(self.space(samples))
        return {f"gaussian_{k}": v for k, v in measured.items()}

    def copies(self, samples: Tensor) -> dict[str, float]:
        """Compare how near samples are to training images with how near these are to each other.

        Returns
        -------
        ``nearest_median`` and ``nearest_least``: distances of samples to the nearest training
        image, over the first percentile of the training images' own distances to the nearest
        other; a sample below 1 would be suspicious, and ``copies`` is the share of these.
        """
        training = self.space(_floats(self.training))
        own, _ = nearest(training, training, same=True)
        limit = own.quantile(0.01)
        distances = nearest(self.space(samples), training)[0] / limit
        return {
            "nearest_median": float(distances.median()),
            "nearest_least": float(distances.min()),
            "copies": float((distances < 1).double().mean()),
        }


def _floats(images: Tensor) -> Tensor:
    """Return 8-bit images in [0, 1]."""
    return images.float() / 255


@torch.no_grad()
def sample(network: nn.Module, codes: Tensor, batch: int = 100) -> Tensor:
    """Return a generator's images of codes (N, latent), on the CPU, in evaluation mode."""
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    parts = [
        network(part.to(device)).float().cpu()
        for part in torch.split(codes, batch)
    ]
    network.train(was_training)
    return torch.cat(parts)


def eight_bit_faces(run: Run) -> tuple[Tensor, Tensor]:
    """Return CelebA's faces to train on and held out, uint8 (N, 3, 64, 64): 9,000 and 1,000.

    The last tenth is held out. Of these the Gaussian model was fitted to the first half, so beside
    it a generator is judged strictly.
    """
    faces = face_crops(
        data.celeba_10k(
            limit=run.pick(ci=200, book=10_000, full=10_000), run=run
        )
    )
    eight_bits = (255 * faces).round().to(torch.uint8)
    kept = len(faces) * 9 // 10
    return eight_bits[:kept], eight_bits[kept:]


def eight_bit_scenes(run: Run) -> tuple[Tensor, Tensor]:
    """Return the folder's scenes to train on and held out, uint8 (N, 3, 64, 64): 3,000 and 450."""
    some = run.pick(ci=slice(0, None, 20), book=slice(None), full=slice(None))
    images = [
        torch.from_numpy(data.scenes_64(split, run=run)[0][some])
        for split in ("train", "test")
    ]
    training, held_out = (x.permute(0, 3, 1, 2).contiguous() for x in images)
    return training, held_out


def train_generator(
    run: Run,
    state: Path | None,
    progress: bool,
    settings: GeneratorSettings,
    judge: Judge,
    name: str,
    *,
    moments: int = 0,
) -> Result:
    """Train a generator against a discriminator; ship both, the generator as its weights' average.

    Parameters
    ----------
    run, state, progress
        As a recipe gets them; no state is kept where ``state`` is None.
    settings
        The choices.
    judge
        Holds the training images, and measures.
    name
        Of the data set, for the record.
    moments
        At how many moments, ever further apart, images of the same codes are kept.
    """
    images = judge.training
    G, critic = build_players(settings, tuple(images.shape[1:]))
    D = Augmented(critic)
    average = moving_average(G, settings.batch, settings.half_life)
    for network in (G, D, average):
        network.to(memory_format=torch.channels_last)
    game = start_game(
        run.fabric, G, D, rate=settings.rate, betas=(settings.momentum, 0.999)
    )
    average = average.to(run.fabric.device)
    penalised, plain = objective(settings)
    shown = torch.randn(SHOWN, settings.latent, generator=run.generator(102))
    steps = settings.steps
    album = Album(
        [round(steps * 0.5 ** (moments - 1 - k)) for k in range(moments)],
        tuple(images.shape[1:]),
    )

    def step(i: int, random: torch.Generator) -> dict[str, Tensor]:
        chosen = torch.randint(
            len(images), (settings.batch,), generator=random
        )
        x = _floats(images[chosen])
        if settings.mirrored:
            turned = torch.rand(len(x), 1, 1, 1, generator=random) < 0.5
            x = torch.where(turned, x.flip(-1), x)
        x = run.fabric.to_device(x).to(memory_format=torch.channels_last)
        z = torch.randn(settings.batch, settings.latent, generator=random)
        rise = (i + 1) / max(settings.augment_after * steps, 1)
        D.amount = settings.augment * min(rise, 1)
        due = i % settings.every == 0
        weight = penalised.penalty_weight / settings.penalty_fall ** (
            i / steps
        )
        losses = replace(penalised, penalty_weight=weight) if due else plain
        terms = alternate(game, losses, x, run.fabric.to_device(z))
        average.update_parameters(G)
        album.keep(i + 1, partial(sample, average.module, shown))
        if not due:
            del terms["penalty"]
        del terms["content"]
        return terms

    codes = judge.codes(settings.latent)

    def evaluate() -> dict[str, float]:
        return judge.measure(judge.space(sample(average.module, codes)))

    choices = asdict(settings) | {
        "images": {name: len(images)},
        "images_shown": settings.images,
        "features": judge.space.name,
        "judged": judge.count,
    }
    history = train(
        run,
        step,
        steps,
        modules=game.modules | {"average": average, "album": album},
        optimizers=game.optimizers,
        learning_rate=lambda i: (
            settings.rate * min(1, (steps - i) / (0.2 * steps))
        ),
        evaluate=evaluate if settings.evaluations else None,
        evaluate_every=max(1, steps // max(settings.evaluations, 1)),
        log_every=max(settings.every, min(200, steps // 20)),
        state=state,
        settings=choices,
        save_every=run.pick(ci=0.0, book=120.0, full=120.0),
        progress=progress,
    )
    tensors = {
        f"{player}.{key}": value
        for player, network in (
            ("generator", average.module),
            ("discriminator", critic),
        )
        for key, value in round_to_half(network).items()
        if not key.endswith("num_batches_tracked")
    }
    if moments:
        tensors["album"] = album.images.cpu()
    last = judge.measure(judge.space(sample(G, codes)))
    metrics = evaluate() | {"last_kid": last["kid"]}
    return Result(
        tensors,
        metrics,
        choices | {"moments": album.moments},
        [name],
        history,
    )


def load_players(
    tensors: Mapping[str, Tensor], settings: Mapping[str, Any]
) -> tuple[Generator, Discriminator]:
    """Return generator and discriminator of a checkpoint, in float32, in evaluation mode.

    Parameters
    ----------
    tensors
        By ``generator.NAME`` and ``discriminator.NAME``.
    settings
        The record's: those of `GeneratorSettings`.
    """
    names = GeneratorSettings.__dataclass_fields__
    chosen = {key: settings[key] for key in names if key in settings}
    chosen["images"] = settings["images_shown"]
    first = tensors["discriminator.stages.0.0.weight"]
    doublings = sum(
        key.startswith("discriminator.stages.") and key.endswith(".0.weight")
        for key in tensors
    )
    size = 4 * 2**doublings
    players = build_players(
        GeneratorSettings(**chosen), (first.shape[1], size, size)
    )
    for player, network in zip(
        ("generator.", "discriminator."), players, strict=True
    ):
        own = {
            key.removeprefix(player): value.float()
            for key, value in tensors.items()
            if key.startswith(player)
        }
        missing = set(network.state_dict()) - set(own)
        own |= {key: torch.tensor(0) for key in missing if "tracked" in key}
        network.load_state_dict(own)
        network.eval()
    return players


Variants = Mapping[str, GeneratorSettings]


def train_variants(
    run: Run,
    state: Path | None,
    progress: bool,
    variants: Variants,
    judge: Judge,
    name: str,
    *,
    ship: bool = False,
) -> Result:
    """Train several generators on the same images; see `lecture_utils.recipe.train_each`.

    Parameters
    ----------
    run, state, progress, judge, name
        As in `train_generator`.
    variants
        The choices by name.
    ship
        Whether the weights are part of the result.
    """

    def training(
        settings: GeneratorSettings,
    ) -> Callable[[Path | None], Result]:
        return lambda own: train_generator(
            run, own, progress, settings, judge, name
        )

    trainings = {key: training(choice) for key, choice in variants.items()}
    return train_each(run, state, trainings, ship=ship)
