"""The shipped generator of 64 x 64 faces: the ladder's best rung, trained long."""

from __future__ import annotations

from pathlib import Path

from lecture_utils.generation.training import (
    GeneratorSettings,
    Judge,
    eight_bit_faces,
    load_players,
    sample,
    train_generator,
)
from lecture_utils.recipe import Recipe, Result
from lecture_utils.runtime import Run


def settings(run: Run) -> GeneratorSettings:
    """Return the choices."""
    return GeneratorSettings(
        images=run.pick(ci=16, book=1_152_000, full=10_000_000),
        batch=run.pick(ci=4, book=64, full=64),
        width=run.pick(ci=2, book=48, full=96),
        latent=run.pick(ci=4, book=100, full=100),
        enlarge="interpolated",
        d_norm=False,
        loss="relativistic",
        penalty=0.5,
        penalty_fall=10.0,
        augment=0.5,
        half_life=20_000,
        evaluations=run.pick(ci=2, book=12, full=20),
    )


def train(run: Run, state: Path, progress: bool) -> Result:
    """Train, and measure all that the section says about samples."""
    training, held_out = eight_bit_faces(run)
    judge = Judge(
        run, training, held_out, run.pick(ci=8, book=1000, full=1000)
    )
    chosen = settings(run)
    result = train_generator(
        run,
        state,
        progress,
        chosen,
        judge,
        "celeba_10k",
        moments=run.pick(ci=2, book=8, full=8),
    )
    generator, _ = load_players(result.tensors, result.settings)
    samples = sample(generator, judge.codes(chosen.latent))
    metrics = result.metrics | judge.copies(samples)
    metrics |= judge.floor() | judge.gaussian()
    return Result(
        result.tensors, metrics, result.settings, result.data, result.history
    )


RECIPE = Recipe("Generator of 64 x 64 faces, and its discriminator", train)
