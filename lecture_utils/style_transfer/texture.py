"""Texture as statistics of features: Gram matrices, and the distributions that they leave open."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lecture_utils.losses import feature_distance

Features = Mapping[str, Tensor]


def gram_matrix(features: Tensor) -> Tensor:
    """Return the mean over all positions of the products of two channels.

    It is the uncentred covariance of the channels: symmetric, positive semi-definite, and the same
    for every permutation of the positions. The lecture sums over the positions; the mean makes
    images of different sizes comparable.

    Source: L. A. Gatys, A. S. Ecker and M. Bethge, "Texture synthesis using convolutional neural
    networks", NIPS 2015, equation (1).

    Parameters
    ----------
    features
        (N, C, H, W), float.

    Returns
    -------
    Tensor
        (N, C, C): entry (m, n) is sum_ij h_m(i, j) h_n(i, j) / (H W).
    """
    h = features.flatten(2)  # (N, C, H W)
    product: Tensor = _SelfProduct.apply(h)
    return product / h.shape[2]


class _SelfProduct(torch.autograd.Function):
    """h h^T, whose gradient is one product of matrices.

    Both factors are h, so autograd adds two: D h + D^T h, for the gradient D with respect to h h^T.
    That is (D + D^T) h, which took half the time (64 channels, 256 x 256 positions).
    """

    @staticmethod
    def forward(ctx: Any, h: Tensor) -> Tensor:
        ctx.save_for_backward(h)
        return h @ h.mT  # (N, C, C)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        h: Tensor = ctx.saved_tensors[0]
        return (gradient + gradient.mT) @ h  # (N, C, H W)


def style_distance(
    features: Features,
    grams: Mapping[str, Tensor],
    weights: Mapping[str, float] | None = None,
) -> Tensor:
    """Return how far the Gram matrices are from others: the mean of ||G - G*||^2 / ||G*||^2.

    The division makes layers comparable, whatever the size of their responses; with it one choice
    of the weights serves all layers, images and networks.

    Parameters
    ----------
    features
        Features by layer, (N, C, H, W).
    grams
        The Gram matrices that are wanted, by layer, (1, C, C) or (N, C, C).
    weights
        One weight a layer, not negative; without them each layer counts once.

    Returns
    -------
    A scalar: 0 for equal Gram matrices, about 1 for unlike ones.
    """
    shares = weights or dict.fromkeys(grams, 1.0)
    total = sum(shares[name] for name in grams)
    return torch.stack(
        [
            shares[name]
            / total
            * feature_distance(
                gram_matrix(features[name]),
                wanted.expand(len(features[name]), -1, -1),
            )
            for name, wanted in grams.items()
        ]
    ).sum()


def sliced_wasserstein(
    features: Tensor, reference: Tensor, directions: Tensor
) -> Tensor:
    """Return the mean squared difference of sorted projections: zero only for equal distributions.

    Gram matrices fix second moments and nothing else. A distribution over the channels is known from
    its projections onto all directions, and two samples of numbers are nearest to each other in
    sorted order.

    Source: E. Heitz et al., "A sliced Wasserstein loss for neural texture synthesis", CVPR 2021,
    equations (5) and (6).

    Parameters
    ----------
    features, reference
        (N, C, H, W) and (1, C, H', W'). Where the numbers of positions differ, the sorted reference
        is read at the same quantiles.
    directions
        (K, C), rows of length one.

    Returns
    -------
    A scalar, in the features' squared unit.
    """
    x = (directions @ features.flatten(2)).sort(dim=2).values  # (N, K, H W)
    y = (directions @ reference.flatten(2)).sort(dim=2).values  # (1, K, H' W')
    if y.shape[2] != x.shape[2]:
        y = torch.nn.functional.interpolate(y, x.shape[2], mode="linear")
    return (x - y).square().mean()


def random_directions(
    count: int, channels: int, generator: torch.Generator
) -> Tensor:
    """Draw directions evenly from the sphere: (count, channels), rows of length one."""
    drawn = torch.randn(count, channels, generator=generator)
    lengths: Tensor = drawn.norm(dim=1, keepdim=True)
    return drawn / lengths


def random_phase(
    texture: Tensor, shape: Sequence[int], generator: torch.Generator
) -> Tensor:
    """Return an image with the texture's spectrum and random phases: its Gaussian model.

    Source: B. Galerne, Y. Gousseau and J.-M. Morel, "Random phase textures", IEEE Trans. Image
    Processing 20(1), 2011. For a larger image the texture, without its mean, is laid into a frame
    of zeros and convolved with white noise.

    Parameters
    ----------
    texture
        (N, C, H, W) in [0, 1].
    shape
        Height and width of the result, at least those of the texture.
    generator
        Draws the white noise, one image for all channels, so that colours stay together.

    Returns
    -------
    Tensor
        (N, C, *shape), with the texture's mean; not clipped.
    """
    height, width = texture.shape[-2:]
    if shape[0] < height or shape[1] < width:
        raise ValueError(
            f"random_phase got the shape {tuple(shape)} for a texture of"
            f" {height} x {width} pixels; it must be at least as large."
        )
    mean: Tensor = texture.mean(dim=(2, 3), keepdim=True)
    frame = texture.new_zeros(*texture.shape[:2], *shape)
    frame[..., :height, :width] = texture - mean
    noise = torch.randn(*shape, generator=generator).to(texture)
    spectrum = torch.fft.rfft2(frame) * torch.fft.rfft2(noise)
    scale = math.sqrt(height * width)
    made: Tensor = torch.fft.irfft2(spectrum, s=tuple(shape))
    return mean + made / scale
