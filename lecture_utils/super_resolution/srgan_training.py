"""What the SRGAN recipes share: the game of generator and discriminator, and the perceptual report."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lecture_utils import data
from lecture_utils.adversarial import Objective, alternate, start_game
from lecture_utils.losses import ContentLoss, feature_distance
from lecture_utils.recipe import Result
from lecture_utils.runtime import Run
from lecture_utils.settings import check_known, check_number, check_whole
from lecture_utils.super_resolution.networks import load
from lecture_utils.super_resolution.srgan import Discriminator
from lecture_utils.super_resolution.training import (
    Patches,
    PatchSettings,
    describe,
    evaluation_interval,
    moving_average,
    pair,
    report,
    schedule,
    training_and_validation,
    validation,
)
from lecture_utils.training import round_to_half, train
from lecture_utils.vgg import VGG, layer_names, load_vgg, random_vgg

MEASURED = (  # the deepest layer whose features the book's measurements use
    "relu3_4"
)
SCALE = 4


def perceptual_network(run: Run) -> VGG | None:
    """Return VGG19 for the perceptual distance, or None where its weights are not found."""
    try:
        return run.pick(ci=random_vgg, book=load_vgg, full=load_vgg)(
            [MEASURED], run
        )
    except data.DataNotFoundError:
        return None


@torch.no_grad()
def perceptual_report(
    run: Run,
    network: nn.Module,
    vgg: VGG | None,
    held_out: list[NDArray[np.uint8]],
) -> dict[str, float]:
    """Measure the mean distance of VGG19's features, on the benchmark and on images set aside.

    The distance is that of `feature_distance` on the layer relu3_4, between the 8-bit estimate and
    the HR image, image by image.
    """
    if vgg is None:
        return {}
    benchmark, images = data.super_resolution_benchmark(run)
    prefix = "set5" if benchmark == "Set5" else "photos"
    end = run.pick(ci=64, book=240, full=240)
    metrics = {}
    was_training = network.training
    network.eval()
    for name, group in (
        (prefix, list(images.values())),
        ("held_out", held_out),
    ):
        if not group:
            continue
        distances = []
        for image in group:
            low, high = (
                x[None].to(run.device)
                for x in pair(image[:end, :end], SCALE, False, "rgb")
            )
            estimate = (network(low).float() * 255).round().clip(0, 255) / 255
            features = (vgg(x)[MEASURED] for x in (estimate, high))
            distances.append(float(feature_distance(*features)))
        metrics[f"{name}_x{SCALE}_{MEASURED}"] = float(np.mean(distances))
    network.train(was_training)
    return metrics


@dataclass(frozen=True)
class AdversarialSettings(PatchSettings):
    """The choices of SRGAN's training.

    Attributes
    ----------
    content
        What the content loss compares: ``mse`` or a layer of VGG.
    depth
        19 or 16: which VGG. The data folder's VGG16 is the one that has the deepest layers.
    content_weight
        The weight lambda of the content loss; that of the adversarial loss is 1.
    width
        Feature maps of the discriminator's first layer.
    """

    colour: str = "rgb"
    content: str = "mse"
    depth: Literal[16, 19] = 19
    content_weight: float = 5_000
    width: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        check_known("colour", self.colour, ("rgb",))
        if self.depth not in (16, 19):
            raise ValueError(
                f"The settings got depth={self.depth!r}; it must be 16 or 19."
            )
        layers = layer_names(self.depth)
        check_known("content", self.content, ("mse", *layers))
        weight = check_number(
            "content_weight",
            self.content_weight,
            "of at least 0",
            lambda x: 0 <= x < inf,
        )
        self._set(
            content_weight=weight, width=check_whole("width", self.width, 1)
        )


def srgan_settings(
    run: Run,
    content: str,
    content_weight: float,
    *,
    depth: Literal[16, 19] = 19,
) -> AdversarialSettings:
    """Return the choices that SRGAN's recipes share, with the content loss of one of them."""
    return AdversarialSettings(
        scales=(SCALE,),
        steps=run.pick(ci=4, book=2_500, full=100_000),
        batch=run.pick(ci=2, book=8, full=16),
        patch=run.pick(ci=12, book=24, full=24),
        learning_rate=2e-4,
        evaluations=10,
        content=content,
        depth=depth,
        content_weight=content_weight,
        width=run.pick(ci=8, book=32, full=64),
    )


def train_adversarial(
    run: Run,
    state: Path | None,
    progress: bool,
    settings: AdversarialSettings,
) -> Result:
    """Train SRResNet's generator against a discriminator; ship the average of its weights.

    The generator starts from the shipped SRResNet, as in the paper.

    Parameters
    ----------
    run, state, progress
        As a recipe gets them.
    settings
        The choices.
    """
    find_vgg = run.pick(ci=random_vgg, book=load_vgg, full=load_vgg)
    content = ContentLoss(
        settings.content,
        None
        if settings.content == "mse"
        else find_vgg([settings.content], run, depth=settings.depth),
    )
    vgg = perceptual_network(run)
    kept, held_out, aside = training_and_validation(run, settings)
    patches = Patches(kept, settings, interpolated=False)

    network = load("srresnet").train().to(memory_format=torch.channels_last)
    average = moving_average(network, settings.averaging)
    judge = Discriminator(settings.width).to(memory_format=torch.channels_last)
    game = start_game(run.fabric, network, judge, betas=(0.9, 0.99))
    objective = Objective(
        content=content, content_weight=settings.content_weight
    )
    average = average.to(run.fabric.device)

    def step(i: int, random: torch.Generator) -> dict[str, Tensor]:
        low, high = (
            run.fabric.to_device(x).to(memory_format=torch.channels_last)
            for x in patches.draw(random)
        )
        terms = alternate(game, objective, high, low)
        average.update_parameters(network)
        return {
            "discriminator": terms["discriminator"],
            "adversarial": terms["generator"],
            "content": terms["content"],
            "fooled": terms["fooled"],
        }

    psnr_held_out = validation(
        run, average, held_out, settings, interpolated=False
    )

    def evaluate() -> dict[str, float]:
        return psnr_held_out() | perceptual_report(
            run, average.module, vgg, held_out
        )

    choices = describe(settings, kept) | {
        "features": "" if content.vgg is None else content.vgg.source,
        "start": "srresnet",
    }
    history = train(
        run,
        step,
        settings.steps,
        modules=game.modules | {"average": average},
        optimizers=game.optimizers,
        learning_rate=schedule(settings),
        evaluate=evaluate if settings.evaluations else None,
        evaluate_every=evaluation_interval(settings, 2),
        log_every=max(1, settings.steps // 50),
        state=state,
        settings=choices,
        save_every=run.pick(ci=0.0, book=60.0, full=60.0),
        progress=progress,
    )
    tensors = round_to_half(average.module)
    metrics = evaluate() | report(run, average.module, settings.scales, "rgb")
    return Result(
        tensors=tensors,
        metrics=metrics,
        settings=choices | {"images": patches.images, "held_out": aside},
        data=list(kept),
        history=history,
    )
