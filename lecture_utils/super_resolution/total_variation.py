"""Total variation: the linear inverse problem with the l1 norm of the gradient, three solvers.

Every solver minimises

    F(x) = norm(H x - y)^2 + tau * norm(gradient(x))_1,

the data term in the lecture's scale (without a factor 1/2). Images that hold several channels are
solved channel by channel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from lecture_utils.images import whole_number
from lecture_utils.super_resolution.degrade import (
    Degradation,
    check_image,
    gradient,
    gradient_adjoint,
)
from lecture_utils.super_resolution.solvers import data_proximal, tikhonov

Callback = Callable[[int, Tensor, Tensor], None]
Method = Literal["primal-dual", "smoothed", "subgradient"]


@dataclass(frozen=True)
class Problem:
    """A problem ``min over x of norm(H x - y)^2 + tau * norm(gradient(x))_1`` and its parts.

    Source: L. I. Rudin, S. Osher and E. Fatemi, "Nonlinear total variation based noise removal
    algorithms", Physica D 60, 1992.

    Attributes
    ----------
    y
        LR image (..., H, W), float32 or float64; the values 0 and 1 are black and white.
    H
        The degradation.
    tau
        Weight of the total variation, above 0.
    isotropic
        Whether a pixel counts the length of its gradient (the l2 norm of its two differences) or,
        for the anisotropic total variation, the sum of their absolute values.
    wrap
        Whether the differences between opposite borders count. The blur is periodic in any case;
        without ``wrap`` the total variation is that of an image that ends at its borders.

    Raises
    ------
    TypeError, ValueError
        If the image is not of that kind, or ``tau`` is not above 0.
    """

    y: Tensor
    H: Degradation
    tau: float
    isotropic: bool = True
    wrap: bool = True

    def __post_init__(self) -> None:
        """Check the image and the weight."""
        check_image(self.y)
        if not (math.isfinite(self.tau) and self.tau > 0):
            raise ValueError(
                f"tau is {self.tau}; it must be finite and above 0. Without"
                " regularisation use pseudo_inverse."
            )

    def gradient(self, x: Tensor) -> Tensor:
        """Return the differences (..., 2, H, W) of an HR image."""
        g = gradient(x)
        if not self.wrap:
            g[..., 0, -1, :] = 0
            g[..., 1, :, -1] = 0
        return g

    def magnitude(self, g: Tensor) -> Tensor:
        """Return the size (..., H, W) of each pixel's pair (..., 2, H, W)."""
        down, right = g.unbind(dim=-3)
        return (
            torch.hypot(down, right)
            if self.isotropic
            else down.abs() + right.abs()
        )

    def objective(self, x: Tensor) -> float:
        """Return F(x), summed over all channels."""
        misfit = (self.H.apply(x) - self.y).square().sum()
        return float(
            misfit + self.tau * self.magnitude(self.gradient(x)).sum()
        )

    def data_gradient(self, x: Tensor) -> Tensor:
        """Return the gradient of norm(H x - y)^2, which is ``2 H^T (H x - y)``."""
        return 2 * self.H.adjoint(self.H.apply(x) - self.y)

    def project_(self, p: Tensor) -> Tensor:
        """Move the pairs of p, in place, to the closest points of the ball of radius tau.

        The ball is a disc for the isotropic total variation and a square for the anisotropic one.
        """
        if self.isotropic:
            excess = self.magnitude(p).clamp_(min=self.tau).div_(self.tau)
            return p.div_(excess.unsqueeze(-3))
        return p.clamp_(-self.tau, self.tau)

    def curvature(self) -> tuple[float, float]:
        """Return the least and the largest curvature of norm(H x - y)^2 over all directions."""
        s = self.H.scale
        power = self.H.gram_transfer(
            (s * self.y.shape[-2], s * self.y.shape[-1])
        )
        return (2 * float(power.min()) if s == 1 else 0.0), 2 * float(
            power.max()
        )

    def gap(self, x: Tensor, p: Tensor, margin: float = 0.1) -> float:
        """Return by how much F(x) can at most exceed F of an image from a box around x.

        For each p whose pairs lie in the ball, ``<p, gradient(z)> <= tau * norm(gradient(z))_1``,
        and the data term lies above its tangent at x. Both together bound F from below by a linear
        function of z, whose least value over the box is taken pixel by pixel.

        Parameters
        ----------
        x
            HR image.
        p
            (..., 2, H, W), in the ball: what a solver's callback receives.
        margin
            The box is the range of x, enlarged by this at both ends.

        Returns
        -------
        float
            0 or more; goes to 0 as x and p approach a solution. A minimiser that leaves the box by
            at most d is bounded too, since F is convex: ``F(x) - F* <= (1 + d / margin) * gap``.
        """
        low, high = x.min() - margin, x.max() + margin
        slope = self.data_gradient(x) + gradient_adjoint(p)
        g = self.gradient(x)
        unmatched = self.tau * self.magnitude(g).sum() - (p * g).sum()
        least = torch.minimum(low * slope, high * slope).sum()
        return float(unmatched + (slope * x).sum() - least)


def sub_gradient(
    problem: Problem,
    x: Tensor,
    iterations: int,
    callback: Callback,
    step: float = 0.02,
) -> Tensor:
    """Go against a sub-gradient, by steps of length ``step / sqrt(k)`` a pixel (root mean square)."""
    for k in range(1, iterations + 1):
        g = problem.gradient(x)
        if problem.isotropic:
            direction = g / problem.magnitude(g).clamp(min=1e-12).unsqueeze(-3)
        else:
            direction = g.sign()
        p = problem.tau * direction
        slope = problem.data_gradient(x) + gradient_adjoint(p)
        length = (
            slope.square()
            .mean()
            .sqrt()
            .clamp(min=torch.finfo(slope.dtype).tiny)
        )
        x = x - step / math.sqrt(k) * slope / length
        callback(k, x, p)
    return x


def smoothed(
    problem: Problem,
    x: Tensor,
    iterations: int,
    callback: Callback,
    epsilon: float = 0.005,
) -> Tensor:
    """Round the kink of the norm off below ``epsilon``, then descend with Nesterov's momentum.

    Source: Y. Nesterov, "Smooth minimization of non-smooth functions", Math. Program. 103, 2005.
    """
    step = 1 / (problem.curvature()[1] + 8 * problem.tau / epsilon)
    z = x
    for k in range(1, iterations + 1):
        p = problem.project_(problem.tau / epsilon * problem.gradient(z))
        slope = problem.data_gradient(z) + gradient_adjoint(p)
        previous, x = x, z - step * slope
        z = x + (k - 1) / (k + 2) * (x - previous)
        callback(k, x, p)
    return x


def primal_dual(
    problem: Problem,
    x: Tensor,
    iterations: int,
    callback: Callback,
    balance: float = 0.03,
) -> Tensor:
    """Chambolle and Pock's iteration: project the dual variable, take a proximal step in x.

    Source: A. Chambolle and T. Pock, "A first-order primal-dual algorithm for convex problems with
    applications to imaging", J. Math. Imaging Vis. 40, 2011; algorithm 1, and where the data term
    curves in all directions algorithm 2.
    """
    least_curvature = problem.curvature()[0]
    t = balance / problem.tau
    s = 1 / (8 * t)
    p = torch.zeros_like(problem.gradient(x))
    x_bar = x
    for k in range(1, iterations + 1):
        p = problem.project_(problem.gradient(x_bar).mul_(s).add_(p))
        ahead = gradient_adjoint(p).mul_(-t).add_(x)
        previous, x = (
            x,
            data_proximal(ahead, problem.y, problem.H, 1 / (2 * t)),
        )
        theta = 1 / math.sqrt(1 + 2 * least_curvature * t)
        t, s = theta * t, s / theta
        x_bar = torch.lerp(previous, x, 1 + theta)
        callback(k, x, p)
    return x


_SOLVERS: dict[
    str, tuple[Callable[..., Tensor], str]
] = {  # and the name of its option
    "primal-dual": (primal_dual, "balance"),
    "smoothed": (smoothed, "epsilon"),
    "subgradient": (sub_gradient, "step"),
}


def total_variation(
    y: Tensor,
    H: Degradation,
    tau: float,
    *,
    method: Method = "primal-dual",
    isotropic: bool = True,
    wrap: bool = True,
    iterations: int = 300,
    start: Tensor | None = None,
    callback: Callback | None = None,
    **options: float,
) -> Tensor:
    """Return an approximate minimiser of norm(H x - y)^2 + tau * norm(gradient(x))_1.

    Parameters
    ----------
    y
        LR image (..., H, W), float32 or float64, with values in [0, 1] or about.
    H
        The degradation; with a kernel of one pixel and scale 1 this is denoising.
    tau
        Weight of the total variation, above 0.
    method
        ``"primal-dual"`` (Chambolle and Pock), ``"smoothed"`` (accelerated gradient descent on the
        total variation with its kink rounded off) or ``"subgradient"``.
    isotropic, wrap
        As in `Problem`.
    iterations
        How many, at least 1. There is no other rule to stop; `Problem.gap` tells how far it got.
    start
        (..., H * scale, W * scale); by default the Tikhonov solution with the same ``tau``.
    callback
        Called after each iteration with its number (from 1), x and the dual variable p
        (..., 2, H, W), neither to be changed.
    options
        ``balance`` of the primal-dual method: the expected error of a pixel, in its units, which
        sets the ratio of the two step sizes. ``epsilon`` of the smoothed method: differences below
        it count quadratically. ``step`` of sub-gradient descent: the change of a pixel (root mean
        square) in the first iteration.

    Returns
    -------
    Tensor
        (..., H * scale, W * scale); not clipped to [0, 1].

    Raises
    ------
    TypeError, ValueError
        If an argument is not of that kind.
    """
    if method not in _SOLVERS:
        raise ValueError(
            f"The method is {method!r}; it must be one of"
            f" {', '.join(map(repr, _SOLVERS))}."
        )
    iterations = whole_number(iterations, "iterations")
    solve, option = _SOLVERS[method]
    for name, value in options.items():
        if name != option:
            raise TypeError(
                f"The method {method!r} got {name!r}; its only option is"
                f" {option!r}. Leave the other out or take its method."
            )
        if not (math.isfinite(value) and value > 0):
            raise ValueError(
                f"{name} is {value}; it must be finite and above 0."
            )
    problem = Problem(y, H, tau, isotropic, wrap)
    x = tikhonov(y, H, tau) if start is None else start
    wanted = (*y.shape[:-2], H.scale * y.shape[-2], H.scale * y.shape[-1])
    if x.shape != wanted or x.dtype != y.dtype:
        raise ValueError(
            f"The start has the shape {tuple(x.shape)} and the type {x.dtype};"
            f" for this LR image and the scale factor {H.scale} it needs the"
            f" shape {wanted} and the type {y.dtype}."
        )
    return solve(problem, x, iterations, callback or _ignore, **options)


def _ignore(k: int, x: Tensor, p: Tensor) -> None:
    """Take what a solver reports and do nothing."""
