"""The feature network: VGG16 to relu4_3 at reduced width, distilled from VGG16's own features."""

from dataclasses import asdict, dataclass
from math import cos, pi
from pathlib import Path

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lecture_utils.feature_network import LAYERS, WIDTHS, FeatureNetwork
from lecture_utils.recipe import Recipe, Result
from lecture_utils.runtime import Run
from lecture_utils.style_transfer.distillation import (
    STYLE_LAYERS,
    Crops,
    altered,
    as_tensor,
    gram,
    gram_distance,
    narrowed,
    photographs,
    report,
    rescale,
    set_aside,
    statistics,
    style_pairs,
    style_removed,
)
from lecture_utils.training import train
from lecture_utils.vgg import load_vgg, random_vgg


@dataclass(frozen=True)
class Settings:
    """The training's choices.

    Attributes
    ----------
    widths
        Channels of the four blocks.
    steps, batch, side
        Optimisation steps, crops in each, and their width in pixels.
    learning_rate, rise
        Peak of the schedule, a linear rise and then half a cosine down to zero; and the part of
        the steps over which it rises.
    fan_in
        Weights with more inputs a response than this get the rate times the square root of the
        quotient.
    gram
        Weight of the Gram matrices' distance beside that of the activations.
    altered, alterations, alteration
        How many crops of a batch the network first changes to its own liking, in at most how many
        steps, and by how much a pixel changes in each.
    averaging
        Decay of the moving average of the weights, which is what is shipped.
    held_out
        Photographs of each set that are set aside.
    evaluations
        How often the network is measured during the training.
    """

    steps: int
    widths: tuple[int, ...] = WIDTHS
    batch: int = 4
    side: int = 128
    learning_rate: float = 1e-3
    rise: float = 0.01
    fan_in: int = 216
    gram: float = 1.0
    altered: int = 1
    alterations: int = 6
    alteration: float = 0.015
    averaging: float = 0.999
    held_out: int = 7
    evaluations: int = 25


def _train(run: Run, state: Path, progress: bool) -> Result:
    torch.manual_seed(run.seed)
    settings = Settings(
        steps=run.pick(ci=4, book=20_000, full=200_000),
        widths=run.pick(ci=(8, 8, 8, 8), book=WIDTHS, full=WIDTHS),
        batch=run.pick(ci=2, book=4, full=32),
        side=run.pick(ci=32, book=128, full=160),
        held_out=run.pick(ci=1, book=7, full=7),
    )
    find = run.pick(ci=random_vgg, book=load_vgg, full=load_vgg)
    teacher = find(LAYERS, run, depth=16).to(memory_format=torch.channels_last)
    kept, aside = set_aside(photographs(run), settings.held_out)
    crops = Crops(kept, settings.side)
    generator = run.generator(offset=1)
    batches = (
        crops.draw(8, generator, change=False).to(run.device)
        for _ in range(run.pick(ci=1, book=24, full=24))
    )
    measured = statistics(teacher, batches)
    spreads = {name: measured[name].spread for name in LAYERS}

    fabric = run.fabric
    network = narrowed(teacher, measured, settings.widths)
    network = network.requires_grad_().to(memory_format=torch.channels_last)
    average = AveragedModel(
        network,
        multi_avg_fn=get_ema_multi_avg_fn(settings.averaging),  # type: ignore[no-untyped-call]
    )
    # Weights of wide layers are small, so they take smaller steps: all layers
    # gain, relu4_3 most (160 steps: 44.9 % residual variance, with one rate
    # for all 47.3 %).
    groups = [
        {
            "params": [x],
            "share": min(1.0, (settings.fan_in * len(x) / x.numel()) ** 0.5)
            if x.ndim > 1
            else 1.0,
        }
        for x in network.parameters()
    ]
    model, optimizer = fabric.setup(
        network, torch.optim.Adam(groups, betas=(0.9, 0.99))
    )
    average = average.to(fabric.device)

    def style(images: Tensor) -> dict[str, Tensor]:
        # Fabric's own module insists on gradients for the weights.
        with fabric.autocast():
            found = network(images)
        return {name: found[name] for name in STYLE_LAYERS}

    def step(i: int, random: torch.Generator) -> dict[str, Tensor]:
        images = crops.draw(settings.batch, random)
        count = int(torch.randint(settings.alterations, (), generator=random))
        images = fabric.to_device(images)
        images = images.to(memory_format=torch.channels_last)
        if settings.altered:
            n = settings.altered
            changed = altered(
                style,
                images[:n],
                images[-n:],
                count + 1,
                settings.alteration,
            )
            images = torch.cat([changed, images[n:]])
        with torch.no_grad(), fabric.autocast():
            wanted = teacher(images)
        found = model(images)
        activation, products = [], []
        for name, own in found.items():
            target = wanted[name] / spreads[name]
            activation.append((own - target.float()).square().mean())
            own = own.to(target.dtype)  # bfloat16 where the run asks for it
            products.append(gram_distance(own, gram(target)))
        activations = torch.stack(activation).mean()
        grams = torch.stack(products).mean()
        optimizer.zero_grad()
        fabric.backward(activations + settings.gram * grams)
        fabric.clip_gradients(model, optimizer, max_norm=1.0)
        for group in optimizer.param_groups:
            group["lr"] = group["share"] * rate(i)
        optimizer.step()
        average.update_parameters(network)
        return {"activations": activations.detach(), "grams": grams.detach()}

    size = run.pick(ci=32, book=256, full=256)
    held_out = [
        as_tensor(image[:size, :size])
        .to(run.device)
        .to(memory_format=torch.channels_last)
        for image in aside
    ]

    def evaluate() -> dict[str, float]:
        def in_units(images: Tensor) -> dict[str, Tensor]:
            found = average.module(images)
            return {name: spreads[name] * x for name, x in found.items()}

        return report(in_units, teacher, held_out)

    rise = max(1, round(settings.rise * settings.steps))

    def rate(i: int) -> float:
        if i < rise:
            return settings.learning_rate * (i + 1) / rise
        part = (i - rise) / (settings.steps - rise)
        return settings.learning_rate * 0.5 * (1 + cos(pi * part))

    choices = asdict(settings) | {
        "teacher": teacher.source,
        "images": {name: len(images) for name, images in kept.items()},
    }
    history = train(
        run,
        step,
        settings.steps,
        modules={"network": model, "average": average},
        optimizers={"adam": optimizer},
        evaluate=evaluate,
        evaluate_every=max(settings.steps // settings.evaluations, 2),
        log_every=min(100, max(1, settings.steps // 4)),
        state=state,
        settings=choices,
        save_every=run.pick(ci=0.0, book=60.0, full=60.0),
        progress=progress,
    )

    shipped = average.module
    assert isinstance(shipped, FeatureNetwork)
    rescale(shipped, measured)
    tensors = {key: x.half() for key, x in shipped.state_dict().items()}
    shipped.load_state_dict(tensors)  # what is shipped is what is measured
    shipped.requires_grad_(False)
    metrics = report(shipped, teacher, held_out)
    # Style transfer needs the lifts of four layers only, and pays for no other.
    lean = FeatureNetwork(STYLE_LAYERS, widths=settings.widths)
    lean.load_state_dict({key: tensors[key] for key in lean.state_dict()})
    metrics |= style_removed(
        lean.to(run.device).to(memory_format=torch.channels_last),
        teacher,
        style_pairs(run, aside[:: settings.held_out], size),
        steps=run.pick(ci=2, book=100, full=100),
    )
    return Result(
        tensors=tensors,
        metrics=metrics,
        settings=choices,
        data=list(kept),
        history=history,
    )


RECIPE = Recipe(
    "feature network: VGG16 to relu4_3 at reduced width, distilled", _train
)
