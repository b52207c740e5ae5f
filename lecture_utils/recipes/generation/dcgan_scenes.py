"""The shipped generator of 64 x 64 scenes, in the place of the paper's bedrooms."""

from __future__ import annotations

from pathlib import Path

from lecture_utils.generation.training import (
    GeneratorSettings,
    Judge,
    eight_bit_scenes,
    load_players,
    sample,
    train_generator,
)
from lecture_utils.recipe import Recipe, Result
from lecture_utils.runtime import Run


def settings(run: Run) -> GeneratorSettings:
    """Return the choices: those of faces, narrower, and more change, since images are fewer."""
    return GeneratorSettings(
        images=run.pick(ci=16, book=768_000, full=5_000_000),
        batch=run.pick(ci=4, book=64, full=64),
        width=run.pick(ci=2, book=40, full=96),
        latent=run.pick(ci=4, book=100, full=100),
        enlarge="interpolated",
        d_norm=False,
        loss="relativistic",
        penalty=0.5,
        penalty_fall=10.0,
        augment=0.8,
        augment_after=0.3,
        half_life=20_000,
        evaluations=run.pick(ci=2, book=8, full=20),
    )


def train(run: Run, state: Path, progress: bool) -> Result:
    """Train, and measure samples against the test scenes."""
    training, held_out = eight_bit_scenes(run)
    judge = Judge(run, training, held_out, run.pick(ci=8, book=450, full=450))
    chosen = settings(run)
    result = train_generator(run, state, progress, chosen, judge, "scenes_64")
    generator, _ = load_players(result.tensors, result.settings)
    samples = sample(generator, judge.codes(chosen.latent))
    return Result(
        result.tensors,
        result.metrics | judge.copies(samples) | judge.floor(),
        result.settings,
        result.data,
        result.history,
    )


RECIPE = Recipe("Generator of 64 x 64 scenes, and its discriminator", train)
