"""Solvers for the linear inverse problem ``y = H x + noise``: from an LR image to an HR image."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from lecture_utils.images import whole_number
from lecture_utils.super_resolution.degrade import (
    Degradation,
    check_image,
    fold,
    gradient,
    gradient_adjoint,
    gradient_power,
)


class LinearOperator(Protocol):
    """What an iterative solver asks of H: the product with it and with its transpose."""

    def apply(self, x: Tensor, /) -> Tensor:
        """Return ``H x``."""

    def adjoint(self, y: Tensor, /) -> Tensor:
        """Return ``H^T y``."""


def conjugate_gradients(
    apply: Callable[[Tensor], Tensor],
    b: Tensor,
    *,
    tolerance: float,
    max_iterations: int,
    callback: Callable[[int, Tensor, float], None] | None = None,
) -> Tensor:
    """Solve ``A x = b`` for a symmetric positive definite A of which only products are known.

    Source: M. R. Hestenes and E. Stiefel, "Methods of conjugate gradients for solving linear
    systems", J. Res. Nat. Bur. Stand. 49(6), 1952. The start is x = 0.

    Parameters
    ----------
    apply
        The product with A: takes and returns a tensor with the shape of ``b``.
    b
        Right-hand side, float, any shape; the whole of it is one vector.
    tolerance
        Stop once norm(b - A x) <= tolerance * norm(b), with the residual that the iteration
        carries along. 0 asks for all iterations.
    max_iterations
        At most so many products with A.
    callback
        Called after each iteration with its number (from 1), x (not to be changed) and
        norm(b - A x) / norm(b).

    Returns
    -------
    Tensor
        x, with the shape of ``b``.

    Raises
    ------
    ValueError
        If A turns out not to be positive definite, or an argument is out of range.

    Warns
    -----
    RuntimeWarning
        If ``max_iterations`` were not enough for a positive tolerance.
    """
    max_iterations = whole_number(max_iterations, "max_iterations")
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise ValueError(
            f"The tolerance is {tolerance}; conjugate gradients need a finite"
            " tolerance of 0 or more."
        )
    x = torch.zeros_like(b)
    residual = b.clone()
    direction = residual
    power = start = float(residual.square().sum())
    if power == 0:
        return x
    for iteration in range(1, max_iterations + 1):
        product = apply(direction)
        curvature = float((direction * product).sum())
        if not curvature > 0:
            raise ValueError(
                f"p^T A p is {curvature:.3g} for a direction p; conjugate"
                " gradients need a symmetric positive definite A. For least"
                " squares pass the product with H^T H, and check that the"
                " adjoint belongs to H."
            )
        step = power / curvature
        x = x + step * direction
        residual = residual - step * product
        power, last = float(residual.square().sum()), power
        if callback is not None:
            callback(iteration, x, math.sqrt(power / start))
        if power <= tolerance**2 * start:
            return x
        direction = residual + (power / last) * direction
    if tolerance > 0:
        warnings.warn(
            f"Conjugate gradients stopped after {max_iterations} iterations at"
            f" the relative residual {math.sqrt(power / start):.1e}, above the"
            f" tolerance {tolerance:.1e}. Allow more iterations, or a larger"
            " tolerance.",
            RuntimeWarning,
            stacklevel=2,
        )
    return x


def tikhonov(y: Tensor, H: Degradation, tau: float) -> Tensor:
    """Return the minimiser of norm(H x - y)^2 + tau * norm(gradient(x))^2, in closed form.

    In the Fourier domain the normal equations fall apart into one system for each LR frequency,
    with the s^2 HR frequencies that are its aliases as unknowns, and the matrix of each system is a
    diagonal plus a matrix of rank one.

    Source: N. Zhao et al., "Fast single image super-resolution using a new analytical solution for
    l2-l2 problems", IEEE Trans. Image Process. 25(8), 2016.

    Parameters
    ----------
    y
        LR image (..., H, W), float32 or float64.
    H
        The degradation; its kernel must not sum to zero.
    tau
        Weight of the gradient, above 0.

    Returns
    -------
    Tensor
        (..., H * scale, W * scale).

    Raises
    ------
    TypeError, ValueError
        If the image or ``tau`` is not of that kind, or if H hides the mean of the image.
    """
    check_image(y)
    _check_weight("tau", tau)
    s = H.scale
    shape = (s * y.shape[-2], s * y.shape[-1])
    b, g = (
        H.transfer(shape),
        gradient_power(shape).to(H.kernel.dtype).to(H.kernel.device),
    )
    if abs(complex(b[0, 0])) < 1e-12:
        raise ValueError(
            "The kernel sums to zero, so the LR image does not tell the mean"
            " of the HR image, and neither does the gradient. Give a kernel"
            " with another sum."
        )
    g[0, 0] = 1  # in the place of 0: the mean is set by itself below
    share = fold(H.power(shape) / g, s)
    half = (
        shape[1] // 2 + 1
    )  # x is real, so half of its frequencies tell the other half
    ratio = b[:, :half].conj() / g[:, :half]
    ratio, share = (
        ratio.to(y.dtype.to_complex()).to(y.device),
        share.to(y.dtype).to(y.device),
    )

    spectrum = torch.fft.fft2(y)
    estimate = ratio * (spectrum / (tau + share)).tile(s, s)[..., :half]
    # The constant has no gradient: it is fitted exactly, and its aliases have
    # nothing left to do.
    estimate[..., :: y.shape[-2], :: y.shape[-1]] = 0
    estimate[..., 0, 0] = s**2 * spectrum[..., 0, 0] / complex(b[0, 0])
    x: Tensor = torch.fft.irfft2(estimate, s=shape)
    return x


def tikhonov_cg(
    y: Tensor,
    H: LinearOperator,
    tau: float,
    *,
    tolerance: float = 1e-8,
    max_iterations: int = 10_000,
    callback: Callable[[int, Tensor, float], None] | None = None,
) -> Tensor:
    """Return the same minimiser as ``tikhonov`` by conjugate gradients, for any linear H.

    Parameters
    ----------
    y
        What was observed, in the form that ``H.apply`` returns.
    H
        Anything with ``apply`` and ``adjoint``.
    tau
        Weight of the gradient, above 0.
    tolerance, max_iterations, callback
        As in ``conjugate_gradients``.

    Returns
    -------
    Tensor
        (..., H, W), the shape of ``H.adjoint(y)``.

    Raises
    ------
    ValueError
        If ``tau`` is not above 0.
    """
    _check_weight("tau", tau)

    def normal(x: Tensor) -> Tensor:
        return H.adjoint(H.apply(x)) + tau * gradient_adjoint(gradient(x))

    return conjugate_gradients(
        normal,
        H.adjoint(y),
        tolerance=tolerance,
        max_iterations=max_iterations,
        callback=callback,
    )


def pseudo_inverse(
    y: Tensor, H: Degradation, *, rtol: float | None = None
) -> Tensor:
    """Return ``H^+ y = H^T (H H^T)^+ y``, the least-squares solution of smallest norm.

    H H^T is a convolution of LR images, so its pseudo-inverse is a division in their Fourier domain.

    Parameters
    ----------
    y
        LR image (..., H, W), float32 or float64.
    H
        The degradation.
    rtol
        Singular values up to ``rtol`` times the largest count as zero. By default the number of HR
        pixels times the resolution of the image's type, as in ``torch.linalg.pinv``.

    Returns
    -------
    Tensor
        (..., H * scale, W * scale).

    Raises
    ------
    TypeError, ValueError
        If the image is not of that kind or ``rtol`` is negative.
    """
    check_image(y)
    shape = (H.scale * y.shape[-2], H.scale * y.shape[-1])
    if rtol is None:
        rtol = shape[0] * shape[1] * torch.finfo(y.dtype).eps
    if not (math.isfinite(rtol) and rtol >= 0):
        raise ValueError(
            f"rtol is {rtol}; the pseudo-inverse needs a finite number of 0 or"
            " more."
        )
    power = H.gram_transfer(shape)
    kept = power > rtol**2 * power.max()
    inverse = torch.where(kept, 1 / power, 0).to(y.dtype).to(y.device)
    return H.adjoint(torch.fft.ifft2(inverse * torch.fft.fft2(y)).real)


def data_proximal(v: Tensor, y: Tensor, H: Degradation, rho: float) -> Tensor:
    """Return the minimiser of norm(H x - y)^2 + rho * norm(x - v)^2, in closed form.

    It is ``v + H^T (H H^T + rho)^-1 (y - H v)``; H H^T is a convolution of LR images, so the inverse
    is a division in their Fourier domain. (Check: the gradient, H^T(H x - y) + rho (x - v), is zero.)

    Source: N. Zhao et al., "Fast single image super-resolution using a new analytical solution for
    l2-l2 problems", IEEE Trans. Image Process. 25(8), 2016.

    Parameters
    ----------
    v
        (..., H, W), float32 or float64, the point that the result stays close to.
    y
        (..., H / scale, W / scale), the LR image, in the type of ``v``.
    H
        The degradation.
    rho
        Weight of the distance to ``v``, above 0.

    Returns
    -------
    Tensor
        (..., H, W).

    Raises
    ------
    TypeError, ValueError
        If the images do not fit H and each other, or ``rho`` is not above 0.
    """
    check_image(v, H.scale)
    check_image(y)
    _check_weight("rho", rho)
    height, width = v.shape[-2:]
    if y.shape[-2:] != (height // H.scale, width // H.scale):
        raise ValueError(
            f"y has the shape {tuple(y.shape)} and v {tuple(v.shape)}; with"
            f" scale factor {H.scale}, y needs {height // H.scale} rows and"
            f" {width // H.scale} columns."
        )
    if (
        H.scale == 1 and H.kernel.numel() == 1
    ):  # denoising: a mean of y and v, pixel by pixel
        factor = float(H.kernel)
        total = factor**2 + rho
        return torch.add(y * (factor / total), v, alpha=rho / total)
    power = H.gram_transfer((height, width)).to(v.dtype).to(v.device)
    missing = torch.fft.fft2(y - H.apply(v)) / (power + rho)
    # The transform of a real image is known from half of its columns.
    half = missing.tile(H.scale, H.scale // 2 + 1)[..., : width // 2 + 1]
    step: Tensor = torch.fft.irfft2(
        H._half_transfer(v).conj() * half, s=(height, width)
    )
    return v + step


def _check_weight(name: str, value: float) -> None:
    """Say that a weight is not above zero."""
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} is {value}; it must be finite and above 0.")
