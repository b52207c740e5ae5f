"""A classifier of three attributes of CelebA's faces, which judges the arithmetic of generators."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from lecture_utils import data
from lecture_utils.generation.attributes import (
    ATTRIBUTES,
    FaceNetwork,
    attributes,
    balanced_accuracy,
)
from lecture_utils.generation.dcgan import augment
from lecture_utils.generation.training import eight_bit_faces
from lecture_utils.recipe import Recipe, Result
from lecture_utils.runtime import Run
from lecture_utils.training import cosine, round_to_half
from lecture_utils.training import train as train_steps

WIDTH, BATCH, RATE, AUGMENT = 32, 64, 2e-3, 0.5


def train(run: Run, state: Path, progress: bool) -> Result:
    """Train on 9,000 faces, mirrored and changed at random; rare attributes weigh more."""
    training, held_out = eight_bit_faces(run)
    names, table = data.celeba_10k_attributes(run=run)
    columns = [names.index(name) for name in ATTRIBUTES]
    truth = torch.from_numpy(table[:, columns])
    known, unknown = (
        truth[: len(training)],
        truth[len(training) : len(training) + len(held_out)],
    )
    share = known.float().mean(0)
    weight = ((1 - share) / share).to(run.fabric.device)

    width = run.pick(ci=4, book=WIDTH, full=WIDTH)
    network = FaceNetwork(len(ATTRIBUTES), width)
    network = network.to(memory_format=torch.channels_last)
    adam = torch.optim.AdamW(network.parameters(), weight_decay=0.05)
    model, optimizer = run.fabric.setup(network, adam)
    steps = run.pick(ci=6, book=2_800, full=10_000)

    def step(i: int, random: torch.Generator) -> dict[str, Tensor]:
        chosen = torch.randint(len(training), (BATCH,), generator=random)
        x = run.fabric.to_device(training[chosen].float() / 255)
        turned = torch.rand(BATCH, 1, 1, 1, generator=random) < 0.5
        x = torch.where(turned.to(x.device), x.flip(-1), x)
        target = run.fabric.to_device(known[chosen].float())
        logits = model(augment(x, AUGMENT))
        loss = F.binary_cross_entropy_with_logits(
            logits, target, pos_weight=weight
        )
        optimizer.zero_grad()
        run.fabric.backward(loss)
        optimizer.step()
        return {"loss": loss.detach()}

    def evaluate() -> dict[str, float]:
        was_training = network.training
        network.eval()
        images = held_out.float().to(run.fabric.device) / 255
        found = attributes(network, images).cpu()
        network.train(was_training)
        return balanced_accuracy(found, unknown)

    settings = {
        "width": width,
        "attributes": list(ATTRIBUTES),
        "images": {"celeba_10k": len(training)},
        "held_out": len(held_out),
        "batch": BATCH,
        "learning_rate": RATE,
        "augment": AUGMENT,
        "shares": [round(float(s), 4) for s in share],
    }
    history = train_steps(
        run,
        step,
        steps,
        modules={"network": model},
        optimizers={"adam": optimizer},
        learning_rate=cosine(RATE, steps, 0.05),
        evaluate=evaluate,
        evaluate_every=max(1, steps // 7),
        log_every=max(1, steps // 28),
        state=state,
        settings=settings,
        save_every=run.pick(ci=0.0, book=60.0, full=60.0),
        progress=progress,
    )
    tensors = {
        key: value
        for key, value in round_to_half(network).items()
        if not key.endswith("num_batches_tracked")
    }
    return Result(tensors, evaluate(), settings, ["celeba_10k"], history)


RECIPE = Recipe(
    "Classifier of smiles, men and eyeglasses in 64 x 64 faces", train
)
