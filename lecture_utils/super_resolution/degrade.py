"""The camera model H = SB: blur and sub-sampling with a periodic border, and its adjoint.

The sections on the inverse problem need an operator with an adjoint. ``Degradation`` blurs and
sub-samples with a periodic border, so that the Fourier transform takes it apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lecture_utils.images import floating, whole_number
from lecture_utils.kept import Kept


@dataclass(frozen=True, eq=False)
class Degradation:
    """The camera model H = SB: blur by a kernel, then one pixel kept in ``scale``, periodic border.

    B convolves: pixel i of the blurred image is the sum over j of ``kernel[centre + j] * x[i - j]``
    with the centre at index ``size // 2`` of each axis. The image continues periodically, so B is a
    multiplication in the Fourier domain. S keeps the pixels 0, s, 2s, ... of rows and columns: with
    a kernel of odd size, LR pixel k lies on HR pixel s k. (The half-pixel grid of ``imresize`` puts
    it (s - 1)/2 HR pixels further.)

    Source: the lecture's section "Super-resolution: linear inverse problem".

    Attributes
    ----------
    kernel
        The point spread function, float, (rows, columns), best of odd size. It sums to one if the
        camera keeps the brightness. Do not change it in place: its transform is kept, for the size
        in use and for others in up to 64 MB.
    scale
        Scale factor s, a whole number of at least 1; with 1 the operator is the blur alone.

    Raises
    ------
    TypeError, ValueError
        If kernel or scale factor is not of that kind.
    """

    kernel: Tensor
    scale: int
    _kept: Kept = field(
        default_factory=lambda: Kept(limit=64_000_000), init=False, repr=False
    )

    def __post_init__(self) -> None:
        """Check both attributes."""
        kernel = self.kernel
        if not isinstance(kernel, Tensor) or not kernel.is_floating_point():
            kind = (
                kernel.dtype
                if isinstance(kernel, Tensor)
                else type(kernel).__name__
            )
            raise TypeError(
                f"The kernel is {kind}; a degradation needs a float tensor of"
                " shape (k, k). gaussian_kernel and box_kernel make one."
            )
        if (
            kernel.ndim != 2
            or 0 in kernel.shape
            or not bool(kernel.isfinite().all())
        ):
            raise ValueError(
                f"The kernel has shape {tuple(kernel.shape)}; a degradation"
                " needs (k, k) with at least one element, all of them finite."
            )
        scale = whole_number(self.scale, "The scale factor")
        object.__setattr__(self, "scale", scale)

    def apply(self, x: Tensor) -> Tensor:
        """Return ``H x``: blur, then sub-sample.

        Parameters
        ----------
        x
            (..., H, W), float32 or float64, height and width multiples of ``scale``.

        Returns
        -------
        Tensor
            (..., H / scale, W / scale).
        """
        check_image(x, self.scale)
        return self._apply(x)

    def _apply(self, x: Tensor) -> Tensor:
        b = self._half_transfer(x)
        blurred: Tensor = torch.fft.irfft2(
            b * torch.fft.rfft2(x), s=x.shape[-2:]
        )
        return blurred[..., :: self.scale, :: self.scale]

    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``H^T y``: put zeros between the pixels, then correlate with the kernel.

        Parameters
        ----------
        y
            (..., H, W), float32 or float64.

        Returns
        -------
        Tensor
            (..., H * scale, W * scale).
        """
        check_image(y)
        s = self.scale
        spread = y.new_zeros(*y.shape[:-2], s * y.shape[-2], s * y.shape[-1])
        spread[..., ::s, ::s] = y
        b = self._half_transfer(spread)
        x: Tensor = torch.fft.irfft2(
            b.conj() * torch.fft.rfft2(spread), s=spread.shape[-2:]
        )
        return x

    def transfer(self, shape: tuple[int, int]) -> Tensor:
        """Return the transfer function of B: the factor of each frequency of an HR image.

        Parameters
        ----------
        shape
            Height and width of the HR image, in pixels. A kernel that is larger wraps around.

        Returns
        -------
        Tensor
            Complex, ``shape``, in the order of ``torch.fft.fft2``; not to be changed in place.
        """

        def make() -> Tensor:
            rows, columns = (
                (torch.arange(k, device=self.kernel.device) - k // 2) % n
                for k, n in zip(self.kernel.shape, shape, strict=True)
            )
            centred = self.kernel.new_zeros(shape)
            places = (
                rows[:, None].expand_as(self.kernel),
                columns.expand_as(self.kernel),
            )
            centred = centred.index_put(places, self.kernel, True)
            spectrum: Tensor = torch.fft.fft2(centred)
            return spectrum

        return self._kept(tuple(shape), "transfer", make)

    def power(self, shape: tuple[int, int]) -> Tensor:
        """Return by how much B changes the power of each frequency: abs(transfer)^2.

        Parameters
        ----------
        shape
            Height and width of the HR image, in pixels.

        Returns
        -------
        Tensor
            Real, not negative, ``shape``; not to be changed in place.
        """
        return self._kept(
            tuple(shape), "power", lambda: self.transfer(shape).abs().square()
        )

    def gram_transfer(self, shape: tuple[int, int]) -> Tensor:
        """Return the transfer function of ``H H^T``, which is a convolution of LR images.

        Sub-sampling adds up the s^2 frequencies that look the same on the LR grid (aliases), so the
        factor of an LR frequency is the mean of abs(transfer)^2 over its aliases. These are the
        squared singular values of H.

        Parameters
        ----------
        shape
            Height and width of the HR image, multiples of ``scale``.

        Returns
        -------
        Tensor
            Real, not negative, ``shape`` / scale; not to be changed in place.
        """
        return self._kept(
            tuple(shape), "gram", lambda: fold(self.power(shape), self.scale)
        )

    def matrix(self, shape: tuple[int, int]) -> Tensor:
        """Return H as a matrix, for images so small that it fits.

        Parameters
        ----------
        shape
            Height and width of the HR image, multiples of ``scale``.

        Returns
        -------
        Tensor
            (H * W / scale^2, H * W) in the kernel's type; pixels count row by row.

        Raises
        ------
        ValueError
            If the image has more than 4096 pixels.
        """
        n = shape[0] * shape[1]
        if n > 4096:
            raise ValueError(
                f"The matrix for an image of {shape[0]} x {shape[1]} has"
                f" {n // self.scale**2} x {n} entries; at most 4096 columns"
                " are made. Use apply and adjoint."
            )
        unit_images = torch.eye(
            n, dtype=self.kernel.dtype, device=self.kernel.device
        )
        # So many images of a few columns would be taken for channels last.
        return self._apply(unit_images.reshape(n, *shape)).reshape(n, -1).T

    def _half_transfer(self, image: Tensor) -> Tensor:
        """Return the transfer function in the order of ``rfft2``, in an image's type, beside it."""
        height, width = image.shape[-2:]

        def make() -> Tensor:
            half = self.transfer((height, width))[:, : width // 2 + 1]
            # A copy: a part of the transfer function would hold all of it.
            return half.to(image.device, image.dtype.to_complex(), copy=True)

        return self._kept((height, width), (image.dtype, image.device), make)


def fold(spectrum: Tensor, scale: int) -> Tensor:
    """Return the mean over the ``scale``^2 frequencies that coincide on the LR grid.

    The transform of the sub-sampled image is the folded transform of the image.

    Parameters
    ----------
    spectrum
        (..., H, W), in the order of ``torch.fft.fft2``, height and width multiples of ``scale``.
    scale
        Scale factor s, a whole number of at least 1.

    Returns
    -------
    Tensor
        (..., H / scale, W / scale).
    """
    height, width = spectrum.shape[-2:]
    rows = spectrum.reshape(
        *spectrum.shape[:-2], scale, height // scale, width
    ).mean(dim=-3)
    return rows.reshape(*rows.shape[:-1], scale, width // scale).mean(dim=-2)


def gaussian_kernel(sigma: float, radius: int | None = None) -> Tensor:
    """Return a Gaussian point spread function, sampled at the pixels.

    Parameters
    ----------
    sigma
        Standard deviation in HR pixels, above 0.
    radius
        Pixels on each side of the centre; by default 4 sigma, rounded up.

    Returns
    -------
    Tensor
        float64, (2 radius + 1, 2 radius + 1), sums to 1.

    Raises
    ------
    ValueError
        If ``sigma`` is not above 0 or ``radius`` is negative.
    """
    if not (math.isfinite(sigma) and sigma > 0):
        raise ValueError(
            f"sigma is {sigma}; a Gaussian needs a finite standard deviation"
            " above 0."
        )
    if radius is None:
        radius = math.ceil(4 * sigma)
    if radius < 0:
        raise ValueError(
            f"The radius is {radius}; a kernel needs 0 or more pixels on each"
            " side."
        )
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float64)
    weights = torch.exp(-0.5 * (offsets / sigma).square())
    weights /= weights.sum()
    return torch.outer(weights, weights)


def box_kernel(size: int) -> Tensor:
    """Return the point spread function of a square photo-receptor: equal weights.

    Parameters
    ----------
    size
        Side in HR pixels, at least 1. With an even side the centre of the square lies half a pixel
        before the pixel that counts as the kernel's centre.

    Returns
    -------
    Tensor
        float64, (size, size), sums to 1.

    Raises
    ------
    ValueError
        If ``size`` is not a whole number of at least 1.
    """
    size = whole_number(size, "The side of the box")
    return torch.full((size, size), 1 / size**2, dtype=torch.float64)


def gradient(x: Tensor) -> Tensor:
    """Return the differences of each pixel to the next one below and to the right, periodic.

    Parameters
    ----------
    x
        (..., H, W), float.

    Returns
    -------
    Tensor
        (..., 2, H, W): first along the columns (downwards), then along the rows (to the right).

    Raises
    ------
    TypeError, ValueError
        If it is not a float tensor, or its axes are in another order.
    """
    floating(x, "gradient")
    return torch.stack(
        (x.roll(-1, dims=-2).sub_(x), x.roll(-1, dims=-1).sub_(x)), dim=-3
    )


def gradient_adjoint(p: Tensor) -> Tensor:
    """Return the adjoint of ``gradient``, which is minus a divergence.

    Parameters
    ----------
    p
        (..., 2, H, W), float.

    Returns
    -------
    Tensor
        (..., H, W).

    Raises
    ------
    ValueError
        If the third axis from the end does not have two entries.
    """
    if p.ndim < 3 or p.shape[-3] != 2:
        raise ValueError(
            f"gradient_adjoint got the shape {tuple(p.shape)}; it needs (...,"
            " 2, H, W), as gradient returns it."
        )
    down, right = p.unbind(dim=-3)
    return (
        down.roll(1, dims=-2)
        .sub_(down)
        .add_(right.roll(1, dims=-1))
        .sub_(right)
    )


def gradient_power(shape: tuple[int, int]) -> Tensor:
    """Return by how much the gradient amplifies the power of each frequency: 4 sin^2 + 4 sin^2.

    It is the transfer function of ``gradient_adjoint(gradient(x))``, and zero for the constant.

    Parameters
    ----------
    shape
        Height and width of the image.

    Returns
    -------
    Tensor
        float64, ``shape``, in the order of ``torch.fft.fft2``, from 0 to 8.
    """
    vertical, horizontal = (
        4
        * torch.sin(
            math.pi * torch.arange(n, dtype=torch.float64) / n
        ).square()
        for n in shape
    )
    return vertical[:, None] + horizontal


def check_image(image: Tensor, scale: int = 1) -> None:
    """Say what is wrong with an image that a Fourier transform and a sub-sampling will meet.

    Raises
    ------
    TypeError
        If it is not a tensor of float32 or float64.
    ValueError
        If its axes are in another order, or its sides are not multiples of the scale factor.
    """
    floating(image, "The operator", transforms=True)
    height, width = image.shape[-2:]
    if height % scale or width % scale:
        raise ValueError(
            f"The image has {height} x {width} pixels, and the scale factor is"
            f" {scale}; both sides must be multiples of it. modcrop cuts them."
        )
