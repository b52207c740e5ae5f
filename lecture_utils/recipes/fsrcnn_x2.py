"""FSRCNN (56, 12, 4), x2, from the layers of x3: all layers but the deconvolution are shared.

The features that serve one scale serve another (Dong, Loy and Tang, ECCV 2016, section 4.4), so the
training is short. The recipe ``fsrcnn_transfer`` compares it with a training from scratch.
"""

from pathlib import Path

import torch

from lecture_utils.recipes import Recipe, Result
from lecture_utils.recipes._super_resolution import Settings, start_from, train_network
from lecture_utils.runtime import Run
from lecture_utils.super_resolution import build


def _train(run: Run, state: Path, progress: bool) -> Result:
    torch.manual_seed(run.seed)
    settings = Settings(
        scales=(2,),
        steps=run.pick(ci=20, book=20_000, full=250_000),
        batch=run.pick(ci=4, book=16, full=64),
        patch=20,
        learning_rate=2e-3,
    )
    network = build("fsrcnn_x2")
    start_from(network, "fsrcnn_x3", lambda name: name.startswith("features"))
    return train_network(run, state, progress, network, settings)


RECIPE = Recipe("FSRCNN (56, 12, 4), x2, from the layers of x3", _train)
