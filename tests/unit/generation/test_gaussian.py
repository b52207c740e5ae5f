"""The Gaussian model against NumPy, SciPy and scikit-learn, and its properties."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.stats import kstest, multivariate_normal

from lecture_utils import data
from lecture_utils.generation.faces import face_crops
from lecture_utils.generation.gaussian import (
    DECOMPOSE,
    GaussianModel,
    kurtosis,
    standardised_differences,
    uncorrelated_pairs,
)

METHODS = list(DECOMPOSE)


def images(count: int, *shape: int, seed: int = 0) -> torch.Tensor:
    """Return random images whose pixels depend on one another."""
    generator = torch.Generator().manual_seed(seed)
    pixels = math.prod(shape)
    mixing = torch.randn(pixels, pixels, generator=generator, dtype=torch.float64)
    white = torch.rand(count, pixels, generator=generator, dtype=torch.float64)
    return (white @ mixing).unflatten(1, shape)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [4, 30])
def test_fit_is_the_eigendecomposition_of_numpys_covariance(method, count):
    x = images(count, 3, 4)
    model = GaussianModel.fit(x, method)
    flat = x.flatten(1).numpy()
    covariance = np.cov(flat, rowvar=False, bias=True)
    values, vectors = np.linalg.eigh(covariance)
    rank = min(count - 1, 12)
    assert model.rank == rank == np.linalg.matrix_rank(covariance)
    np.testing.assert_allclose(model.mean.flatten(), flat.mean(0), atol=1e-13)
    np.testing.assert_allclose(model.eigenvalues, values[::-1][:rank], rtol=1e-9)
    scalar_products = np.abs(vectors[:, ::-1][:, :rank].T @ model.eigenvectors.numpy())
    np.testing.assert_allclose(scalar_products, np.eye(rank), atol=1e-7)
    assert model.total_variance == pytest.approx(np.trace(covariance), rel=1e-12)
    assert model.residual_variance == 0


@pytest.mark.parametrize("method", METHODS)
def test_fit_agrees_with_scikit_learn(method):
    from sklearn.decomposition import PCA

    x = images(40, 5, 5)
    model = GaussianModel.fit(x, method, components=6)
    reference = PCA(n_components=6, svd_solver="full").fit(x.flatten(1).numpy())
    unbiased = 40 / 39  # scikit-learn divides by N - 1
    np.testing.assert_allclose(model.eigenvalues * unbiased, reference.explained_variance_)
    np.testing.assert_allclose(model.shares, reference.explained_variance_ratio_)
    np.testing.assert_allclose(
        model.residual_variance * unbiased, reference.noise_variance_, rtol=1e-9
    )
    signs = np.sign((model.eigenvectors.numpy() * reference.components_.T).sum(0))
    np.testing.assert_allclose(
        model.eigenvectors.numpy() * signs, reference.components_.T, atol=1e-8
    )


@pytest.mark.parametrize("method", METHODS)
def test_log_likelihood_agrees_with_scikit_learns_probabilistic_pca(method):
    from sklearn.decomposition import PCA

    x = images(40, 5, 5)
    model = GaussianModel.fit(x, method).truncate(6)
    reference = PCA(n_components=6, svd_solver="full").fit(x.flatten(1).numpy())
    # Scale the reference's covariance, which divides by N - 1, to this model's.
    covariance = reference.get_covariance() * 39 / 40
    expected = multivariate_normal.logpdf(x.flatten(1).numpy(), reference.mean_, covariance)
    np.testing.assert_allclose(model.log_likelihood(x), expected, rtol=1e-8)


def test_log_likelihood_with_full_rank_agrees_with_scipy():
    x = images(200, 3, 4)
    model = GaussianModel.fit(x)
    flat = x.flatten(1).numpy()
    expected = multivariate_normal.logpdf(flat, flat.mean(0), np.cov(flat.T, bias=True))
    np.testing.assert_allclose(model.log_likelihood(x), expected, rtol=1e-8)


def test_the_residual_variance_maximises_the_likelihood():
    x = images(60, 4, 4)
    model = GaussianModel.fit(x).truncate(5)
    best = float(model.log_likelihood(x).mean())
    for factor in (0.9, 1.1):
        dropped = model.total_variance - float(model.eigenvalues.sum())
        other = replace(model, total_variance=model.total_variance + (factor - 1) * dropped)
        assert other.residual_variance == pytest.approx(factor * model.residual_variance)
        assert float(other.log_likelihood(x).mean()) < best


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(2, 12),
    height=st.integers(1, 4),
    width=st.integers(2, 4),
    seed=st.integers(0, 2**16),
    method=st.sampled_from(METHODS),
)
def test_properties_of_every_fit(count, height, width, seed, method):
    x = images(count, height, width, seed=seed)
    model = GaussianModel.fit(x, method)
    k = model.rank
    assert 1 <= k <= min(count - 1, height * width)
    torch.testing.assert_close(
        model.eigenvectors.T @ model.eigenvectors, torch.eye(k, dtype=torch.float64),
        atol=1e-5, rtol=0,
    )  # fmt: skip
    assert bool((model.eigenvalues.diff() <= 1e-12).all())
    assert float(model.shares.sum()) == pytest.approx(1, abs=1e-9)
    # Codes of the training images have mean 0 and covariance Id; decoding returns the images.
    codes = model.encode(x)
    torch.testing.assert_close(model.decode(codes), x, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(codes.mean(0), torch.zeros(k).double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(
        codes.T @ codes / count, torch.eye(k).double(), atol=1e-5, rtol=0
    )  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16), data=st.data())
def test_mean_squared_error_is_the_sum_of_the_dropped_eigenvalues(seed, data):
    x = images(15, 4, 5, seed=seed)
    model = GaussianModel.fit(x)
    k = data.draw(st.integers(1, model.rank))
    truncated = model.truncate(k)
    error = (truncated.decode(truncated.encode(x)) - x).square().flatten(1).sum(1).mean()
    assert float(error) == pytest.approx(float(model.eigenvalues[k:].sum()), rel=1e-6, abs=1e-9)
    assert truncated.residual_variance == pytest.approx(float(error) / (20 - k), rel=1e-6, abs=1e-9)


def test_the_three_methods_agree_to_rounding():
    x = images(10, 6, 6)
    models = [GaussianModel.fit(x, method) for method in METHODS]
    for model in models[1:]:
        torch.testing.assert_close(model.eigenvalues, models[0].eigenvalues, rtol=1e-9, atol=0)
        torch.testing.assert_close(model.eigenvectors, models[0].eigenvectors, rtol=0, atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_repeated_images_lower_the_rank(method):
    x = images(5, 4, 4)
    assert GaussianModel.fit(torch.cat([x, x, x]), method).rank == 4


@pytest.mark.parametrize("method", METHODS)
def test_keeping_components_is_truncating(method):
    x = images(12, 4, 4)
    kept, truncated = GaussianModel.fit(x, method, 3), GaussianModel.fit(x, method).truncate(3)
    torch.testing.assert_close(kept.eigenvectors, truncated.eigenvectors)
    assert kept.residual_variance == pytest.approx(truncated.residual_variance, rel=1e-9)


def test_samples_have_the_fitted_moments_and_gaussian_marginals():
    x = images(50, 2, 3)
    model = GaussianModel.fit(x)
    samples = model.sample(40_000, torch.Generator().manual_seed(3)).flatten(1).numpy()
    covariance = np.cov(x.flatten(1).numpy().T, bias=True)
    spread = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(
        (samples.mean(0) - x.flatten(1).mean(0).numpy()) / spread, 0, atol=0.02
    )
    np.testing.assert_allclose(
        (np.cov(samples.T) - covariance) / np.outer(spread, spread), 0, atol=0.03
    )
    for pixel in range(6):
        standardised = (samples[:, pixel] - float(model.mean.flatten()[pixel])) / spread[pixel]
        assert kstest(standardised, "norm").pvalue > 1e-3


def test_the_same_generator_gives_the_same_samples():
    model = GaussianModel.fit(images(9, 3, 3))
    first, second, other = (
        model.sample(4, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_the_network_is_the_decoder():
    model = GaussianModel.fit(images(9, 3, 4, 4)).truncate(5)
    codes = torch.randn(7, 5, dtype=torch.float64)
    network = model.network()
    assert network(codes).shape == (7, 3, 4, 4)
    torch.testing.assert_close(network(codes), model.decode(codes))
    assert sum(p.numel() for p in network.parameters()) == 48 * 5 + 48


def test_stored_tensors_give_nearly_the_same_model():
    model = GaussianModel.fit(images(30, 8, 8) / 20).truncate(10)
    loaded = GaussianModel.from_tensors({k: t.float() for k, t in model.tensors().items()})
    codes = torch.randn(20, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    difference = (loaded.decode(codes) - model.decode(codes)).square().mean().sqrt()
    spread = (model.decode(codes) - model.mean).square().mean().sqrt()
    assert difference < 1e-3 * spread
    assert loaded.residual_variance == pytest.approx(model.residual_variance, rel=1e-4)
    assert model.tensors()["eigenvectors"].dtype == torch.float16


def test_a_singular_covariance_has_no_density():
    model = GaussianModel.fit(images(5, 4, 4))
    with pytest.raises(ValueError, match=r"rank 4 in 16 dimensions.*truncate\(k\)"):
        model.log_likelihood(images(5, 4, 4))


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (torch.zeros(1, 3, 3), ValueError, r"\(1, 3, 3\).*at least N = 2"),
        (torch.zeros(5), ValueError, r"\(5,\)"),
        (torch.ones(4, 3, 3), ValueError, "4 images are all equal"),
        (torch.zeros(4, 3, 3, dtype=torch.uint8), TypeError, "uint8.*divide by 255"),
        (torch.full((3, 2, 2), math.nan), ValueError, "not a number"),
    ],
)
def test_fit_refuses_what_no_gaussian_can_be_fitted_to(bad, error, message):
    with pytest.raises(error, match=message):
        GaussianModel.fit(bad)


def test_shapes_that_do_not_fit_are_named():
    model = GaussianModel.fit(images(9, 3, 3))
    with pytest.raises(ValueError, match=r"\(2, 4, 4\).*\(N, 3, 3\)"):
        model.encode(torch.zeros(2, 4, 4))
    with pytest.raises(ValueError, match=r"\(2, 3\).*must be 8"):
        model.decode(torch.zeros(2, 3))
    for components in (0, 9):
        with pytest.raises(ValueError, match="from 1 to 8"):
            model.truncate(components)
    with pytest.raises(ValueError, match="covariance, gram, svd"):
        GaussianModel.fit(images(9, 3, 3), "qr")
    with pytest.raises(ValueError, match="0 components"):
        GaussianModel.fit(images(9, 3, 3), components=0)


def test_differences_are_standardised_at_each_place():
    x = images(500, 3, 6)
    standardised = standardised_differences(x)
    assert standardised.shape == (500, 3, 5)
    torch.testing.assert_close(standardised.mean(0), torch.zeros(3, 5).double())
    torch.testing.assert_close(standardised.square().mean(0), torch.ones(3, 5).double())
    constant = torch.zeros(4, 3, 3)
    assert bool((standardised_differences(constant) == 0).all())


def test_kurtosis_tells_a_gaussian_from_heavier_tails():
    rng = np.random.default_rng(0)
    gaussian = torch.from_numpy(rng.normal(size=200_000))
    laplacian = torch.from_numpy(rng.laplace(scale=2**-0.5, size=200_000))  # variance 1
    assert kurtosis(gaussian) == pytest.approx(3, abs=0.05)
    assert kurtosis(laplacian) == pytest.approx(6, abs=0.3)


def test_the_differences_of_gaussian_images_are_gaussian():
    model = GaussianModel.fit(images(40, 4, 4))
    samples = model.sample(20_000, torch.Generator().manual_seed(0))
    assert kurtosis(standardised_differences(samples)) == pytest.approx(3, abs=0.05)


def test_pairs_are_uncorrelated_and_independent_for_a_gaussian():
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(12, 12, generator=generator, dtype=torch.float64)
    draws = torch.randn(50_000, 12, generator=generator, dtype=torch.float64) @ mixing
    draws = draws - draws.mean(0)
    standardised = (draws / draws.std(0, correction=0)).reshape(-1, 4, 3)
    assert float((standardised[:, :2] * standardised[:, 2:]).mean(0).abs().max()) > 0.2
    a, b = uncorrelated_pairs(standardised, 2)
    assert a.shape == b.shape == (50_000, 2, 3)
    assert torch.equal(a, standardised[:, :2])
    torch.testing.assert_close((a * b).mean(0), torch.zeros(2, 3).double(), atol=1e-9, rtol=0)
    torch.testing.assert_close(
        (a * b).square().mean(0), torch.ones(2, 3).double(), atol=0.1, rtol=0
    )


def test_pairs_with_a_common_contrast_are_uncorrelated_but_not_independent():
    generator = torch.Generator().manual_seed(0)
    contrast, a, b = torch.randn(3, 100_000, 1, 1, generator=generator, dtype=torch.float64)
    a, b = uncorrelated_pairs(torch.cat([contrast.abs() * a, contrast.abs() * b], dim=1), 1)
    # E[a^2 b^2] = E[contrast^4] = 3, where independent numbers give 1.
    assert float((a * b).square().mean()) == pytest.approx(3, abs=0.3)


def test_face_crops_keep_the_face_and_refuse_other_shapes():
    aligned = np.zeros((3, 109, 89, 3), np.uint8)
    aligned[:, 22:94, 8:80] = 255
    crops = face_crops(aligned)
    assert crops.shape == (3, 3, 64, 64)
    torch.testing.assert_close(crops, torch.ones(3, 3, 64, 64))  # none of the black border
    assert face_crops(aligned, 32).shape == (3, 3, 32, 32)
    for wrong in (aligned[:, :50], aligned.astype(float)):
        with pytest.raises(ValueError, match=r"uint8 of shape \(N, 109, 89, 3\)"):
            face_crops(wrong)


def test_the_recipe_makes_the_checkpoint_that_it_says(monkeypatch):
    from lecture_utils import start
    from lecture_utils.recipes.generation import gaussian_celeba64 as recipe

    rng = np.random.default_rng(0)
    smooth = 0.5 + gaussian_filter(rng.normal(size=(240, 109, 89, 3)), (0, 3, 3, 0))
    names = ["Eyeglasses", "Male", "Smiling"]
    attributes = rng.random((1000, 3)) < 0.5
    monkeypatch.setattr(
        data, "celeba_10k", lambda limit=None, run=None: (255 * smooth.clip(0, 1)).astype(np.uint8)
    )
    monkeypatch.setattr(data, "celeba_10k_attributes", lambda run=None: (names, attributes))
    result = recipe.train(start(profile="ci", quiet=True), Path("unused"), False)

    model = GaussianModel.from_tensors(result.tensors)
    assert model.rank == recipe.COMPONENTS
    assert model.mean.shape == (3, 64, 64)
    assert result.settings["images"] == 228
    assert result.settings["held_out"] == 12
    assert result.tensors["mean_codes"].shape == (8, recipe.COMPONENTS)
    # Codes of the training images have mean square 1, up to the stored half precision.
    assert result.metrics["real_squared_radius_mean"] == pytest.approx(recipe.COMPONENTS, rel=1e-2)
    for kind in ("real", "samples"):  # the images of this test are Gaussian
        assert result.metrics[f"{kind}_kurtosis"] == pytest.approx(3, abs=0.15)
        assert result.metrics[f"{kind}_product_of_squares"] == pytest.approx(1, abs=0.1)
    assert int(result.tensors["radius.real"].sum()) == 228
    assert int(result.tensors["histogram.real"].sum()) == 228 * 64 * 63
    smiling_women = ~attributes[:240, 0] & ~attributes[:240, 1] & attributes[:240, 2]
    assert result.settings["groups"]["smiling woman"] == smiling_women.sum()


def test_the_shipped_model_of_faces_is_what_its_record_says():
    from lecture_utils import checkpoints
    from lecture_utils.metrics import luminance

    tensors, record = checkpoints.load("gaussian_celeba64")
    model = GaussianModel.from_tensors(tensors)
    assert checkpoints.verify("gaussian_celeba64").stat().st_size < 4_000_000
    assert record.profile == "full"
    assert record.settings["images"] == 9500
    torch.testing.assert_close(
        model.eigenvectors.T @ model.eigenvectors, torch.eye(150).double(), atol=2e-4, rtol=0
    )
    assert float(model.shares.sum()) == pytest.approx(record.metrics["variance_share"], abs=1e-4)
    mean_face = float(model.log_likelihood(model.mean[None])) / model.mean.numel()
    assert mean_face == pytest.approx(record.metrics["mean_face_nats_per_value"], abs=1e-4)
    samples = model.sample(300, torch.Generator().manual_seed(5))
    differences = standardised_differences(luminance(samples))
    assert kurtosis(differences) == pytest.approx(record.metrics["samples_kurtosis"], abs=0.1)
    assert record.metrics["real_kurtosis"] > 8


@pytest.mark.data
@pytest.mark.skipif(
    data.find("celeba_10k") is None, reason="NOT RUN: CelebA is not in LECTURE_DATA_DIR"
)
def test_the_shipped_model_fits_the_faces_of_its_crop():
    from lecture_utils import checkpoints

    tensors, record = checkpoints.load("gaussian_celeba64")
    model = GaussianModel.from_tensors(tensors)
    faces = face_crops(data.celeba_10k(limit=200)).double()
    codes = model.encode(faces)
    assert float(codes.square().sum(1).mean()) == pytest.approx(150, rel=0.1)
    error = (model.decode(codes) - faces).square().flatten(1).mean(1)
    psnr = float((-10 * error.log10()).mean())
    assert psnr == pytest.approx(record.metrics["held_out_psnr"], abs=0.5)
