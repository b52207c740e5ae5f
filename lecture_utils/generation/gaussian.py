"""The Gaussian model of images: the simplest generator with an explicit density.

Section "Gaussian model" of the book derives every formula. The eigenvectors of the covariance are
the eigenfaces of Turk and Pentland (1991); the density with its residual variance is probabilistic
principal component analysis, Tipping and Bishop (1999).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

Method = Literal["covariance", "gram", "svd"]


def eigen_by_covariance(
    centred: Tensor, components: int
) -> tuple[Tensor, Tensor]:
    """Decompose the n x n covariance itself.

    Parameters
    ----------
    centred
        N images as rows, less their mean, shape (N, n).
    components
        How many eigenvectors to return, k.

    Returns
    -------
    tuple of Tensor
        The leading eigenvalues of the covariance, largest first, shape (k,), and their eigenvectors
        as columns, shape (n, k).
    """
    eigenvalues, eigenvectors = torch.linalg.eigh(
        centred.T @ centred / len(centred)
    )
    return (
        eigenvalues.flip(0)[:components],
        eigenvectors.flip(1)[:, :components],
    )


def eigen_by_gram(centred: Tensor, components: int) -> tuple[Tensor, Tensor]:
    """Decompose the N x N matrix of the images' scalar products; see `eigen_by_covariance`."""
    eigenvalues, weights = torch.linalg.eigh(
        centred @ centred.T / len(centred)
    )
    eigenvalues = eigenvalues.flip(0)[:components]
    weights = weights.flip(1)[:, :components]
    return (
        eigenvalues,
        centred.T @ weights / (len(centred) * eigenvalues).sqrt(),
    )


def eigen_by_svd(centred: Tensor, components: int) -> tuple[Tensor, Tensor]:
    """Decompose the data matrix, without any product of it; see `eigen_by_covariance`."""
    _, singular_values, rows = torch.linalg.svd(centred, full_matrices=False)
    return (
        singular_values[:components] ** 2 / len(centred),
        rows[:components].T,
    )


DECOMPOSE: dict[Method, Callable[[Tensor, int], tuple[Tensor, Tensor]]] = {
    "covariance": eigen_by_covariance,
    "gram": eigen_by_gram,
    "svd": eigen_by_svd,
}


@dataclass(frozen=True)
class GaussianModel:
    """A Gaussian distribution of images: x = mu + E Lambda^(1/2) z with z ~ N(0, Id_k).

    All tensors are in double precision, on the CPU.

    Attributes
    ----------
    mean
        mu, in the shape of one image.
    eigenvectors
        E: orthonormal columns, shape (n, k), n being the number of values in an image.
    eigenvalues
        The diagonal of Lambda: variances along the eigenvectors, largest first, shape (k,).
    total_variance
        The trace of the covariance, whatever k is, so that shares of it stay true.
    """

    mean: Tensor
    eigenvectors: Tensor
    eigenvalues: Tensor
    total_variance: float

    @classmethod
    def fit(
        cls,
        images: Tensor,
        method: Method = "svd",
        components: int | None = None,
    ) -> GaussianModel:
        """Estimate the mean and the eigendecomposition of the covariance (dividing by N).

        Parameters
        ----------
        images
            Floating point, shape (N, ...) with N >= 2; any range.
        method
            ``covariance`` (n x n matrix), ``gram`` (N x N matrix) or ``svd`` (no product).
        components
            How many leading eigenvectors to keep; without it, all whose eigenvalue is not zero.

        Raises
        ------
        ValueError
            If there are fewer than two images, a value is not finite, all images are equal, or the
            method or the number of components is not one that there is.
        TypeError
            If the images hold integers.
        """
        _check_images(images)
        largest_rank = min(len(images) - 1, images[0].numel())
        components = largest_rank if components is None else components
        if method not in DECOMPOSE or not 1 <= components <= largest_rank:
            raise ValueError(
                f"Asked for {components} components by the method {method!r}."
                f" These images allow 1 to {largest_rank} components; the"
                f" methods are {', '.join(DECOMPOSE)}."
            )
        mean = images.mean(0, dtype=torch.float64)
        centred = (images - mean).flatten(1)
        eigenvalues, eigenvectors = DECOMPOSE[method](centred, components)
        # Where images repeat one another, some eigenvalues are zero but for
        # rounding.
        rounding = (
            max(centred.shape)
            * torch.finfo(torch.float64).eps
            * eigenvalues[0]
        )
        kept = eigenvalues > rounding
        eigenvalues, eigenvectors = eigenvalues[kept], eigenvectors[:, kept]
        # An eigenvector is defined up to its sign: make its largest entry
        # positive.
        largest = eigenvectors.abs().argmax(0, keepdim=True)
        eigenvectors = eigenvectors * eigenvectors.gather(0, largest).sign()
        total_variance = float(centred.square().sum()) / len(images)
        return cls(mean, eigenvectors, eigenvalues, total_variance)

    @property
    def rank(self) -> int:
        """k, the number of eigenvectors that are kept."""
        return len(self.eigenvalues)

    @property
    def shares(self) -> Tensor:
        """The share of the total variance along each eigenvector, shape (k,)."""
        return self.eigenvalues / self.total_variance

    @property
    def residual_variance(self) -> float:
        """sigma^2: the variance that was dropped, spread evenly over the other n - k directions."""
        others = self.mean.numel() - self.rank
        dropped = self.total_variance - float(self.eigenvalues.sum())
        # Rounding alone can leave some 1e-16 of the total where nothing was
        # dropped.
        return (
            dropped / others
            if others and dropped > 1e-12 * self.total_variance
            else 0.0
        )

    def truncate(self, components: int) -> GaussianModel:
        """Keep the leading eigenvectors; the total variance stays what it was."""
        if not 1 <= components <= self.rank:
            raise ValueError(
                f"Asked for {components} components of a model that has"
                f" {self.rank}. Choose a number from 1 to {self.rank}."
            )
        return replace(
            self,
            eigenvectors=self.eigenvectors[:, :components],
            eigenvalues=self.eigenvalues[:components],
        )

    def encode(self, images: Tensor) -> Tensor:
        """Return the latent codes z = Lambda^(-1/2) E^T (x - mu), shape (N, k)."""
        return (
            self._centre(images) @ self.eigenvectors / self.eigenvalues.sqrt()
        )

    def decode(self, codes: Tensor) -> Tensor:
        """Return the images x = mu + E Lambda^(1/2) z of codes of shape (N, k)."""
        if codes.shape[-1] != self.rank:
            raise ValueError(
                f"The codes have shape {tuple(codes.shape)}; their last"
                f" dimension must be {self.rank}, one number for each"
                " eigenvector of this model."
            )
        images = (
            codes.double() * self.eigenvalues.sqrt()
        ) @ self.eigenvectors.T
        return self.mean + images.reshape(*codes.shape[:-1], *self.mean.shape)

    def sample(
        self, count: int, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draw images, shape (count, ...); they are not clipped to any range."""
        codes = torch.randn(
            count, self.rank, generator=generator, dtype=torch.float64
        )
        return self.decode(codes)

    def log_likelihood(self, images: Tensor) -> Tensor:
        """Return log p(x) in nats for each image, shape (N,).

        The covariance is E Lambda E^T + sigma^2 (Id_n - E E^T), with the residual variance sigma^2.

        Raises
        ------
        ValueError
            If the covariance is singular: fewer eigenvectors than pixels and no residual variance.
        """
        self._check_density()
        pixels, variance = self.mean.numel(), self.residual_variance
        centred = self._centre(images)
        along = centred @ self.eigenvectors
        distance = (along**2 / self.eigenvalues).sum(-1)
        log_determinant = float(self.eigenvalues.log().sum())
        if self.rank < pixels:
            outside = centred - along @ self.eigenvectors.T
            distance = distance + (outside**2).sum(-1) / variance
            log_determinant += (pixels - self.rank) * math.log(variance)
        return -0.5 * (
            distance + log_determinant + pixels * math.log(2 * math.pi)
        )

    def network(self) -> nn.Sequential:
        """Return the same generator as a network: one linear layer, then the image's shape."""
        layer = nn.Linear(self.rank, self.mean.numel(), dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(self.eigenvectors * self.eigenvalues.sqrt())
            layer.bias.copy_(self.mean.flatten())
        return nn.Sequential(layer, nn.Unflatten(-1, self.mean.shape))

    def tensors(self) -> dict[str, Tensor]:
        """Return what to store: large tensors as float16, which costs 1e-3 of a grey level."""
        return {
            "mean": self.mean.half(),
            "eigenvectors": self.eigenvectors.half(),
            "eigenvalues": self.eigenvalues.float(),
            "total_variance": torch.tensor(
                self.total_variance, dtype=torch.float32
            ),
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> GaussianModel:
        """Make a model of the tensors of a checkpoint; see `tensors`."""
        return cls(
            mean=tensors["mean"].double(),
            eigenvectors=tensors["eigenvectors"].double(),
            eigenvalues=tensors["eigenvalues"].double(),
            total_variance=float(tensors["total_variance"]),
        )

    def _check_density(self) -> None:
        """Raise a sentence if the covariance is singular."""
        if self.rank < self.mean.numel() and self.residual_variance == 0:
            raise ValueError(
                f"The covariance has rank {self.rank} in {self.mean.numel()}"
                " dimensions, so it has no density. Use truncate(k) with a"
                " smaller k: the variance that it drops fills the other"
                " directions."
            )

    def _centre(self, images: Tensor) -> Tensor:
        """Return the images less the mean, one row each, shape (N, n)."""
        if images.shape[1:] != self.mean.shape:
            raise ValueError(
                f"The images have shape {tuple(images.shape)}; this model"
                f" needs (N, {', '.join(map(str, self.mean.shape))})."
            )
        return (images.double() - self.mean).flatten(1)


def standardised_differences(images: Tensor, margin: float = 1e-12) -> Tensor:
    """Return differences of horizontal neighbours, brought to mean 0 and variance 1 at each place.

    If the images follow a Gaussian, then so does each of these numbers: N(0, 1), to within the
    error of the mean and variance that are estimated from the images themselves.

    Parameters
    ----------
    images
        Shape (N, ..., H, W) with N >= 2.
    margin
        Added to the variance, so that a difference that never changes gives zero.
    """
    differences = images.double().diff(dim=-1)
    differences = differences - differences.mean(0)
    return differences / (differences.square().mean(0) + margin).sqrt()


def kurtosis(standardised: Tensor) -> float:
    """Return the mean fourth power of numbers of mean 0 and variance 1; 3 for a Gaussian."""
    return float(standardised.double().pow(4).mean())


def uncorrelated_pairs(
    standardised: Tensor, distance: int
) -> tuple[Tensor, Tensor]:
    """Pair each number with what it does not predict of the one ``distance`` rows below.

    The second number b is replaced by (b - rho a) / sqrt(1 - rho^2), with the correlation rho at
    each place. If the images follow a Gaussian, the two are independent.

    Parameters
    ----------
    standardised
        Numbers of mean 0 and variance 1 at each place, shape (N, ..., H, W).
    distance
        How many rows lie between the two, from 1 to H - 1.

    Returns
    -------
    tuple of Tensor
        Both of shape (N, ..., H - distance, W).
    """
    a, b = standardised[..., :-distance, :], standardised[..., distance:, :]
    rho = (a * b).mean(0)
    return a, (b - rho * a) / (1 - rho**2).clamp_min(1e-12).sqrt()


def _check_images(images: Tensor) -> None:
    """Raise a sentence if no Gaussian can be fitted to these images."""
    if not images.is_floating_point():
        raise TypeError(
            f"The images are {images.dtype}; they must be floating point. "
            "For bytes, divide by 255 first."
        )
    if images.ndim < 2 or len(images) < 2:
        raise ValueError(
            f"The images have shape {tuple(images.shape)}; a covariance needs"
            " (N, ...) with at least N = 2 images."
        )
    if not bool(images.isfinite().all()):
        raise ValueError(
            "Some values of the images are infinite or not a number. Remove"
            " them."
        )
    if bool((images == images[0]).all()):
        raise ValueError(
            f"The {len(images)} images are all equal, so there is no variance"
            " to model. Give images that differ."
        )
