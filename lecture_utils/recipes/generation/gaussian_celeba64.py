"""The Gaussian model of 64 x 64 colour faces (section "Gaussian model"): a closed-form fit.

The checkpoint holds the mean, 150 eigenvectors and eigenvalues, and counts over the real faces
(histograms, mean codes of attributes), so that pages can compare them with the model's samples
where the faces themselves are not at hand. No image can be made out of the counts.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lecture_utils import data
from lecture_utils.generation.faces import face_crops
from lecture_utils.generation.gaussian import (
    GaussianModel,
    kurtosis,
    standardised_differences,
    uncorrelated_pairs,
)
from lecture_utils.metrics import luminance
from lecture_utils.recipe import Recipe, Result
from lecture_utils.runtime import Run

COMPONENTS = 150
HELD_OUT = 0.05

# The groups whose mean codes serve as examples of arithmetic: attributes that
# hold (True) or not.
GROUPS = {
    "smiling woman": {"Smiling": True, "Male": False, "Eyeglasses": False},
    "neutral woman": {"Smiling": False, "Male": False, "Eyeglasses": False},
    "neutral man": {"Smiling": False, "Male": True, "Eyeglasses": False},
    "smiling man": {"Smiling": True, "Male": True, "Eyeglasses": False},
    "man with glasses": {"Male": True, "Eyeglasses": True},
    "man without glasses": {"Male": True, "Eyeglasses": False},
    "woman without glasses": {"Male": False, "Eyeglasses": False},
    "woman with glasses": {"Male": False, "Eyeglasses": True},
}

# Bins of the stored histograms, for numpy.linspace.
DIFFERENCE_BINS = (-10.0, 10.0, 81)
JOINT_BINS = (-5.0, 5.0, 41)
RADIUS_BINS = (0.0, 600.0, 61)
DISTANCE = 8  # rows between the two differences of a pair


def histogram(values: Tensor, bins: tuple[float, float, int]) -> Tensor:
    """Count values in equal bins, int32; those beyond the ends are in the first and last bin."""
    edges = np.linspace(*bins)
    inside = np.clip(values.double().flatten().numpy(), edges[0], edges[-1])
    return torch.from_numpy(np.histogram(inside, edges)[0].astype(np.int32))


def joint_histogram(pairs: tuple[Tensor, Tensor]) -> Tensor:
    """Count pairs in equal bins, int32; the first number is along the rows."""
    first, second = (values.flatten().numpy() for values in pairs)
    counts = np.histogram2d(first, second, np.linspace(*JOINT_BINS))[0]
    return torch.from_numpy(counts.astype(np.int32))


def mean_codes(
    model: GaussianModel, images: Tensor, run: Run
) -> tuple[Tensor, dict[str, int]]:
    """Return the mean latent code of each of `GROUPS`, float32 (8, k), and how many faces it has."""
    names, attributes = data.celeba_10k_attributes(run=run)
    attributes = attributes[: len(images)]
    codes = model.encode(images)
    means, counts = [], {}
    for group, wanted in GROUPS.items():
        members = np.ones(len(images), bool)
        for attribute, value in wanted.items():
            members &= attributes[:, names.index(attribute)] == value
        if not members.any():
            raise ValueError(
                f"None of the {len(images)} faces is in the group {group!r};"
                " take more faces."
            )
        means.append(codes[torch.from_numpy(members)].mean(0))
        counts[group] = int(members.sum())
    return torch.stack(means).float(), counts


def train(run: Run, state: Path, progress: bool) -> Result:
    """Fit the model and measure it; ``state`` and ``progress`` have no use in a closed-form fit."""
    faces = face_crops(
        data.celeba_10k(
            limit=run.pick(ci=600, book=10_000, full=10_000), run=run
        )
    )
    held_out_count = round(HELD_OUT * len(faces))
    training, held_out = faces[:-held_out_count], faces[-held_out_count:]
    # What is shipped is what is measured: go through the stored float16 first.
    tensors = GaussianModel.fit(training, "gram", COMPONENTS).tensors()
    model = GaussianModel.from_tensors(tensors)

    # Double precision makes all faces gigabytes; 4,000 of them give the
    # statistics well enough.
    some = training[:4000]
    samples = model.sample(len(some), run.generator(1))
    real = standardised_differences(luminance(some))
    projected = standardised_differences(
        luminance(model.decode(model.encode(some)))
    )
    generated = standardised_differences(luminance(samples))
    pairs = {
        name: uncorrelated_pairs(differences, DISTANCE)
        for name, differences in (
            ("real", real),
            ("projected", projected),
            ("samples", generated),
        )
    }
    radii = torch.cat(
        [
            model.encode(training[i : i + 1000]).square().sum(1)
            for i in range(0, len(training), 1000)
        ]
    )
    codes, counts = mean_codes(model, faces, run)

    values = model.mean.numel()
    nats = {
        "training": model.log_likelihood(some) / values,
        "held_out": model.log_likelihood(held_out) / values,
        "samples": model.log_likelihood(samples) / values,
        "mean_face": model.log_likelihood(model.mean[None]) / values,
    }
    reconstructions = model.decode(model.encode(held_out))
    error = (reconstructions - held_out).square().flatten(1).mean(1)
    metrics = {
        "variance_share": float(model.shares.sum()),
        "held_out_psnr": float((-10 * error.log10()).mean()),
        **{
            f"{name}_nats_per_value": float(each.mean())
            for name, each in nats.items()
        },
        "held_out_bits_per_value": (
            8 - float(nats["held_out"].mean()) / math.log(2)
        ),
        "real_kurtosis": kurtosis(real),
        "projected_kurtosis": kurtosis(projected),
        "samples_kurtosis": kurtosis(generated),
        **{
            f"{name}_product_of_squares": float((a * b).square().mean())
            for name, (a, b) in pairs.items()
        },
        "real_squared_radius_mean": float(radii.mean()),
        "real_squared_radius_std": float(radii.std()),
        "samples_out_of_range": float(
            ((samples < 0) | (samples > 1)).double().mean()
        ),
    }
    tensors |= {
        "mean_codes": codes,
        "histogram.real": histogram(real, DIFFERENCE_BINS),
        "histogram.projected": histogram(projected, DIFFERENCE_BINS),
        "joint.real": joint_histogram(pairs["real"]),
        "joint.projected": joint_histogram(pairs["projected"]),
        "radius.real": histogram(radii, RADIUS_BINS),
    }
    settings = {
        "images": len(training),
        "held_out": len(held_out),
        "crop": (
            "rows 22-93, columns 8-79 of 109 x 89, then 64 x 64 (bi-cubic,"
            " antialiased)"
        ),
        "components": COMPONENTS,
        "method": "gram",
        "statistics_on": len(some),
        "groups": counts,
    }
    return Result(tensors, metrics, settings, ["celeba_10k"])


RECIPE = Recipe(
    "Gaussian model of 64 x 64 colour faces (mean and 150 eigenvectors)", train
)
