"""Total variation against an interior-point solver, scikit-image and solutions on paper."""

import math

import numpy as np
import pytest
import torch

from lecture_utils.super_resolution.degrade import (
    Degradation,
    box_kernel,
    gaussian_kernel,
    gradient_adjoint,
)
from lecture_utils.super_resolution.total_variation import Problem, total_variation

IDENTITY = Degradation(torch.ones(1, 1, dtype=torch.float64), 1)
METHODS = ("primal-dual", "smoothed", "subgradient")


def noise(*shape, seed=1):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def scene(height=16, width=16):
    """A bright block on a ramp: edges in both directions, a slope, and corners."""
    x = torch.linspace(0.2, 0.5, width, dtype=torch.float64).expand(height, width).clone()
    x[height // 4 : height // 2, width // 3 : 2 * width // 3] += 0.4
    return x


def observed(H, height=16, width=16, level=0.02):
    y = H.apply(scene(height, width))
    return y + level * noise(*y.shape)


def interior_point(problem):
    """Minimise with Clarabel, a cone solver, from matrices written here."""
    import clarabel
    from scipy import sparse

    s = problem.H.scale
    height, width = (s * n for n in problem.y.shape)
    n = height * width

    def difference(size):
        d = sparse.lil_matrix(
            sparse.diags_array([-np.ones(size), np.ones(size - 1)], offsets=[0, 1])
        )
        d[-1, 0] = 1
        if not problem.wrap:
            d[-1] = 0
        return sparse.csr_matrix(d)

    down = sparse.kron(difference(height), sparse.eye_array(width))
    right = sparse.kron(sparse.eye_array(height), difference(width))
    M = sparse.csr_matrix(problem.H.matrix((height, width)).numpy())
    y = problem.y.numpy().ravel()
    quadratic, linear = 2 * M.T @ M, -2 * M.T @ y
    if problem.isotropic:  # (u, down x, right x) in the second-order cone, pixel by pixel
        bounds = n
        zero = sparse.csr_matrix((n, n))
        rows = sparse.vstack([
            sparse.hstack([zero, -sparse.eye_array(n)]),
            sparse.hstack([-down, zero]),
            sparse.hstack([-right, zero]),
        ])  # fmt: skip
        order = np.arange(3 * n).reshape(3, n).T.ravel()
        A = sparse.csr_matrix(rows)[order]
        cones = [clarabel.SecondOrderConeT(3)] * n
    else:  # -u <= D x <= u
        bounds = 2 * n
        D = sparse.vstack([down, right])
        eye = sparse.eye_array(bounds)
        A = sparse.vstack([sparse.hstack([D, -eye]), sparse.hstack([-D, -eye])])
        cones = [clarabel.NonnegativeConeT(2 * bounds)]
    P = sparse.block_diag([quadratic, sparse.csr_matrix((bounds, bounds))])
    q = np.concatenate([linear, np.full(bounds, problem.tau)])
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    A, P = sparse.csc_matrix(A), sparse.csc_matrix(sparse.triu(P))
    solution = clarabel.DefaultSolver(P, q, A, np.zeros(A.shape[0]), cones, settings).solve()
    assert str(solution.status) == "Solved"
    x = torch.tensor(solution.x[:n], dtype=torch.float64).reshape(height, width)
    return x, solution.obj_val + float(y @ y)


CASES = [
    (2, gaussian_kernel(0.8), 5e-3, True, True),
    (2, gaussian_kernel(0.8), 5e-3, False, True),
    (4, gaussian_kernel(1.6), 1e-3, True, True),
    (4, box_kernel(4), 1e-2, False, False),
    (1, gaussian_kernel(1.0), 2e-2, True, False),
]


@pytest.mark.parametrize("scale, kernel, tau, isotropic, wrap", CASES)
def test_all_methods_reach_the_minimum_that_a_cone_solver_finds(
    scale, kernel, tau, isotropic, wrap
):
    H = Degradation(kernel, scale)
    y = observed(H)
    problem = Problem(y, H, tau, isotropic, wrap)
    x, least = interior_point(problem)
    assert problem.objective(x) == pytest.approx(least, rel=1e-6)  # both write the same F
    shared = {"isotropic": isotropic, "wrap": wrap}

    ours = problem.objective(total_variation(y, H, tau, iterations=3000, **shared))
    assert least * (1 - 1e-6) <= ours <= least * (1 + 1e-4)

    epsilon = 1e-3
    rounded = total_variation(
        y, H, tau, method="smoothed", iterations=3000, epsilon=epsilon, **shared
    )
    # Rounding the kink off lowers each term by at most epsilon / 2.
    terms = x.numel() * (1 if isotropic else 2)
    assert problem.objective(rounded) <= least * (1 + 1e-3) + tau * terms * epsilon / 2

    objectives = []
    total_variation(
        y, H, tau, method="subgradient", iterations=3000, step=0.01, **shared,
        callback=lambda k, x, p: objectives.append(problem.objective(x)),
    )  # fmt: skip
    assert least * (1 - 1e-6) <= min(objectives) <= least * (1 + 2e-2)


@pytest.mark.parametrize("weight", [0.02, 0.1, 0.3])
def test_denoising_equals_scikit_image(weight):
    from skimage.restoration import denoise_tv_chambolle

    y = scene(24, 32) + 0.1 * noise(24, 32)
    # Theirs is norm(x - y)^2 / 2 + weight * TV, and the gradient ends at the border.
    theirs = torch.from_numpy(
        denoise_tv_chambolle(y.numpy(), weight=weight, eps=0, max_num_iter=20_000)
    )
    ours = total_variation(y, IDENTITY, 2 * weight, wrap=False, iterations=2000, start=y)
    problem = Problem(y, IDENTITY, 2 * weight, wrap=False)
    assert problem.objective(ours) == pytest.approx(problem.objective(theirs), rel=1e-5)
    torch.testing.assert_close(ours, theirs, atol=2e-3, rtol=0)


@pytest.mark.parametrize("isotropic", [True, False])
def test_two_plateaus_move_towards_each_other_by_tau_over_their_widths(isotropic):
    # Stripes 10 and 30 pixels wide: each loses tau / width of its contrast, at two edges.
    y = torch.zeros(6, 40, dtype=torch.float64)
    y[:, :10] = 1
    tau = 0.8
    expected = y * (1 - tau / 10) + (1 - y) * tau / 30
    x = total_variation(y, IDENTITY, tau, isotropic=isotropic, iterations=3000)
    torch.testing.assert_close(x, expected, atol=1e-4, rtol=0)
    # From tau = 1 / (1/10 + 1/30) on, nothing but the mean is left.
    flat = total_variation(y, IDENTITY, 8.0, isotropic=isotropic, iterations=3000)
    torch.testing.assert_close(flat, torch.full_like(y, 0.25), atol=1e-4, rtol=0)


@pytest.mark.parametrize("method", METHODS)
def test_the_mean_of_the_lr_image_is_kept(method):
    # The constant direction costs no variation, so F is flat in it only at the right mean.
    H = Degradation(gaussian_kernel(1.0), 2)
    y = observed(H)
    x = total_variation(y, H, 1e-2, method=method, iterations=400)
    tolerance = 1e-3 if method == "subgradient" else 1e-6
    assert float(H.apply(x).mean()) == pytest.approx(float(y.mean()), abs=tolerance)


def report(problem, method, iterations):
    """Run a method and return what it reports: number, objective, gap, largest pair of p."""
    seen = []

    def keep(k, x, p):
        size = p.norm(dim=-3) if problem.isotropic else p.abs()
        seen.append((k, problem.objective(x), problem.gap(x, p), float(size.max())))

    total_variation(
        problem.y,
        problem.H,
        problem.tau,
        method=method,
        isotropic=problem.isotropic,
        iterations=iterations,
        callback=keep,
    )
    return seen


@pytest.mark.parametrize("isotropic", [True, False])
def test_the_gap_holds_for_every_image_of_its_box_and_beyond_it_by_convexity(isotropic):
    H = Degradation(gaussian_kernel(1.0), 2)
    problem = Problem(observed(H), H, 5e-3, isotropic)
    generator = torch.Generator().manual_seed(8)
    x = total_variation(problem.y, H, 5e-3, iterations=5)
    p = problem.project_(torch.randn(problem.gradient(x).shape, generator=generator).double())
    low, high = float(x.min()) - 0.1, float(x.max()) + 0.1
    value = problem.objective(x)
    for _ in range(50):
        z = low + (high - low) * torch.rand(x.shape, generator=generator, dtype=x.dtype)
        assert value - problem.objective(z) <= problem.gap(x, p)
    best, least = interior_point(problem)
    for margin in (0.1, 1e-3, 1e-5):  # the smallest of these boxes do not hold the minimiser
        beyond = max(float(best.max() - x.max()), float(x.min() - best.min())) - margin
        factor = 1 + max(beyond, 0) / margin
        assert value - least <= factor * problem.gap(x, p, margin)


@pytest.mark.parametrize("isotropic", [True, False])
def test_the_gap_bounds_the_distance_to_the_minimum_and_closes(isotropic):
    H = Degradation(gaussian_kernel(1.0), 2)
    problem = Problem(observed(H), H, 5e-3, isotropic)
    _, least = interior_point(problem)
    for method in METHODS:
        seen = report(problem, method, 1000)
        assert [k for k, _, _, _ in seen] == list(range(1, 1001))
        assert all(value - least <= gap + 1e-9 for _, value, gap, _ in seen)
        assert all(size <= problem.tau + 1e-12 for _, _, _, size in seen)
        if method == "primal-dual":
            assert seen[-1][2] < 3e-3 * least
            assert seen[-1][2] < 0.02 * seen[20][2]


@pytest.mark.parametrize("isotropic", [True, False])
def test_project_finds_the_closest_pairs_of_the_ball(isotropic):
    problem = Problem(observed(IDENTITY), IDENTITY, 0.3, isotropic)
    p = 0.3 * noise(2, 16, 16)
    moved = problem.project_(p.clone())
    size = (lambda q: q.norm(dim=-3)) if isotropic else torch.abs
    assert size(moved).max() <= 0.3 + 1e-12
    inside = (size(p) <= 0.3).expand_as(p)
    torch.testing.assert_close(moved[inside], p[inside])
    # p - moved points away from every other point of the ball: that is what closest means.
    for seed in range(20):
        other = problem.project_(noise(2, 16, 16, seed=seed))
        assert float(((p - moved) * (other - moved)).sum(dim=-3).max()) <= 1e-12


def test_a_disc_is_as_long_as_its_circumference_and_a_square_around_it():
    y, x = torch.meshgrid(*2 * [torch.arange(256, dtype=torch.float64) - 127.5], indexing="ij")
    r = torch.hypot(x, y)
    disc = torch.sigmoid((80 - r) / 4)  # an edge about 16 pixels wide
    lr = disc[:1, :1]
    isotropic = Problem(lr, IDENTITY, 1.0)
    anisotropic = Problem(lr, IDENTITY, 1.0, isotropic=False)
    size = lambda problem: float(problem.magnitude(problem.gradient(disc)).sum())  # noqa: E731
    assert size(isotropic) == pytest.approx(2 * math.pi * 80, rel=2e-3)
    assert size(anisotropic) == pytest.approx(8 * 80, rel=2e-3)


def test_without_wrap_the_border_costs_nothing():
    ramp = torch.arange(8, dtype=torch.float64).expand(8, 8)
    for wrap, expected in ((True, 8 * 14), (False, 8 * 7)):
        problem = Problem(ramp, IDENTITY, 1.0, wrap=wrap)
        assert float(problem.magnitude(problem.gradient(ramp)).sum()) == expected
        g = problem.gradient(noise(8, 8))
        p = problem.gradient(noise(8, 8, seed=2))  # zero where a border does not count
        x = noise(8, 8, seed=3)
        assert (problem.gradient(x) * p).sum() == pytest.approx(
            float((x * gradient_adjoint(p)).sum()), abs=1e-10
        )
        assert g.shape == (2, 8, 8)


def test_where_the_data_term_curves_the_error_falls_faster_than_one_over_the_iterations():
    y = scene() + 0.1 * noise(16, 16)
    problem = Problem(y, IDENTITY, 0.3)
    assert problem.curvature() == pytest.approx((2.0, 2.0))
    _, least = interior_point(problem)
    errors = {}
    total_variation(
        y, IDENTITY, 0.3, iterations=160, start=torch.zeros_like(y),
        callback=lambda k, x, p: errors.update({k: problem.objective(x) - least}),
    )  # fmt: skip
    assert errors[160] < errors[20] / 32  # with 1/k it would be an eighth


def test_curvature_is_that_of_the_matrix():
    for scale, kernel in ((1, gaussian_kernel(0.5)), (2, gaussian_kernel(0.8))):
        H = Degradation(kernel, scale)
        M = H.matrix((12, 8))
        values = torch.linalg.eigvalsh(2 * M.T @ M)
        problem = Problem(torch.zeros(12 // scale, 8 // scale, dtype=torch.float64), H, 1.0)
        least, largest = problem.curvature()
        assert largest == pytest.approx(float(values[-1]), rel=1e-9)
        assert least == pytest.approx(float(values[0]), abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_channels_are_solved_each_for_itself_and_types_kept(method):
    H = Degradation(gaussian_kernel(1.0), 2)
    y = torch.stack([observed(H), 1 - observed(H), 0.5 * observed(H)])
    both = total_variation(y, H, 1e-2, method=method, iterations=30)
    assert both.shape == (3, 16, 16)
    if method != "subgradient":  # its step is set by the root mean square over all channels
        for channel, alone in zip(both, y, strict=True):
            torch.testing.assert_close(
                total_variation(alone, H, 1e-2, method=method, iterations=30), channel
            )
    single = total_variation(y.float(), H, 1e-2, method=method, iterations=30)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), both, atol=2e-3, rtol=0)


def test_edges_come_out_sharper_than_with_tikhonov():
    from lecture_utils.metrics import psnr
    from lecture_utils.super_resolution.solvers import tikhonov

    H = Degradation(gaussian_kernel(1.6), 4)
    truth = torch.full((64, 64), 0.2, dtype=torch.float64)
    truth[16:44, 20:50] = 0.8
    y = H.apply(truth) + 0.005 * noise(16, 16)
    weights = np.logspace(-5, 0, 11).tolist()
    quadratic = max(psnr(tikhonov(y, H, tau), truth, peak=1) for tau in weights)
    ours = max(psnr(total_variation(y, H, tau), truth, peak=1) for tau in (1e-3, 3e-3))
    assert ours > quadratic + 3


def test_bad_input_is_told_in_a_sentence():
    y = torch.zeros(4, 4, dtype=torch.float64)
    for tau in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="tau is"):
            total_variation(y, IDENTITY, tau)
    with pytest.raises(ValueError, match="must be one of 'primal-dual'"):
        total_variation(y, IDENTITY, 1.0, method="newton")
    for iterations in (0, 2.5, True):
        with pytest.raises(ValueError, match="whole number of at least 1"):
            total_variation(y, IDENTITY, 1.0, iterations=iterations)
    with pytest.raises(ValueError, match=r"needs the shape \(4, 4\)"):
        total_variation(y, IDENTITY, 1.0, start=torch.zeros(8, 8, dtype=torch.float64))
    with pytest.raises(ValueError, match="epsilon is 0"):
        total_variation(y, IDENTITY, 1.0, method="smoothed", epsilon=0)
    with pytest.raises(TypeError, match="balance"):
        total_variation(y, IDENTITY, 1.0, method="smoothed", balance=1.0)
    with pytest.raises(TypeError, match="float32 or float64"):
        total_variation(y.long(), IDENTITY, 1.0)
    with pytest.raises(TypeError, match="float32 or float64"):
        total_variation(y.half(), IDENTITY, 1.0, start=y.half())
    with pytest.raises(ValueError, match="movedim"):
        total_variation(torch.zeros(8, 8, 3), IDENTITY, 1.0)


def test_sub_gradient_descent_stays_at_a_uniform_float32_image():
    y = torch.full((8, 8), 0.5)
    x = total_variation(y, Degradation(torch.ones(1, 1), 1), 0.1, method="subgradient")
    assert torch.equal(x, y)


def test_an_option_of_another_method_gets_a_sentence():
    y = torch.rand(8, 8, dtype=torch.float64)
    with pytest.raises(TypeError, match="its only option is 'epsilon'"):
        total_variation(y, Degradation(torch.ones(1, 1), 1), 0.1, method="smoothed", balance=1.0)


def test_iterations_may_be_any_kind_of_whole_number():
    y = noise(4, 6)
    expected = total_variation(y, IDENTITY, 0.1, iterations=3)
    for three in (np.int64(3), 3.0, torch.tensor(3)):
        assert torch.equal(total_variation(y, IDENTITY, 0.1, iterations=three), expected)
