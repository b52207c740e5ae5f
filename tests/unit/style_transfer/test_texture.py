"""Statistics of features: what Gram matrices fix, what they leave open, and what other losses see."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from lecture_utils.style_transfer.plots import texture as plots
from lecture_utils.style_transfer.texture import (
    gram_matrix,
    random_directions,
    random_phase,
    sliced_wasserstein,
    style_distance,
)


def features(seed=0, shape=(1, 5, 6, 7)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 3),
    c=st.integers(1, 6),
    h=st.integers(1, 5),
    w=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_the_gram_matrix_is_the_mean_of_products(n, c, h, w, seed):
    x = features(seed, (n, c, h, w))
    found = gram_matrix(x)
    expected = np.einsum("nahw,nbhw->nab", x.numpy(), x.numpy()) / (h * w)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)
    torch.testing.assert_close(found, found.transpose(1, 2))
    assert float(torch.linalg.eigvalsh(found).min()) > -1e-10
    moved = x.flatten(2)[:, :, torch.randperm(h * w)].reshape(x.shape)
    torch.testing.assert_close(gram_matrix(moved), found)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_gram_matrix_has_its_derivatives(layout):
    """Against differences, also of functions that treat (m, n) and (n, m) differently."""
    x = features(3, (2, 3, 2, 4)).contiguous(memory_format=layout).requires_grad_()
    assert torch.autograd.gradcheck(gram_matrix, x)
    assert torch.autograd.gradgradcheck(gram_matrix, x)
    weights = features(4, (2, 3, 3))
    (found,) = torch.autograd.grad((weights * gram_matrix(x)).sum(), x)
    plain = torch.einsum("nahw,nbhw->nab", x, x) / 8
    (expected,) = torch.autograd.grad((weights * plain).sum(), x)
    torch.testing.assert_close(found, expected)


def test_gram_matrices_of_images_of_different_sizes_can_be_compared():
    x = features()
    torch.testing.assert_close(gram_matrix(x.repeat(1, 1, 3, 2)), gram_matrix(x))


def test_the_distance_of_equal_statistics_is_zero_and_layers_weigh_alike():
    x = {"a": features(1), "b": 100 * features(2)}
    grams = {name: gram_matrix(h) for name, h in x.items()}
    assert float(style_distance(x, grams)) == 0
    twice = {name: 2 * h for name, h in x.items()}  # Gram matrices four times as large
    assert float(style_distance(twice, grams)) == pytest.approx(9)
    only_a = style_distance({"a": twice["a"], "b": x["b"]}, grams, {"a": 1, "b": 3})
    assert float(only_a) == pytest.approx(9 / 4)


def test_equal_gram_matrices_with_unequal_histograms_are_told_apart():
    """One channel with values +-1, and one with 0 and +-sqrt(2): equal second moments."""
    coin = torch.tensor([-1.0, 1.0, -1.0, 1.0]).double().reshape(1, 1, 2, 2)
    rare = torch.tensor([-(2**0.5), 0.0, 0.0, 2**0.5]).double().reshape(1, 1, 2, 2)
    torch.testing.assert_close(gram_matrix(coin), gram_matrix(rare))
    direction = torch.ones(1, 1).double()
    assert float(sliced_wasserstein(coin, rare, direction)) > 0.1
    assert float(sliced_wasserstein(coin, coin.flip(-1), direction)) == 0


def test_in_one_dimension_it_bounds_scipys_distance():
    x, y = features(3, (1, 1, 8, 8)), 0.5 * features(4, (1, 1, 8, 8)) + 1
    found = float(sliced_wasserstein(x, y, torch.ones(1, 1).double()))
    first = wasserstein_distance(x.flatten().numpy(), y.flatten().numpy())
    assert first**2 <= found + 1e-12  # W_1 <= W_2
    sorted_squares = (x.flatten().sort().values - y.flatten().sort().values).square().mean()
    assert found == pytest.approx(float(sorted_squares))


def test_sizes_may_differ():
    x = features(5, (2, 4, 8, 8))
    directions = random_directions(6, 4, torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(6).double())
    small = sliced_wasserstein(x, x[:1], directions)
    large = sliced_wasserstein(x[:1], x[:1].repeat(1, 1, 2, 2), directions)
    assert float(large) < 0.02 * float(small)


def test_random_phase_keeps_mean_and_spectrum():
    texture = 0.5 + 0.1 * features(6, (1, 3, 32, 32))
    generator = torch.Generator().manual_seed(1)
    made = torch.cat([random_phase(texture, (32, 32), generator) for _ in range(400)])
    torch.testing.assert_close(made.mean((0, 2, 3)), texture.mean((0, 2, 3)), atol=5e-3, rtol=0)
    centred = texture - texture.mean((2, 3), keepdim=True)
    wanted = torch.fft.fft2(centred).abs().square()
    power = torch.fft.fft2(made - made.mean((2, 3), keepdim=True)).abs().square().mean(0)
    inner = (slice(None), slice(1, None), slice(1, None))
    assert float((power[inner] / wanted[0][inner]).mean()) == pytest.approx(1, abs=0.02)
    larger = random_phase(texture, (48, 64), generator)
    assert larger.shape == (1, 3, 48, 64)
    with pytest.raises(ValueError, match="at least as large"):
        random_phase(texture, (16, 64), generator)


def test_the_drawing_of_histograms_shows_each_law_picture_and_response():
    laws = {"low": torch.linspace(0, 1, 1000), "high": torch.linspace(0, 4, 1000)}
    pictures = {name: np.full((8, 8, 3), 128, np.uint8) for name in ("a", "b", "c")}
    responses = {name: torch.rand(64) for name in pictures}
    fig = plots.histograms(laws, pictures, responses, "a note")
    titles = {ax.get_title() for ax in fig.axes if ax.get_title()}
    assert titles == {*laws, *pictures}
    (drawn,) = fig.axes[0].images
    assert np.allclose(np.sort(drawn.get_array().ravel())[[0, -1]], [0, 1])  # all quantiles
    curves = [line for ax in fig.axes for line in ax.lines]
    assert [line.get_label() for line in curves] == [*laws, *pictures]
    assert all((np.diff(line.get_ydata()) >= 0).all() for line in curves)
    plt.close(fig)
