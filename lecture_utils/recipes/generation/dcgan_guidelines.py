"""The paper's five guidelines, each broken once, in short trainings on faces.

Width and length are small: what is compared is whether a training gets off the ground.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lecture_utils.generation.training import (
    GeneratorSettings,
    Judge,
    eight_bit_faces,
    train_variants,
)
from lecture_utils.recipe import Recipe, Result
from lecture_utils.runtime import Run


def variants(run: Run, images: int) -> dict[str, GeneratorSettings]:
    """Return the paper's choices, and the same with one guideline broken."""
    paper = GeneratorSettings(
        images=images,
        batch=run.pick(ci=4, book=64, full=64),
        width=run.pick(ci=2, book=24, full=64),
        latent=run.pick(ci=4, book=100, full=100),
        half_life=5_000,
        evaluations=2,
    )
    hidden = run.pick(ci=4, book=384, full=1024)
    return {
        "as the paper": paper,
        "pooling": replace(paper, pooling=True),
        "no batch normalisation": replace(paper, g_norm=False, d_norm=False),
        "fully connected layers": replace(paper, hidden=hidden),
        "rectifiers that do not leak": replace(paper, slope=0.0),
        "momentum 0.9": replace(paper, momentum=0.9),
    }


def train(run: Run, state: Path, progress: bool) -> Result:
    """Train every variant."""
    training, held_out = eight_bit_faces(run)
    judge = Judge(run, training, held_out, run.pick(ci=8, book=500, full=1000))
    images = run.pick(ci=16, book=48_000, full=500_000)
    chosen = variants(run, images)
    return train_variants(run, state, progress, chosen, judge, "celeba_10k")


RECIPE = Recipe("Ablation: DCGAN's guidelines, each broken once", train)
