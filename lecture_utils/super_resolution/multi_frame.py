"""Super-resolution from several shifted, noisy frames: the stacked operator, its solution, shifts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lecture_utils.images import whole_number
from lecture_utils.super_resolution.degrade import (
    Degradation,
    check_image,
    gradient_power,
)


@dataclass(frozen=True, eq=False)
class Frames:
    """K cameras that look at one scene: frame k is ``S B T_k x``, with T_k a shift of the scene.

    The shift is periodic and exact for images without frequencies beyond half a cycle a pixel: a
    multiplication by ``exp(-2 pi i f . shift)``. Shifts by whole pixels move the pixels.

    Attributes
    ----------
    H
        The camera, blur B and sub-sampling S, the same for every frame.
    shifts
        (K, 2), how far the scene has moved in each frame, in HR pixels: downwards, to the right.

    Raises
    ------
    TypeError, ValueError
        If the shifts are not a float tensor of that shape, or not finite.
    """

    H: Degradation
    shifts: Tensor

    def __post_init__(self) -> None:
        """Check the shifts."""
        shifts = self.shifts
        if not isinstance(shifts, Tensor) or not shifts.is_floating_point():
            kind = (
                shifts.dtype
                if isinstance(shifts, Tensor)
                else type(shifts).__name__
            )
            raise TypeError(
                f"The shifts are {kind}; frames need a float tensor of shape"
                " (K, 2), in HR pixels."
            )
        if shifts.ndim != 2 or shifts.shape[0] < 1 or shifts.shape[1] != 2:
            raise ValueError(
                f"The shifts have the shape {tuple(shifts.shape)}; frames need"
                " (K, 2), a shift downwards and one to the right for each of"
                " at least one frame."
            )
        if not bool(shifts.isfinite().all()):
            raise ValueError(
                "A shift is not finite; look for NaN where the shifts were"
                " estimated."
            )

    def transfer(self, shape: tuple[int, int]) -> Tensor:
        """Return the factor of each HR frequency in each frame, before it is sub-sampled.

        Parameters
        ----------
        shape
            Height and width of the HR image.

        Returns
        -------
        Tensor
            Complex (K, *shape), in the order of ``torch.fft.fft2``.
        """
        down, right = self.shifts.to(self.H.kernel).unbind(dim=1)
        moved = (
            _phase(down, shape[0])[:, :, None]
            * _phase(right, shape[1])[:, None, :]
        )
        return self.H.transfer(shape) * moved

    def apply(self, x: Tensor) -> Tensor:
        """Return the frames of an HR image, without noise.

        Parameters
        ----------
        x
            (..., H, W), float, height and width multiples of the scale factor.

        Returns
        -------
        Tensor
            (K, ..., H / s, W / s), in the type of ``x``.
        """
        s = self.H.scale
        check_image(x, s)
        spectrum = _between(self.transfer(_size(x)), x) * torch.fft.fft2(
            x.to(self.H.kernel)
        )
        frames: Tensor = torch.fft.ifft2(spectrum).real[..., ::s, ::s]
        return frames.to(x)

    def adjoint(self, ys: Tensor) -> Tensor:
        """Return the transpose of ``apply`` times the frames.

        Parameters
        ----------
        ys
            (K, ..., H, W), float.

        Returns
        -------
        Tensor
            (..., s H, s W), in the type of ``ys``.
        """
        self._check_frames(ys)
        s = self.H.scale
        spread = torch.fft.fft2(ys.to(self.H.kernel)).tile(
            s, s
        )  # zeros between the pixels
        transfer = _between(self.transfer(_size(spread)), ys[0]).conj()
        x: Tensor = torch.fft.ifft2((transfer * spread).sum(dim=0)).real
        return x.to(ys)

    def systems(self, shape: tuple[int, int]) -> Tensor:
        """Return the small systems that the stacked operator falls apart into.

        Sub-sampling by s makes s^2 HR frequencies look the same, so an LR frequency of frame k is
        a sum of s^2 terms; together the frames give K equations in s^2 unknowns for it.

        Parameters
        ----------
        shape
            Height and width of the HR image, multiples of the scale factor.

        Returns
        -------
        Tensor
            Complex (H / s, W / s, K, s^2).
        """
        return aliases(self.transfer(shape), self.H.scale) / self.H.scale**2

    def inverses(self, shape: tuple[int, int], tau: float) -> Tensor:
        """Return what leads from the frames' frequencies to those of the regularised solution.

        Parameters
        ----------
        shape
            Height and width of the HR image, multiples of the scale factor.
        tau
            Weight of the gradient, 0 or more; see `multi_frame`.

        Returns
        -------
        Tensor
            Complex (H / s, W / s, s^2, K).

        Raises
        ------
        ValueError
            If tau is negative, or the equations are singular in spite of it.
        """
        if not (math.isfinite(tau) and tau >= 0):
            raise ValueError(f"tau is {tau}; it must be finite and 0 or more.")
        systems, s = self.systems(shape), self.H.scale
        if tau == 0:
            pseudo: Tensor = torch.linalg.pinv(systems, rtol=1e-9)
            return pseudo
        power = gradient_power(shape).to(self.H.kernel)
        normal = systems.mH @ systems
        normal.diagonal(dim1=-2, dim2=-1).add_(tau / s**2 * aliases(power, s))
        factor, failed = torch.linalg.cholesky_ex(normal)
        if bool(failed.any()):
            raise ValueError(
                f"The normal equations are singular for tau = {tau:.3g}: the"
                " camera hides the mean of the image, or tau is too small"
                " beside the rounding errors. Use tau = 0 or a larger one."
            )
        solution: Tensor = torch.cholesky_solve(systems.mH, factor)
        return solution

    def singular_values(self, shape: tuple[int, int]) -> Tensor:
        """Return the singular values of the stacked operator, grouped by LR frequency.

        Parameters
        ----------
        shape
            Height and width of the HR image, multiples of the scale factor.

        Returns
        -------
        Tensor
            (H / s, W / s, min(K, s^2)), falling along the last axis.
        """
        # s: the transforms of LR and HR images, made unitary, differ by this
        # factor.
        values: Tensor = self.H.scale * torch.linalg.svdvals(
            self.systems(shape)
        )
        return values

    def rank(self, shape: tuple[int, int], rtol: float = 1e-9) -> int:
        """Return the rank of the stacked operator: how many numbers of the HR image it tells.

        Parameters
        ----------
        shape
            Height and width of the HR image, multiples of the scale factor.
        rtol
            Singular values up to ``rtol`` times the largest count as zero.
        """
        values = self.singular_values(shape)
        return int((values > rtol * values.max()).sum())

    def _check_frames(self, ys: Tensor) -> None:
        """Say that frames do not fit the shifts."""
        check_image(ys)
        if ys.ndim < 3 or len(ys) != len(self.shifts):
            raise ValueError(
                f"The frames have the shape {tuple(ys.shape)} and there are"
                f" {len(self.shifts)} shifts; they need (K, ..., H, W) with"
                " one shift a frame."
            )


def multi_frame(
    ys: Tensor, shifts: Tensor, H: Degradation, tau: float
) -> Tensor:
    """Return the minimiser of sum_k norm(S B T_k x - y_k)^2 + tau * norm(gradient(x))^2.

    One system of s^2 equations is solved for each LR frequency, all at once, in the type and on the
    device of the kernel. With one frame that is not shifted this is ``solvers.tikhonov``.

    Source: R. Y. Tsai and T. S. Huang, "Multiframe image restoration and registration", Advances in
    Computer Vision and Image Processing 1, 1984, for the systems; the weight tau is ours.

    Parameters
    ----------
    ys
        (K, ..., H, W), float: the frames; axes between the first and the last two are images of
        their own (colours, scenes) that share the shifts.
    shifts
        (K, 2), float, in HR pixels; see `Frames`.
    H
        The camera, whose kernel must not sum to zero.
    tau
        Weight of the gradient, 0 or more. With 0 the result is the least-squares solution of
        smallest norm.

    Returns
    -------
    Tensor
        (..., s H, s W), in the type of ``ys``.

    Raises
    ------
    TypeError, ValueError
        If frames, shifts or tau are not of that kind.
    """
    frames = Frames(H, shifts)
    frames._check_frames(ys)
    inverse = frames.inverses(
        (H.scale * ys.shape[-2], H.scale * ys.shape[-1]), tau
    )
    spectrum = torch.fft.fft2(ys.to(H.kernel))
    right_hand = spectrum.reshape(len(ys), -1, *ys.shape[-2:]).permute(
        2, 3, 0, 1
    )
    x = torch.fft.ifft2(_unalias(inverse @ right_hand, H.scale)).real
    result: Tensor = x.reshape(*ys.shape[1:-2], *x.shape[-2:]).to(ys)
    return result


def noise_gain(
    shifts: Tensor, H: Degradation, tau: float, shape: tuple[int, int]
) -> float:
    """Return by how much ``multi_frame`` multiplies the standard deviation of white noise.

    Parameters
    ----------
    shifts, H, tau
        As for `multi_frame`.
    shape
        Height and width of the HR image, multiples of the scale factor.

    Returns
    -------
    float
        Standard deviation in the HR image, root mean square over its pixels, for 1 in the frames.
    """
    inverse = Frames(H, shifts).inverses(shape, tau)
    return float(inverse.abs().square().sum().sqrt()) / (
        H.scale * math.sqrt(math.prod(shape))
    )


def aliases(spectrum: Tensor, scale: int) -> Tensor:
    """Return the HR frequencies of each LR frequency beside each other.

    Parameters
    ----------
    spectrum
        (..., H, W), in the order of ``torch.fft.fft2``, height and width multiples of ``scale``.
    scale
        Scale factor s.

    Returns
    -------
    Tensor
        (H / s, W / s, ..., s^2).
    """
    *rest, height, width = spectrum.shape
    parts = spectrum.reshape(-1, scale, height // scale, scale, width // scale)
    parts = parts.permute(2, 4, 0, 1, 3)
    return parts.reshape(height // scale, width // scale, *rest, scale**2)


def estimate_shifts(ys: Tensor, scale: int, *, upsample: int = 100) -> Tensor:
    """Return how far the scene has moved in each frame since the first, by phase correlation.

    The peak of the phase correlation of two frames is found to a pixel and then to 1 / ``upsample``
    pixel, by scikit-image.

    Source: M. Guizar-Sicairos, S. T. Thurman and J. R. Fienup, "Efficient subpixel image
    registration algorithms", Opt. Lett. 33(2), 2008.

    Parameters
    ----------
    ys
        (K, ..., H, W), float: the frames; over axes in the middle (colours) the mean is taken.
    scale
        Scale factor s.
    upsample
        Steps a pixel of a frame is divided into, at least 1.

    Returns
    -------
    Tensor
        (K, 2), float64, in HR pixels, as `Frames` takes them; the first is zero.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of that kind, or a frame is constant.
    """
    from skimage.registration import phase_cross_correlation

    check_image(ys)
    scale = whole_number(scale, "The scale factor")
    upsample = whole_number(upsample, "upsample")
    if ys.ndim < 3:
        raise ValueError(
            f"The frames have the shape {tuple(ys.shape)}; the estimate needs"
            " (K, ..., H, W)."
        )
    images = (
        ys.detach()
        .cpu()
        .double()
        .reshape(len(ys), -1, *ys.shape[-2:])
        .mean(dim=1)
        .numpy()
    )
    flat = [k for k, y in enumerate(images) if y.min() == y.max()]
    if flat:
        raise ValueError(
            f"Frame {flat[0]} has one value everywhere; nothing in it shows a"
            " shift. Leave it out."
        )
    # scikit-image returns the way back: the shift that would bring the frame
    # onto the first one.
    back = [
        phase_cross_correlation(images[0], y, upsample_factor=upsample)[0]
        for y in images
    ]
    return torch.from_numpy(-scale * np.stack(back))


def refine_shifts(
    ys: Tensor, shifts: Tensor, H: Degradation, tau: float, *, rounds: int = 10
) -> Tensor:
    """Improve estimated shifts by turns: solve for the image, then move each frame to fit it.

    Each round solves for x with the shifts as they are, and then takes one Gauss-Newton step for
    the shift of each frame. Only differences of shifts can be seen: the first shift stays.

    Source: R. C. Hardie, K. J. Barnard and E. E. Armstrong, "Joint MAP registration and
    high-resolution image estimation using a sequence of undersampled images", IEEE Trans. Image
    Process. 6(12), 1997, who search on a grid of shifts where this takes a Gauss-Newton step.

    Parameters
    ----------
    ys, shifts, H, tau
        As for `multi_frame`, tau above 0; the shifts are the start, right to within a pixel or so.
    rounds
        How often, 0 or more.

    Returns
    -------
    Tensor
        (K, 2), float64, in HR pixels.
    """
    rounds = whole_number(rounds, "rounds", least=0)
    Frames(H, shifts)._check_frames(ys)
    s = H.scale
    shifts = shifts.clone().double()
    shape = (s * ys.shape[-2], s * ys.shape[-1])
    rows = torch.fft.fftfreq(
        shape[0], dtype=torch.float64, device=H.kernel.device
    )[:, None]
    columns = torch.fft.fftfreq(
        shape[1], dtype=torch.float64, device=H.kernel.device
    )
    for _ in range(rounds):
        x = multi_frame(ys, shifts, H, tau).to(H.kernel)
        frames = Frames(H, shifts)
        residual = (ys.to(H.kernel) - frames.apply(x)).flatten(1)
        moved = _between(frames.transfer(shape), x) * torch.fft.fft2(x)
        slopes = torch.stack(
            [
                torch.fft.ifft2(-2j * math.pi * frequency * moved)
                .real[..., ::s, ::s]
                .flatten(1)
                for frequency in (rows, columns)
            ],
            dim=-1,
        )
        step = (
            torch.linalg.lstsq(slopes, residual[..., None])
            .solution[..., 0]
            .to(shifts)
        )
        # All frames step, and then the scene is moved so that the first is
        # where it was. To hold the first and move the others takes several
        # times the rounds to correct an error of the first.
        shifts = shifts + step - step[0]
    return shifts


def _phase(offsets: Tensor, size: int) -> Tensor:
    """Return (K, size): the factors of the frequencies of a signal that moves by each offset."""
    frequency = torch.fft.fftfreq(
        size, dtype=offsets.dtype, device=offsets.device
    )
    factor = torch.exp(-2j * math.pi * offsets[:, None] * frequency)
    if size % 2 == 0:
        # +1/2 and -1/2 cycle a pixel share a place, and a real signal stays
        # real.
        factor[:, size // 2] = torch.cos(math.pi * offsets).to(factor)
    return factor


def _unalias(parts: Tensor, scale: int) -> Tensor:
    """Return (N, H, W) from (H / s, W / s, s^2, N)."""
    height, width = parts.shape[:2]
    spread = parts.reshape(height, width, scale, scale, -1).permute(
        4, 2, 0, 3, 1
    )
    return spread.reshape(-1, scale * height, scale * width)


def _between(transfer: Tensor, image: Tensor) -> Tensor:
    """Return (K, H, W) with axes for those that an image (..., H, W) has before its last two."""
    return transfer.reshape(
        len(transfer), *(1,) * (image.ndim - 2), *transfer.shape[1:]
    )


def _size(image: Tensor) -> tuple[int, int]:
    return image.shape[-2], image.shape[-1]
