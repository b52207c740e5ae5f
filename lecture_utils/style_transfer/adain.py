"""Adaptive instance normalisation: any painting as style, in one pass."""

from __future__ import annotations

import torch
from torch import Tensor


def adaptive_instance_norm(
    content: Tensor, style: Tensor, eps: float = 1e-5
) -> Tensor:
    """Give each channel of the content's features the mean and the spread of the style's.

    Source: X. Huang and S. Belongie, "Arbitrary style transfer in real-time with adaptive instance
    normalization", ICCV 2017, equation (8).

    Parameters
    ----------
    content, style
        (N, C, H, W) and (N, C, H', W').
    eps
        Added to the content's variance, so that a flat channel stays finite.

    Returns
    -------
    Tensor
        (N, C, H, W).
    """
    variance, mean = torch.var_mean(content, dim=(2, 3), keepdim=True)
    wanted, centre = torch.var_mean(style, dim=(2, 3), keepdim=True)
    return (
        centre + (content - mean) * ((wanted + eps) / (variance + eps)).sqrt()
    )


def whitening_colouring(
    content: Tensor, style: Tensor, eps: float = 1e-3
) -> Tensor:
    """Give the content's features the mean and the whole covariance of the style's.

    Source: Y. Li et al., "Universal style transfer via feature transforms", NIPS 2017, equations (2)
    and (4). `adaptive_instance_norm` does the same with diagonal covariances.

    Parameters
    ----------
    content, style
        (1, C, H, W) and (1, C, H', W').
    eps
        Smallest eigenvalue, as a part of the largest, that is inverted.

    Returns
    -------
    Tensor
        (1, C, H, W).
    """

    def power(features: Tensor, exponent: float) -> tuple[Tensor, Tensor]:
        h = features[0].flatten(1).double()  # (C, H W)
        mean = h.mean(dim=1, keepdim=True)
        values, vectors = torch.linalg.eigh(
            (h - mean) @ (h - mean).T / h.shape[1]
        )
        kept = values > eps * values[-1]
        scaled = vectors[:, kept] * values[kept] ** exponent
        return scaled @ vectors[:, kept].T, mean

    white, mean = power(content, -0.5)
    colour, centre = power(style, 0.5)
    h = content[0].flatten(1).double()
    out = colour @ (white @ (h - mean)) + centre
    return out.to(content.dtype).reshape(content.shape)
