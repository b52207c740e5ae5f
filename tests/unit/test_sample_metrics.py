"""Distances of sets of images: closed forms, torchmetrics, scikit-learn, and repeated draws."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torchmetrics.image.kid import KernelInceptionDistance

from lecture_utils import start
from lecture_utils.sample_metrics import (
    FeatureSpace,
    feature_space,
    kernel_distance,
    nearest,
    pairwise_distance,
    precision_recall,
)


def normal(n, d, seed, mean=0.0):
    return mean + torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


class Flat(torch.nn.Module):
    num_features = 12

    def forward(self, images):
        return images.flatten(1).float()


def test_kernel_distance_is_that_of_torchmetrics_class():
    x, y = (torch.randint(256, (60, 3, 2, 2), dtype=torch.uint8) for _ in range(2))
    theirs = KernelInceptionDistance(feature=Flat(), subsets=1, subset_size=60)
    theirs.update(y, real=True)
    theirs.update(x, real=False)
    ours = kernel_distance(x.flatten(1).float(), y.flatten(1).float(), groups=5).value
    assert ours == pytest.approx(float(theirs.compute()[0]), rel=1e-4)


def test_kernel_distance_is_the_double_sum_of_the_paper():
    x, y = normal(11, 4, 0).double(), normal(11, 4, 1, 0.5).double()
    n, d = x.shape

    def kernel(a, b):
        return (float(a @ b) / d + 1) ** 3

    within = sum(kernel(z[i], z[j]) for z in (x, y) for i in range(n) for j in range(n) if i != j)
    between = sum(kernel(a, b) for a in x for b in y)
    value = within / (n * (n - 1)) - 2 * between / n**2
    assert kernel_distance(x, y, groups=5).value == pytest.approx(value, rel=1e-10)


def test_kernel_distance_of_two_normal_laws_has_its_closed_form():
    """In one dimension the kernel (xy + 1)^3 compares the first three moments."""
    delta = 0.8
    # Moments of N(delta, 1) less those of N(0, 1), weighted by the binomial coefficients.
    exact = 3 * delta**2 + 3 * (delta**2) ** 2 + (delta**3 + 3 * delta) ** 2
    found = kernel_distance(normal(2000, 1, 2, delta), normal(2000, 1, 3))
    assert abs(found.value - exact) < 4 * found.error
    assert found.error < 0.15 * exact


@pytest.mark.parametrize("mean", [0.0, 0.5])
def test_the_standard_error_is_the_spread_of_repeated_estimates(mean):
    found = [
        kernel_distance(normal(100, 8, 2 * i + 1000, mean), normal(100, 8, 2 * i + 1001))
        for i in range(150)
    ]
    spread = np.std([estimate.value for estimate in found])
    assert np.sqrt(np.mean([e.error**2 for e in found])) == pytest.approx(spread, rel=0.3)


def test_of_one_distribution_the_kernel_distance_is_negative_half_of_the_time():
    values = [kernel_distance(normal(100, 8, 2 * i), normal(100, 8, 2 * i + 1)) for i in range(60)]
    negative = sum(value.value < 0 for value in values)
    assert 15 < negative < 50
    assert abs(np.mean([v.value for v in values])) < 3 * values[0].error


def test_precision_and_recall_are_those_of_balls_drawn_one_by_one():
    samples, real = normal(40, 3, 4, 0.7), normal(40, 3, 5)

    def share(points, centres, k=3):
        balls = NearestNeighbors(n_neighbors=k + 1).fit(centres.numpy())
        radii = balls.kneighbors(centres.numpy())[0][:, -1]
        hits = [
            any(np.linalg.norm(p - c) <= r for c, r in zip(centres.numpy(), radii, strict=True))
            for p in points.numpy()
        ]
        return np.mean(hits)

    found = precision_recall(samples, real)
    assert found.precision == pytest.approx(share(samples, real))
    assert found.recall == pytest.approx(share(real, samples))


def test_a_generator_of_one_half_has_full_precision_and_half_the_recall():
    near, far = normal(100, 2, 6), normal(100, 2, 7, 100.0)
    real = torch.cat([near, far])
    samples = torch.cat([near, near + 1e-3])
    found = precision_recall(samples, real)
    assert found.precision == 1
    assert found.recall == pytest.approx(0.5, abs=0.05)
    assert precision_recall(real, real) == (1, 1)
    assert precision_recall(near, far) == (0, 0)


def test_nearest_finds_itself_only_where_it_may():
    x = normal(30, 5, 8)
    distances, indices = nearest(x, x)
    assert float(distances.max()) < 1e-5
    assert indices.tolist() == list(range(30))
    distances, indices = nearest(x, x, same=True)
    tree = NearestNeighbors(n_neighbors=2).fit(x.numpy()).kneighbors(x.numpy())
    assert np.allclose(distances, tree[0][:, 1], atol=1e-5)
    assert indices.tolist() == tree[1][:, 1].tolist()


def test_nearest_takes_images_and_more_than_one_part():
    images = torch.rand(2003, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    _, indices = nearest(images, images, same=True)
    others = torch.cdist(images.flatten(1), images.flatten(1)).fill_diagonal_(9)
    assert (indices == others.argmin(1)).float().mean() > 0.999


def test_pairwise_distance_of_a_simplex_is_its_edge():
    assert pairwise_distance(torch.eye(6)) == pytest.approx(2**0.5, abs=1e-6)


def test_a_space_of_features_sees_images_as_they_are_written():
    space = FeatureSpace("pixels", lambda images: images.flatten(1))
    given = torch.tensor([-0.1, 0.5, 1.2]).view(1, 3, 1, 1)
    assert torch.allclose(space(given), torch.tensor([[0, 128 / 255, 1]]))
    assert space(torch.rand(5, 1, 2, 2), batch=2).shape == (5, 12)
    for wrong in (torch.rand(3, 4, 4), torch.rand(1, 2, 4, 4), 255 * torch.rand(1, 3, 4, 4)):
        with pytest.raises(ValueError, match=r"needs|must lie"):
            space(wrong)


def test_in_profile_ci_the_space_is_a_random_network_s_and_says_so():
    run = start(profile="ci", device="cpu", quiet=True)
    space = feature_space(run)
    assert "random" in space.name
    assert "32 px" in space.name
    images = torch.rand(3, 3, 64, 64)
    features = space(images)
    assert features.shape == (3, 1280)
    assert torch.equal(features, feature_space(run)(images))
    assert pairwise_distance(features) > 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: kernel_distance(torch.rand(40, 3), torch.rand(41, 3)), "of one size"),
        (lambda: kernel_distance(torch.rand(30, 3), torch.rand(30, 3)), "two groups"),
        (lambda: precision_recall(torch.rand(3, 2), torch.rand(3, 2)), "more than"),
        (lambda: nearest(torch.rand(3, 2), torch.rand(3, 4)), "must agree"),
        (lambda: pairwise_distance(torch.rand(1, 2)), "needs two"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()
