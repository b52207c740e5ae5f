"""Mode collapse on a ring of eight Gaussians, and its cures, over several seeds.

The generator moves five times as fast as the discriminator. Compared are the paper's game with the
penalty R1, and pairing with R1 and R2, each at several weights, of which the first is zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lecture_utils.adversarial import (
    Objective,
    alternate,
    r1,
    r1_and_r2,
    relativistic_loss,
    start_game,
)
from lecture_utils.generation.gan import (
    mode_report,
    perceptron,
    ring,
    ring_centres,
)
from lecture_utils.recipe import Recipe, Result, train_each
from lecture_utils.runtime import Run
from lecture_utils.training import train

WEIGHTS = (0.0, 0.03, 0.1, 0.3, 1.0)
SEEDS = 4
SHOWN = 500  # points of each generator that are shipped
RATES = {"generator": 5e-3, "discriminator": 1e-3}


def objective(game: str, weight: float) -> Objective:
    """Return what the players descend, with the penalty at this weight.

    Parameters
    ----------
    game
        ``standard`` (with R1) or ``relativistic`` (with R1 and R2).
    weight
        The penalty's weight gamma.
    """
    if game == "relativistic":
        return Objective(
            relativistic_loss,
            relativistic_loss,
            paired=True,
            penalty=r1_and_r2,
            penalty_weight=weight,
        )
    return Objective(penalty=r1, penalty_weight=weight)


def variants(run: Run) -> dict[str, dict[str, Any]]:
    """Return the choices of each training by its name, such as ``standard, 0.1, seed 2``."""
    chosen = {
        "steps": run.pick(ci=4, book=1_200, full=10_000),
        "batch": run.pick(ci=16, book=128, full=128),
        "sizes": [2, 64, 64],
        "rates": RATES,
        "momentum": 0.5,
        "images": {},
    }
    return {
        f"{game}, {weight:g}, seed {seed}": chosen
        | {"game": game, "weight": weight, "seed": seed}
        for game in ("standard", "relativistic")
        for weight in run.pick(ci=WEIGHTS[:2], book=WEIGHTS, full=WEIGHTS)
        for seed in range(run.pick(ci=2, book=SEEDS, full=10 * SEEDS))
    }


def train_on_ring(
    run: Run, progress: bool, choices: dict[str, Any], state: Path | None
) -> Result:
    """Train one generator of the plane; ship some of its points.

    Parameters
    ----------
    run, progress, state
        As a recipe gets them, the state last; the seed is the choices'.
    choices
        One of `variants`.
    """
    run = replace(run, seed=choices["seed"])
    torch.manual_seed(run.seed)
    sizes, batch, steps = (choices[key] for key in ("sizes", "batch", "steps"))
    game = start_game(
        run.fabric,
        perceptron([*sizes, 2]),
        perceptron([2, *sizes[1:], 1]),
        betas=(choices["momentum"], 0.999),
    )
    goal = objective(choices["game"], choices["weight"])
    codes = torch.randn(2_000, sizes[0], generator=run.generator(1))

    def step(i: int, random: torch.Generator) -> dict[str, Tensor]:
        x = ring(batch, random)
        z = torch.randn(batch, sizes[0], generator=random)
        to_device = run.fabric.to_device
        terms = alternate(game, goal, to_device(x), to_device(z))
        return {"discriminator": terms["discriminator"]}

    @torch.no_grad()
    def points() -> Tensor:
        made: Tensor = game.generator(codes.to(run.device))
        return made.cpu()

    def evaluate() -> dict[str, float]:
        return mode_report(points(), ring_centres())

    history = train(
        run,
        step,
        steps,
        modules=game.modules,
        optimizers=game.optimizers,
        learning_rate={
            player: lambda i, rate=rate: rate  # type: ignore[misc]
            for player, rate in choices["rates"].items()
        },
        evaluate=evaluate,
        evaluate_every=max(1, steps // 12),
        log_every=max(1, steps // 12),
        state=state,
        settings=choices,
        progress=progress,
    )
    return Result(
        {"points": points()[:SHOWN].half()}, evaluate(), choices, [], history
    )


def _train(run: Run, state: Path | None, progress: bool) -> Result:
    trainings: dict[str, Callable[[Path | None], Result]] = {
        name: partial(train_on_ring, run, progress, choices)
        for name, choices in variants(run).items()
    }
    return train_each(run, state, trainings, ship=True)


RECIPE = Recipe(
    "Ablation: modes that a GAN finds on a ring, by penalty and pairing",
    _train,
)
