"""SRCNN 9-1-5 at x3 trained on luminance, on YCbCr and on RGB: the curves of one figure."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from torch import nn

from lecture_utils import data
from lecture_utils.metrics import psnr
from lecture_utils.recipe import Recipe, Result
from lecture_utils.resize import imresize, modcrop
from lecture_utils.runtime import Run
from lecture_utils.super_resolution.networks import enlarge
from lecture_utils.super_resolution.srcnn import SRCNN
from lecture_utils.super_resolution.training import (
    Variant,
    ablation,
    ablation_settings,
    variant_tensors,
)


def variants(run: Run, steps: int) -> dict[str, Variant]:
    """Return the trainings: Y alone, Y with Cb and Cr, and RGB."""
    settings = ablation_settings(run, steps)
    colour = partial(SRCNN, channels=3)
    return {
        "Y": Variant(SRCNN, settings),
        "YCbCr": Variant(colour, replace(settings, colour="ycbcr")),
        "RGB": Variant(colour, replace(settings, colour="rgb")),
    }


def psnr_rgb(network: nn.Module, colour: str, run: Run) -> float:
    """Return the mean PSNR over the three colours, in dB, on Set5 or on embedded photos.

    Where the network enlarges only Y, Cb and Cr are enlarged bi-cubically.
    """
    end = run.pick(ci=64, book=None, full=None)
    values = []
    for image in data.super_resolution_benchmark(run)[1].values():
        high = modcrop(image[:end, :end], 3)
        low = imresize(high, 1 / 3)
        bands: Literal["ycbcr"] | None = "ycbcr" if colour == "ycbcr" else None
        estimate = enlarge(network, low, 3, bands=bands)
        values.append(psnr(estimate, high, border=3))
    return float(np.mean(values))


def _train(run: Run, state: Path | None, progress: bool) -> Result:
    result = ablation(variants, book=4_000, ship=True)(run, state, progress)
    benchmark = data.super_resolution_benchmark(run)[0]
    for name, variant in variants(run, 1).items():
        network = variant.build().eval()
        tensors = variant_tensors(result.tensors, name)
        if not tensors:  # it diverged
            continue
        network.load_state_dict(tensors)
        key = (
            f"{name}:"
            f" {'set5' if benchmark == 'Set5' else 'photos'}_x3_psnr_rgb"
        )
        result.metrics[key] = psnr_rgb(network, variant.settings.colour, run)
    return result


RECIPE = Recipe("Ablation: SRCNN on luminance, YCbCr and RGB", _train)
