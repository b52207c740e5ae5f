"""How far a set of generated images is from a set of real ones, in a space of features.

No single image is judged here: a generator is right if its samples, all together, are like the real
images, all together. Sets have equal sizes, every figure is named after its space of features, and
beside it stands the floor: what two sets of real images give.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from lecture_utils import data
from lecture_utils.efficientnet import (
    DATA_SET,
    load_efficientnet,
    random_efficientnet,
)
from lecture_utils.feature_network import load_feature_network
from lecture_utils.images import check_range, described, whole_number
from lecture_utils.runtime import Run

# EfficientNet-Lite0 was trained at 224 pixels. Images of 64 pixels gain
# nothing there: 500 samples of the Gaussian model of faces are 41 standard
# errors from real faces at 224 pixels, 42 at 128 and 35 at 96, and 128 pixels
# cost a third of 224.
NETWORK_SIZE = 128


@dataclass(frozen=True)
class FeatureSpace:
    """A function from images to features, and its name, which stands beside every figure.

    Attributes
    ----------
    name
        Which network, and at what size it sees the images.
    function
        Maps RGB images (N, 3, H, W) in [0, 1] to features (N, d).
    device
        Where the function computes.
    """

    name: str
    function: Callable[[Tensor], Tensor]
    device: torch.device = torch.device("cpu")  # noqa: RUF009

    @torch.no_grad()
    def __call__(self, images: Tensor, batch: int = 50) -> Tensor:
        """Return the features of images as they would be written: clipped, in 8 bits.

        Parameters
        ----------
        images
            (N, 3, H, W), or grey (N, 1, H, W), in [0, 1]; they may overshoot.
        batch
            So many at a time.

        Returns
        -------
        float32 of shape (N, d), on the CPU.
        """
        if images.ndim != 4 or images.shape[1] not in (1, 3):
            raise ValueError(
                f"The space of features got {described(images)}; it needs"
                " (N, 3, H, W) or (N, 1, H, W)."
            )
        check_range(
            images,
            "The space of features",
            1,
            "Bring images in [-1, 1] to [0, 1] by (x + 1) / 2.",
        )
        parts = []
        for part in torch.split(images, batch):
            eight_bits = (255 * part.float().clip(0, 1)).round() / 255
            colour = eight_bits.expand(-1, 3, -1, -1).to(self.device)
            parts.append(self.function(colour).float().cpu())
        return torch.cat(parts)


def feature_space(run: Run) -> FeatureSpace:
    """Return the best space of features that is here: EfficientNet-Lite0's, or the shipped network's.

    In profile ``ci`` it is that of a random network, which judges nothing and costs the same.
    """
    if run.profile == "ci" or data.find(DATA_SET) is not None:
        network = run.pick(
            ci=random_efficientnet,
            book=load_efficientnet,
            full=load_efficientnet,
        )(run)
        side = run.pick(ci=32, book=NETWORK_SIZE, full=NETWORK_SIZE)
        return FeatureSpace(
            f"{network.source} at {side} px",
            lambda images: network.features(images, side),
            run.device,
        )
    return shipped_feature_space(run)


def shipped_feature_space(run: Run) -> FeatureSpace:
    """Return the means of the shipped feature network's deepest maps, which are at hand everywhere."""
    network = load_feature_network(["relu4_3"], run)

    def means(images: Tensor) -> Tensor:
        maps: Tensor = network(images)["relu4_3"]  # (N, 512, H/8, W/8)
        return maps.mean((2, 3))

    return FeatureSpace(
        f"relu4_3 of {network.source}, means", means, run.device
    )


class Estimate(NamedTuple):
    """A number that was estimated from samples, and its standard error."""

    value: float
    error: float


def kernel_distance(
    samples: Tensor, real: Tensor, *, groups: int = 20
) -> Estimate:
    """Return the kernel distance (KID) of two sets, unbiased, with its standard error.

    The squared maximum mean discrepancy for the kernel (x . y / d + 1)^3. It is zero on average
    where both sets come from one distribution, so an estimate may be negative. The standard error
    is the jackknife's, which leaves one group out of both sets at a time.

    Source: M. Binkowski et al., "Demystifying MMD GANs", ICLR 2018; torchmetrics computes it.

    Parameters
    ----------
    samples, real
        Features (N, d) of two sets of one size.
    groups
        Into how many groups the sets are divided; the last images are left out of the error where
        the division leaves a rest.

    Raises
    ------
    ValueError
        If the sets differ in size, or are smaller than twice the number of groups.
    """
    _check_pair(samples, real, "kernel_distance")
    if len(samples) < 2 * groups or groups < 2:
        raise ValueError(
            f"kernel_distance got {len(samples)} images and {groups} groups;"
            " it needs at least two groups, of at least two images each."
        )
    size = len(samples) // groups
    x, y = samples.double(), real.double()
    within = _kernel(x, x) + _kernel(y, y)
    between = 2 * _kernel(x, y)
    value = _discrepancy(within.fill_diagonal_(0).sum(), between.sum(), len(x))
    # Sums over pairs of groups, of which those with one group are left out.
    used = size * groups
    tables = [
        kernel[:used, :used].reshape(groups, size, groups, size).sum((1, 3))
        for kernel in (within, between)
    ]
    rest = [t.sum() - t.sum(0) - t.sum(1) + t.diagonal() for t in tables]
    values = _discrepancy(rest[0], rest[1], used - size)
    spread = (values - values.mean()).square().sum() * (groups - 1) / groups
    return Estimate(float(value), float(spread.sqrt()))


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    """Return the kernel (x . y / d + 1)^3 of all pairs, (N, M)."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def _discrepancy(within: Tensor, between: Tensor, n: int) -> Tensor:
    """Return the squared discrepancy of two sets of n, of the sums of their kernels."""
    return within / (n * (n - 1)) - between / n**2


class PrecisionRecall(NamedTuple):
    """How many samples look real, and how many real images the samples come near to."""

    precision: float
    recall: float


def precision_recall(
    samples: Tensor, real: Tensor, *, neighbours: int = 3
) -> PrecisionRecall:
    """Return precision and recall of a set of samples, each in 0 .. 1.

    A set's support is estimated by balls around its members, each as wide as the distance to the
    k-th nearest other member. Precision is the share of samples in the real support, recall the
    share of real images in that of the samples. Both grow with the size of the sets.

    Source: T. Kynkaanniemi et al., "Improved precision and recall metric for assessing generative
    models", NeurIPS 2019.

    Parameters
    ----------
    samples, real
        Features (N, d) of two sets of one size.
    neighbours
        k, 3 in the paper.

    Raises
    ------
    ValueError
        If the sets differ in size, or have not more than k members.
    """
    _check_pair(samples, real, "precision_recall")
    k = whole_number(neighbours, "The neighbours of precision_recall", least=1)
    if len(samples) <= k:
        raise ValueError(
            f"precision_recall got {len(samples)} images; it needs more than"
            f" the {k} neighbours that make a ball."
        )
    between = _distances(samples, real)  # (N, N), a row a sample
    # A member is its own nearest, at a distance of zero: hence k + 1.
    radius_of_real, radius_of_samples = (
        _distances(x, x).kthvalue(k + 1, dim=1).values for x in (real, samples)
    )
    precise = (between <= radius_of_real).any(dim=1).double().mean()
    recalled = (
        (between <= radius_of_samples[:, None]).any(dim=0).double().mean()
    )
    return PrecisionRecall(float(precise), float(recalled))


def nearest(
    images: Tensor, references: Tensor, *, same: bool = False
) -> tuple[Tensor, Tensor]:
    """Return the distance to the nearest reference, and its index, for each image.

    Parameters
    ----------
    images, references
        Features (N, d) and (M, d), or images of one size, which are compared pixel by pixel.
    same
        Whether both are one set, in which each has to find another than itself.

    Returns
    -------
    Distances (N,) in the 2-norm, and indices (N,).
    """
    if images.shape[1:] != references.shape[1:]:
        raise ValueError(
            f"nearest got shapes {tuple(images.shape)} and"
            f" {tuple(references.shape)}; all but the first axis must agree."
        )
    parts = []
    for first in range(0, len(images), 1000):
        part = _distances(images[first : first + 1000], references)
        if same:
            part.diagonal(first).fill_(float("inf"))
        parts.append(part.min(1))
    return (
        torch.cat([p.values for p in parts]),
        torch.cat([p.indices for p in parts]),
    )


def pairwise_distance(features: Tensor) -> float:
    """Return the mean distance of two members of a set, (N, d): how varied it is."""
    if len(features) < 2:
        raise ValueError(
            f"pairwise_distance got {len(features)} image(s); it needs two."
        )
    n = len(features)
    return float(_distances(features, features).sum() / (n * (n - 1)))


def _distances(x: Tensor, y: Tensor) -> Tensor:
    """Return all distances (N, M); of equal members they are zero but for rounding (1e-6)."""
    x, y = x.flatten(1).double(), y.flatten(1).double()
    return torch.cdist(x, y, compute_mode="use_mm_for_euclid_dist")


def _check_pair(samples: Tensor, real: Tensor, caller: str) -> None:
    """Say that two sets of features cannot be compared."""
    if samples.ndim != 2 or samples.shape != real.shape:
        raise ValueError(
            f"{caller} got features of shapes {tuple(samples.shape)} and"
            f" {tuple(real.shape)}; it needs two sets of one size, (N, d)."
            " Take as many of one as of the other: the figures depend on N."
        )
