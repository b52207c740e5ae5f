"""H = SB, the gradient and their adjoints, against sums written out, SciPy and dense matrices."""

import itertools
import math

import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lecture_utils.resize import keys_kernel
from lecture_utils.super_resolution.degrade import (
    Degradation,
    box_kernel,
    fold,
    gaussian_kernel,
    gradient,
    gradient_adjoint,
    gradient_power,
)

pytestmark = pytest.mark.filterwarnings("error")


def noise(*shape, seed=1, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def by_the_sums(kernel, scale, shape):
    """H entry by entry from its definition: row of the LR pixel, column of the HR pixel."""
    (height, width), (rows, columns) = shape, kernel.shape
    matrix = np.zeros((height // scale * (width // scale), height * width))
    lr_pixels = itertools.product(range(0, height, scale), range(0, width, scale))
    for m, (i, j) in enumerate(lr_pixels):
        for a, b in itertools.product(range(rows), range(columns)):
            p, q = (i - (a - rows // 2)) % height, (j - (b - columns // 2)) % width
            matrix[m, p * width + q] += float(kernel[a, b])
    return matrix


@pytest.mark.parametrize("scale, shape", [(1, (5, 4)), (2, (6, 8)), (3, (9, 6)), (4, (8, 4))])
@pytest.mark.parametrize("size", [(1, 1), (3, 3), (2, 2), (3, 4), (5, 11)])
def test_the_matrix_is_the_convolution_sum_for_any_kernel_also_one_that_wraps(scale, shape, size):
    kernel = noise(*size)
    h = Degradation(kernel, scale)
    expected = by_the_sums(kernel, scale, shape)
    np.testing.assert_allclose(h.matrix(shape).numpy(), expected, atol=1e-13)
    x = noise(2, *shape)
    np.testing.assert_allclose(
        h.apply(x).reshape(2, -1).numpy(), x.reshape(2, -1).numpy() @ expected.T, atol=1e-12
    )
    y = noise(3, expected.shape[0])
    lr_shape = (3, shape[0] // scale, shape[1] // scale)
    np.testing.assert_allclose(
        h.adjoint(y.reshape(lr_shape)).reshape(3, -1).numpy(), y.numpy() @ expected, atol=1e-12
    )


@settings(deadline=None)
@given(
    rows=st.integers(1, 7),
    columns=st.integers(1, 7),
    scale=st.integers(1, 5),
    kernel=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    seed=st.integers(0, 2**31 - 1),
)
def test_the_dot_products_of_h_and_its_adjoint_agree(rows, columns, scale, kernel, seed):
    h = Degradation(noise(*kernel, seed=seed), scale)
    x = noise(2, rows * scale, columns * scale, seed=seed + 1)
    y = noise(2, rows, columns, seed=seed + 2)
    left, right = (h.apply(x) * y).sum(), (x * h.adjoint(y)).sum()
    assert abs(left - right) <= 1e-10 * float(h.apply(x).norm() * y.norm() + 1)


@given(rows=st.integers(1, 9), columns=st.integers(1, 9), seed=st.integers(0, 2**31 - 1))
def test_the_dot_products_of_the_gradient_and_its_adjoint_agree(rows, columns, seed):
    x, p = noise(3, rows, columns, seed=seed), noise(3, 2, rows, columns, seed=seed + 1)
    left, right = (gradient(x) * p).sum(), (x * gradient_adjoint(p)).sum()
    assert abs(left - right) <= 1e-10 * float(x.norm() * p.norm() + 1)


@pytest.mark.parametrize("kernel", [gaussian_kernel(1.3), box_kernel(3), box_kernel(5)])
def test_the_blur_equals_scipy_with_a_wrapping_border(kernel):
    x = noise(17, 14)
    theirs = scipy.ndimage.convolve(x.numpy(), kernel.numpy(), mode="wrap")
    np.testing.assert_allclose(Degradation(kernel, 1).apply(x).numpy(), theirs, atol=1e-13)


def test_sub_sampling_keeps_pixels_0_s_2s():
    x = noise(6, 9)
    h = Degradation(torch.ones(1, 1, dtype=torch.float64), 3)
    torch.testing.assert_close(h.apply(x), x[::3, ::3], atol=1e-14, rtol=0)


def test_an_asymmetric_kernel_is_turned_as_a_convolution_turns_it():
    kernel = torch.zeros(3, 3, dtype=torch.float64)
    kernel[1, 2] = 1  # moves the image to the right
    x = noise(5, 7)
    torch.testing.assert_close(Degradation(kernel, 1).apply(x), x.roll(1, -1), atol=1e-14, rtol=0)


def test_h_h_transposed_is_diagonal_in_the_fourier_domain_with_the_singular_values():
    h = Degradation(gaussian_kernel(1.0), 2)
    singular = torch.linalg.svdvals(h.matrix((12, 8)))
    ours = h.gram_transfer((12, 8)).sqrt().flatten().sort(descending=True).values
    torch.testing.assert_close(ours, singular, atol=1e-12, rtol=1e-10)
    y = noise(6, 4)
    through = torch.fft.ifft2(h.gram_transfer((12, 8)) * torch.fft.fft2(y)).real
    torch.testing.assert_close(h.apply(h.adjoint(y)), through, atol=1e-13, rtol=0)


def test_folding_is_sub_sampling_seen_in_the_fourier_domain():
    x = noise(2, 12, 15)
    expected = torch.fft.fft2(x[..., ::3, ::3])
    torch.testing.assert_close(fold(torch.fft.fft2(x), 3), expected, atol=1e-12, rtol=0)


def test_the_adjoint_with_keys_kernel_is_bicubic_interpolation():
    t = torch.arange(-7, 8, dtype=torch.float64) / 4
    keys = torch.from_numpy(keys_kernel(t.numpy()))
    h = Degradation(torch.outer(keys, keys), 4)
    y = noise(6, 5)
    wide = h.adjoint(y)
    torch.testing.assert_close(wide[::4, ::4], y, atol=1e-12, rtol=0)  # it interpolates
    ones = torch.ones_like(y)
    torch.testing.assert_close(h.adjoint(ones), torch.ones_like(wide), atol=1e-12, rtol=0)
    # Half-way along a row: (-1, 9, 9, -1) / 16, the weights of the cubic through central slopes.
    row = y[2]
    expected = (-row[0] + 9 * row[1] + 9 * row[2] - row[3]) / 16
    torch.testing.assert_close(wide[8, 6], expected, atol=1e-12, rtol=0)


def test_the_gradient_is_written_as_differences_to_the_next_pixel():
    x = noise(4, 5)
    down, right = gradient(x)
    assert down[1, 2] == x[2, 2] - x[1, 2] and down[3, 2] == x[0, 2] - x[3, 2]
    assert right[1, 2] == x[1, 3] - x[1, 2] and right[1, 4] == x[1, 0] - x[1, 4]


@pytest.mark.parametrize("shape", [(6, 8), (5, 7), (1, 4), (1, 1)])
def test_the_power_of_the_gradient_is_its_transfer_function(shape):
    x = noise(*shape)
    through = torch.fft.ifft2(gradient_power(shape) * torch.fft.fft2(x)).real
    torch.testing.assert_close(gradient_adjoint(gradient(x)), through, atol=1e-13, rtol=0)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5])
def test_the_gaussian_kernel_sums_to_one_and_falls_off_as_a_gaussian(sigma):
    kernel = gaussian_kernel(sigma)
    c = kernel.shape[0] // 2
    assert kernel.shape == (2 * math.ceil(4 * sigma) + 1,) * 2
    assert float(kernel.sum()) == pytest.approx(1, abs=1e-14)
    ratio = float(kernel[c, c + 1] / kernel[c, c])
    assert ratio == pytest.approx(math.exp(-0.5 / sigma**2), rel=1e-12)
    torch.testing.assert_close(kernel, kernel.T.flip(0))
    assert gaussian_kernel(sigma, radius=1).shape == (3, 3)


def test_a_box_is_a_mean():
    x = noise(6, 6)
    y = Degradation(box_kernel(3), 3).apply(x)
    torch.testing.assert_close(y[1, 1], x[2:5, 2:5].mean(), atol=1e-14, rtol=0)


def test_type_and_device_of_the_image_decide_and_gradients_pass():
    h = Degradation(gaussian_kernel(1.0), 2)
    x = noise(8, 6, dtype=torch.float32).requires_grad_()
    y = h.apply(x)
    assert y.dtype == torch.float32 and y.shape == (4, 3)
    torch.testing.assert_close(y.double(), h.apply(x.double()), atol=1e-6, rtol=0)
    target = noise(4, 3, dtype=torch.float32)
    (y * target).sum().backward()
    torch.testing.assert_close(x.grad, h.adjoint(target), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "call, error, says",
    [
        (lambda: Degradation(np.ones((3, 3)), 2), TypeError, "gaussian_kernel"),
        (lambda: Degradation(torch.ones(3, 3, dtype=torch.int64), 2), TypeError, "float tensor"),
        (lambda: Degradation(torch.ones(3), 2), ValueError, r"\(k, k\)"),
        (lambda: Degradation(torch.full((3, 3), torch.nan), 2), ValueError, "finite"),
        (lambda: Degradation(torch.ones(3, 3), 0), ValueError, "at least 1"),
        (lambda: Degradation(torch.ones(3, 3), 2.5), ValueError, "whole number"),
        (lambda: Degradation(box_kernel(3), 2).apply(torch.rand(5, 4)), ValueError, "modcrop"),
        (lambda: Degradation(box_kernel(3), 2).apply(torch.rand(4)), ValueError, r"\(4,\)"),
        (lambda: Degradation(box_kernel(3), 2).apply(torch.rand(4, 4).half()), TypeError, "16"),
        (
            lambda: Degradation(box_kernel(3), 2).adjoint(np.ones((4, 4))),
            TypeError,
            "an array of float64",
        ),
        (lambda: Degradation(box_kernel(3), 2).matrix((128, 64)), ValueError, "apply and adjoint"),
        (lambda: gaussian_kernel(0), ValueError, "above 0"),
        (lambda: gaussian_kernel(1, radius=-1), ValueError, "radius"),
        (lambda: Degradation(box_kernel(3), 2).apply(torch.rand(8, 8, 4)), ValueError, "movedim"),
        (lambda: gradient(torch.rand(8, 8, 3)), ValueError, "movedim"),
        (lambda: gradient(np.ones((8, 8))), TypeError, "an array of float64"),
        (lambda: box_kernel(0), ValueError, "at least 1"),
        (lambda: box_kernel(1.5), ValueError, "whole number"),
        (lambda: gradient_adjoint(torch.rand(3, 4, 4)), ValueError, "2, H, W"),
    ],
)
def test_errors_are_sentences(call, error, says):
    with pytest.raises(error, match=says) as caught:
        call()
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.float64, torch.tensor])
def test_whole_numbers_of_any_kind_are_taken(kind):
    h = Degradation(box_kernel(kind(3)), kind(2))
    assert type(h.scale) is int
    x = noise(6, 8)
    torch.testing.assert_close(h.apply(x), Degradation(box_kernel(3), 2).apply(x))


def test_what_an_operator_keeps_is_bounded_in_bytes_and_the_size_in_use_stays():
    h = Degradation(gaussian_kernel(1.0), 2)
    for k in range(60):  # images of many sizes
        shape = (512, 512 + 2 * k)
        h.gram_transfer(shape)
        h.apply(torch.zeros(shape))
    assert h._kept.nbytes <= h._kept.limit == 64_000_000
    assert 1 < len(h._kept) < 60
    h._kept.limit = 1000  # less than any image takes
    first = h.gram_transfer((512, 512))
    half = h._half_transfer(torch.zeros(512, 512))
    # Both stay, so that an iteration that takes turns computes neither again.
    assert h.gram_transfer((512, 512)) is first
    assert h._half_transfer(torch.zeros(512, 512)) is half
    assert len(h._kept) == 1
    assert half.untyped_storage().nbytes() == half.nbytes


def test_what_was_dropped_is_computed_again():
    x, other = noise(16, 16), noise(12, 18)
    h = Degradation(gaussian_kernel(1.0), 2)
    expected = h.apply(x)
    h._kept.limit = 0
    h.apply(other)
    torch.testing.assert_close(h.apply(x), expected, atol=0, rtol=0)
