"""What each change of DCGAN buys, at equal images of faces: one rung on top of the other.

Each rung's record has the kernel distance of the average of weights (``kid``) and of the last
weights (``last_kid``), so that the average is measured at every rung and costs no training of its
own.
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
    """Return the rungs, each trained on so many images."""
    paper = GeneratorSettings(
        images=images,
        batch=run.pick(ci=4, book=64, full=64),
        width=run.pick(ci=2, book=48, full=64),
        latent=run.pick(ci=4, book=100, full=100),
    )
    interpolated = replace(paper, enlarge="interpolated")
    r1 = replace(interpolated, d_norm=False, penalty=0.5)
    augmented = replace(r1, augment=0.5)
    paired = replace(augmented, loss="relativistic")
    wide = replace(paired, width=paper.width * 3 // 2, d_width=paper.width)
    return {
        "DCGAN": paper,
        "+ interpolation": interpolated,
        "+ R1": r1,
        "+ augmentation": augmented,
        "+ pairs, R1 and R2": paired,
        "+ generator 1.5 times as wide": wide,
    }


def train(run: Run, state: Path, progress: bool) -> Result:
    """Train every rung, and measure the floor and the Gaussian model."""
    training, held_out = eight_bit_faces(run)
    judge = Judge(
        run, training, held_out, run.pick(ci=8, book=1000, full=1000)
    )
    images = run.pick(ci=16, book=115_200, full=2_304_000)
    result = train_variants(
        run, state, progress, variants(run, images), judge, "celeba_10k"
    )
    return Result(
        result.tensors,
        result.metrics | judge.floor() | judge.gaussian(),
        result.settings,
        result.data,
        result.history,
    )


RECIPE = Recipe("Ablation: what each change of DCGAN buys", train)
