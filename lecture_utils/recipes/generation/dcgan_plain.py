"""The paper's DCGAN on as many images as the shipped generator of faces: what the ladder is worth.

Only its curves and numbers ship.
"""

from __future__ import annotations

from pathlib import Path

from lecture_utils.generation.training import (
    GeneratorSettings,
    Judge,
    eight_bit_faces,
    train_generator,
)
from lecture_utils.recipe import Recipe, Result
from lecture_utils.recipes.generation import dcgan_faces
from lecture_utils.runtime import Run


def train(run: Run, state: Path, progress: bool) -> Result:
    """Train with the paper's choices, and measure."""
    training, held_out = eight_bit_faces(run)
    judge = Judge(
        run, training, held_out, run.pick(ci=8, book=1000, full=1000)
    )
    best = dcgan_faces.settings(run)
    plain = GeneratorSettings(
        images=best.images,
        batch=best.batch,
        width=best.width,
        latent=best.latent,
        half_life=best.half_life,
        evaluations=best.evaluations,
    )
    result = train_generator(run, state, progress, plain, judge, "celeba_10k")
    return Result(
        {}, result.metrics, result.settings, result.data, result.history
    )


RECIPE = Recipe("The paper's DCGAN, trained as long as the shipped one", train)
