"""What the SRGAN recipes share: the game of generator and discriminator, and the perceptual report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lecture_utils import data
from lecture_utils.losses import ContentLoss, feature_distance
from lecture_utils.recipe import Result
from lecture_utils.runtime import Run
from lecture_utils.super_resolution.networks import load
from lecture_utils.super_resolution.srgan import Discriminator
from lecture_utils.super_resolution.training import (
    Patches,
    Settings,
    describe,
    half,
    pair,
    report,
    schedule,
    split,
    training_images,
    validation,
)
from lecture_utils.training import train
from lecture_utils.vgg import VGG, load_vgg, random_vgg

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


def train_adversarial(
    run: Run, state: Path | None, progress: bool, layer: str, weight: float
) -> Result:
    """Train SRResNet's generator against a discriminator; ship the average of its weights.

    Source: C. Ledig et al., CVPR 2017, with the lecture's objective: adversarial loss plus lambda
    times content loss. The generator starts from SRResNet, as in the paper.

    Parameters
    ----------
    run, state, progress
        As a recipe gets them.
    layer
        What the content loss compares: ``mse`` or a layer of VGG19.
    weight
        The weight lambda of the content loss.
    """
    settings = Settings(
        scales=(SCALE,),
        steps=run.pick(ci=4, book=2_500, full=100_000),
        batch=run.pick(ci=2, book=8, full=16),
        patch=run.pick(ci=12, book=24, full=24),
        learning_rate=2e-4,
        clip=float("inf"),
        loss=layer,
        colour="rgb",
        evaluations=10,
    )
    find_vgg = run.pick(ci=random_vgg, book=load_vgg, full=load_vgg)
    content = ContentLoss(
        layer, None if layer == "mse" else find_vgg([layer], run)
    )
    vgg = perceptual_network(run)
    kept, held_out = split(training_images(run), settings.held_out)
    patches = Patches(kept, settings, interpolated=False)

    network = load("srresnet").train().to(memory_format=torch.channels_last)
    average = AveragedModel(
        network,
        multi_avg_fn=get_ema_multi_avg_fn(settings.averaging),  # type: ignore[no-untyped-call]
    )
    judge = Discriminator(width=run.pick(ci=8, book=32, full=64)).to(
        memory_format=torch.channels_last
    )
    fabric = run.fabric
    generator, g_optimizer = fabric.setup(
        network, torch.optim.Adam(network.parameters(), betas=(0.9, 0.99))
    )
    discriminator, d_optimizer = fabric.setup(
        judge, torch.optim.Adam(judge.parameters(), betas=(0.9, 0.99))
    )
    average = average.to(fabric.device)

    def step(i: int, random: torch.Generator) -> dict[str, Tensor]:
        low, high = (
            fabric.to_device(x).to(memory_format=torch.channels_last)
            for x in patches.draw(random)
        )
        estimate = generator(low)

        real, fake = discriminator(high), discriminator(estimate.detach())
        d_loss = F.softplus(-real).mean() + F.softplus(fake).mean()
        d_optimizer.zero_grad()
        fabric.backward(d_loss)
        d_optimizer.step()

        adversarial = F.softplus(-discriminator(estimate)).mean()
        with fabric.autocast():
            distance = content(estimate, high)
        g_optimizer.zero_grad()
        fabric.backward(adversarial + weight * distance)
        g_optimizer.step()
        average.update_parameters(network)
        return {
            "discriminator": d_loss.detach(),
            "adversarial": adversarial.detach(),
            "content": distance.detach(),
            "fooled": (fake > 0).float().mean(),
        }

    psnr_held_out = validation(
        run, average, held_out, settings, interpolated=False
    )

    def evaluate() -> dict[str, float]:
        return psnr_held_out() | perceptual_report(
            run, average.module, vgg, held_out
        )

    choices = describe(settings, kept) | {
        "content_weight": weight,
        "features": "" if content.vgg is None else content.vgg.source,
        "start": "srresnet",
    }
    history = train(
        run,
        step,
        settings.steps,
        modules={
            "generator": generator,
            "discriminator": discriminator,
            "average": average,
        },
        optimizers={"generator": g_optimizer, "discriminator": d_optimizer},
        learning_rate=schedule(settings),
        evaluate=evaluate,
        evaluate_every=max(settings.steps // settings.evaluations, 2),
        log_every=max(1, settings.steps // 50),
        state=state,
        settings=choices,
        save_every=run.pick(ci=0.0, book=60.0, full=60.0),
        progress=progress,
    )
    tensors = half(average.module)
    average.module.load_state_dict(
        tensors
    )  # what is shipped is what is measured
    metrics = evaluate() | report(run, average.module, settings.scales, "rgb")
    return Result(
        tensors=tensors,
        metrics=metrics,
        settings=choices,
        data=list(kept),
        history=history,
    )
