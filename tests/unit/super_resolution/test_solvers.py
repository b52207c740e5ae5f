"""The solvers against dense matrices (NumPy, torch.linalg) and SciPy's conjugate gradients."""

import numpy as np
import pytest
import scipy.sparse.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lecture_utils.super_resolution.degrade import (
    Degradation,
    box_kernel,
    gaussian_kernel,
    gradient,
)
from lecture_utils.super_resolution.solvers import (
    conjugate_gradients,
    data_proximal,
    pseudo_inverse,
    tikhonov,
    tikhonov_cg,
)

pytestmark = pytest.mark.filterwarnings("error")

CASES = [
    (gaussian_kernel(1.0), 2, (6, 8)),
    (gaussian_kernel(0.7), 3, (9, 6)),
    (box_kernel(3), 3, (6, 9)),
    (box_kernel(4), 4, (8, 8)),
    (box_kernel(3), 1, (7, 5)),
    (gaussian_kernel(2.0), 4, (4, 12)),
]


def noise(*shape, seed=1, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def dense_gradient(shape):
    n = shape[0] * shape[1]
    basis = torch.eye(n, dtype=torch.float64).reshape(n, *shape)
    return gradient(basis).reshape(n, -1).T.numpy()


def relative(a, b):
    return float((a - torch.as_tensor(b)).norm() / torch.as_tensor(b).norm())


@pytest.mark.parametrize("tau", [1e-6, 1e-2, 1.0, 100.0])
@pytest.mark.parametrize("kernel, scale, shape", CASES)
def test_tikhonov_solves_the_stacked_least_squares_problem(kernel, scale, shape, tau):
    h = Degradation(kernel, scale)
    y = noise(shape[0] // scale, shape[1] // scale)
    stacked = np.vstack([h.matrix(shape).numpy(), np.sqrt(tau) * dense_gradient(shape)])
    right = np.concatenate([y.numpy().ravel(), np.zeros(2 * shape[0] * shape[1])])
    dense = np.linalg.lstsq(stacked, right, rcond=None)[0].reshape(shape)
    assert relative(tikhonov(y, h, tau), dense) < 1e-8
    assert relative(tikhonov_cg(y, h, tau, tolerance=1e-12), dense) < 1e-6


@settings(deadline=None, max_examples=40)
@given(
    rows=st.integers(1, 6),
    columns=st.integers(1, 6),
    scale=st.integers(1, 4),
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    exponent=st.floats(-4, 3),
    seed=st.integers(0, 2**31 - 3),
)
def test_at_the_closed_form_the_normal_equations_hold(rows, columns, scale, size, exponent, seed):
    kernel = noise(*size, seed=seed).abs() + 0.1
    h, tau = Degradation(kernel / kernel.sum(), scale), 10**exponent
    y = noise(2, rows, columns, seed=seed + 1)
    x = tikhonov(y, h, tau)
    x.requires_grad_()
    objective = (h.apply(x) - y).square().sum() + tau * gradient(x).square().sum()
    (slope,) = torch.autograd.grad(objective, x)
    assert float(slope.norm()) <= 1e-9 * float(h.adjoint(y).norm())


@pytest.mark.parametrize("kernel", [gaussian_kernel(1.6), box_kernel(4)])
@pytest.mark.parametrize("tau", [1e-3, 1e-1])
def test_closed_form_and_conjugate_gradients_agree_to_a_millionth(kernel, tau):
    h = Degradation(kernel, 4)
    y = noise(3, 16, 24)
    assert relative(tikhonov_cg(y, h, tau, tolerance=1e-10), tikhonov(y, h, tau)) < 1e-6


def test_tikhonov_keeps_the_mean_and_in_the_limits_interpolates_or_is_constant():
    h = Degradation(gaussian_kernel(1.0), 2)
    y = noise(6, 8)
    for tau in (1e-8, 0.1, 1e8):
        torch.testing.assert_close(tikhonov(y, h, tau).mean(), y.mean(), atol=1e-12, rtol=0)
    torch.testing.assert_close(h.apply(tikhonov(y, h, 1e-12)), y, atol=1e-6, rtol=0)
    assert float(tikhonov(y, h, 1e8).std()) < 1e-6


def test_without_blur_and_at_scale_one_tikhonov_is_the_known_filter():
    h = Degradation(torch.ones(1, 1, dtype=torch.float64), 1)
    wave = torch.cos(2 * torch.pi * 2 * torch.arange(16, dtype=torch.float64) / 16).expand(4, 16)
    x = tikhonov(wave, h, 0.3)
    expected = wave / (1 + 0.3 * 4 * np.sin(np.pi * 2 / 16) ** 2)
    torch.testing.assert_close(x, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("kernel, scale, shape", CASES)
def test_the_pseudo_inverse_equals_numpys(kernel, scale, shape):
    h = Degradation(kernel, scale)
    y = noise(2, shape[0] // scale, shape[1] // scale)
    dense = np.linalg.pinv(h.matrix(shape).numpy(), rcond=1e-6)
    expected = (y.reshape(2, -1).numpy() @ dense.T).reshape(2, *shape)
    assert relative(pseudo_inverse(y, h, rtol=1e-6), expected) < 1e-8


def test_the_pseudo_inverse_leaves_out_what_h_removes():
    h = Degradation(box_kernel(2), 1)  # removes the checkerboard: H is not of full rank
    matrix = h.matrix((6, 6)).numpy()
    assert np.linalg.matrix_rank(matrix) < 36
    y = noise(6, 6)
    # lstsq returns the solution of smallest norm.
    expected = np.linalg.lstsq(matrix, y.numpy().ravel(), rcond=1e-10)[0].reshape(6, 6)
    assert relative(pseudo_inverse(y, h), expected) < 1e-8


@pytest.mark.parametrize("kernel, scale, shape", CASES)
@pytest.mark.parametrize("rho", [1e-3, 1.0, 50.0])
def test_the_proximal_step_solves_its_dense_system(kernel, scale, shape, rho):
    h = Degradation(kernel, scale)
    y, v = noise(2, shape[0] // scale, shape[1] // scale), noise(2, *shape, seed=2)
    matrix = h.matrix(shape).numpy()
    left = matrix.T @ matrix + rho * np.eye(matrix.shape[1])
    right = y.reshape(2, -1).numpy() @ matrix + rho * v.reshape(2, -1).numpy()
    expected = np.linalg.solve(left, right.T).T.reshape(2, *shape)
    assert relative(data_proximal(v, y, h, rho), expected) < 1e-9


def test_single_precision_stays_single_and_close():
    h = Degradation(gaussian_kernel(1.6), 4)
    y = noise(8, 8, dtype=torch.float32)
    v = noise(32, 32, dtype=torch.float32)
    for ours, exact in (
        (tikhonov(y, h, 0.01), tikhonov(y.double(), h, 0.01)),
        (pseudo_inverse(y, h), pseudo_inverse(y.double(), h)),
        (data_proximal(v, y, h, 0.1), data_proximal(v.double(), y.double(), h, 0.1)),
    ):
        assert ours.dtype == torch.float32
        assert relative(ours.double(), exact) < 1e-4


@pytest.mark.parametrize("size", [1, 5, 40])
def test_conjugate_gradients_take_the_steps_of_scipys(size):
    a = noise(size, size)
    a = a @ a.T + torch.eye(size, dtype=torch.float64)
    b = noise(size, seed=2)
    ours, theirs = [], []
    conjugate_gradients(
        lambda x: a @ x,
        b,
        tolerance=0,
        max_iterations=min(size, 8),
        callback=lambda _, x, __: ours.append(x.numpy()),
    )
    scipy.sparse.linalg.cg(
        a.numpy(),
        b.numpy(),
        rtol=0,
        atol=0,
        maxiter=min(size, 8),
        callback=lambda x: theirs.append(x.copy()),
    )
    assert len(ours) == len(theirs) > 0
    np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10)


def test_conjugate_gradients_end_after_as_many_steps_as_there_are_eigenvalues():
    a = torch.diag(torch.tensor([1.0, 4.0, 9.0, 4.0, 1.0, 9.0], dtype=torch.float64))
    b = noise(6)
    residuals = []
    x = conjugate_gradients(
        lambda v: a @ v,
        b,
        tolerance=1e-12,
        max_iterations=20,
        callback=lambda i, _, r: residuals.append((i, r)),
    )
    assert [i for i, _ in residuals] == [1, 2, 3]
    assert residuals[-1][1] <= 1e-12 < residuals[-2][1]
    torch.testing.assert_close(x, torch.linalg.solve(a, b))


def test_conjugate_gradients_leave_the_right_hand_side_alone_and_know_the_zero_vector():
    b = noise(3, 4)
    kept = b.clone()
    torch.testing.assert_close(
        conjugate_gradients(lambda x: 2 * x, b, tolerance=1e-12, max_iterations=5), b / 2
    )
    assert torch.equal(b, kept)
    zero = torch.zeros(3)
    assert torch.equal(conjugate_gradients(lambda x: x, zero, tolerance=0, max_iterations=5), zero)


def test_conjugate_gradients_say_that_they_did_not_arrive():
    a = torch.diag(torch.logspace(-6, 0, 50, dtype=torch.float64))
    with pytest.warns(RuntimeWarning, match="stopped after 3 iterations"):
        conjugate_gradients(lambda x: a @ x, noise(50), tolerance=1e-10, max_iterations=3)


H = Degradation(box_kernel(2), 2)
ONE = torch.rand(4, 4)


@pytest.mark.parametrize(
    "call, error, says",
    [
        (lambda: tikhonov(ONE, H, 0.0), ValueError, "tau is 0.0"),
        (lambda: tikhonov(ONE, H, float("nan")), ValueError, "tau"),
        (lambda: tikhonov_cg(ONE, H, -1.0), ValueError, "tau"),
        (lambda: tikhonov(np.ones((4, 4)), H, 1.0), TypeError, "an array of float64"),
        (
            lambda: tikhonov(ONE, Degradation(torch.tensor([[1.0, -1.0]]), 2), 1.0),
            ValueError,
            "sums to zero",
        ),
        (lambda: pseudo_inverse(ONE, H, rtol=-1), ValueError, "rtol"),
        (lambda: data_proximal(torch.rand(8, 8), ONE, H, 0), ValueError, "rho"),
        (lambda: data_proximal(torch.rand(6, 8), ONE, H, 1), ValueError, "3 rows"),
        (
            lambda: conjugate_gradients(lambda x: -x, ONE, tolerance=0, max_iterations=2),
            ValueError,
            "positive definite",
        ),
        (
            lambda: conjugate_gradients(lambda x: x, ONE, tolerance=-1, max_iterations=2),
            ValueError,
            "tolerance",
        ),
    ],
)
def test_errors_are_sentences(call, error, says):
    with pytest.raises(error, match=says) as caught:
        call()
    assert str(caught.value).endswith(".")
