"""An encoder that inverts the shipped generator of faces: from a face to a code that makes it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from lecture_utils import checkpoints
from lecture_utils.checkpoints import CheckpointError
from lecture_utils.generation.attributes import FaceNetwork
from lecture_utils.generation.dcgan import Generator
from lecture_utils.generation.training import eight_bit_faces, load_players
from lecture_utils.recipe import Recipe, Result
from lecture_utils.runtime import Run
from lecture_utils.training import cosine, round_to_half
from lecture_utils.training import train as train_steps

WIDTH, BATCH, RATE = 32, 64, 1e-3
ON_IMAGES = 10.0  # weight of the squared error of images, beside that of codes


def generator_of_faces(run: Run) -> tuple[Generator, int]:
    """Return the shipped generator and the length of its codes; in profile ``ci`` any."""
    try:
        tensors, record = checkpoints.load("dcgan_faces")
    except CheckpointError:
        if run.profile != "ci":
            raise
        return Generator(width=2, latent=4).eval(), 4
    generator, _ = load_players(tensors, record.settings)
    return generator, int(record.settings["latent"])


def train(run: Run, state: Path, progress: bool) -> Result:
    """Train on made faces, whose codes are known, and on real ones, which have none."""
    training, held_out = eight_bit_faces(run)
    generator, latent = generator_of_faces(run)
    generator = generator.to(run.fabric.device).requires_grad_(False)
    width = run.pick(ci=2, book=WIDTH, full=WIDTH)
    network = FaceNetwork(latent, width, whole=True)
    network = network.to(memory_format=torch.channels_last)
    model, optimizer = run.fabric.setup(
        network, torch.optim.Adam(network.parameters())
    )
    steps = run.pick(ci=4, book=6_000, full=50_000)

    def step(i: int, random: torch.Generator) -> dict[str, Tensor]:
        z = run.fabric.to_device(torch.randn(BATCH, latent, generator=random))
        with torch.no_grad(), run.fabric.autocast():
            made = generator(z)
        chosen = torch.randint(len(training), (BATCH,), generator=random)
        real = run.fabric.to_device(training[chosen].float() / 255)
        codes = model(torch.cat([made, real]))
        with run.fabric.autocast():
            again = generator(codes[BATCH:])
        on_codes = (codes[:BATCH] - z).square().mean()
        on_images = (again - real).square().mean()
        optimizer.zero_grad()
        run.fabric.backward(on_codes + ON_IMAGES * on_images)
        optimizer.step()
        return {"codes": on_codes.detach(), "images": on_images.detach()}

    @torch.no_grad()
    def evaluate() -> dict[str, float]:
        was_training = network.training
        network.eval()
        real = held_out[:500].float().to(run.fabric.device) / 255
        error = (generator(network(real)) - real).square().flatten(1).mean(1)
        network.train(was_training)
        return {"held_out_psnr": float((-10 * error.log10()).mean())}

    settings = {
        "width": width,
        "latent": latent,
        "images": {"celeba_10k": len(training)},
        "batch": BATCH,
        "learning_rate": RATE,
        "on_images": ON_IMAGES,
        "generator": "dcgan_faces",
    }
    history = train_steps(
        run,
        step,
        steps,
        modules={"network": model},
        optimizers={"adam": optimizer},
        learning_rate=cosine(RATE, steps, 0.02),
        evaluate=evaluate,
        evaluate_every=max(1, steps // 6),
        log_every=max(1, steps // 30),
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


RECIPE = Recipe("Encoder that inverts the generator of faces", train)
