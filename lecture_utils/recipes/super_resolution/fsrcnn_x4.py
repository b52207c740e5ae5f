"""FSRCNN (56, 12, 4), x4, from x3: the same layers, and the deconvolution's kernels sampled anew.

The features that serve one scale serve another (Dong, Loy and Tang, ECCV 2016, section 4.4), so the
training is short. The recipe ``fsrcnn_transfer`` compares it with a training from scratch.
"""

from pathlib import Path

import torch

from lecture_utils.recipe import Recipe, Result
from lecture_utils.runtime import Run
from lecture_utils.super_resolution.fsrcnn import FSRCNN
from lecture_utils.super_resolution.training import (
    Settings,
    start_from_scale,
    train_network,
)


def _train(run: Run, state: Path, progress: bool) -> Result:
    torch.manual_seed(run.seed)
    settings = Settings(
        scales=(4,),
        steps=run.pick(ci=20, book=20_000, full=250_000),
        batch=run.pick(ci=4, book=16, full=64),
        patch=20,
        learning_rate=2e-3,
    )
    network = FSRCNN(4)
    start_from_scale(network, "fsrcnn_x3")
    return train_network(run, state, progress, network, settings)


RECIPE = Recipe("FSRCNN (56, 12, 4), x4, from the layers of x3", _train)
