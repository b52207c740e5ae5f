"""One model for each leaf of the taxonomy, against closed forms and numerical integrals."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal

from lecture_utils.generation.autoregressive import Autoregressive
from lecture_utils.generation.boltzmann import BoltzmannMachine
from lecture_utils.generation.denoising_chain import DenoisingChain
from lecture_utils.generation.diffusion import Diffusion
from lecture_utils.generation.flow import Flow
from lecture_utils.generation.vae import VariationalAutoEncoder


def integral(log_density: Callable[[Tensor], Tensor], reach: float, points: int = 401) -> float:
    """Integrate exp of a function of two numbers over a square by the trapezoidal rule."""
    axis = torch.linspace(-reach, reach, points)
    plane = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        return float(log_density(plane).double().exp().sum() * (axis[1] - axis[0]) ** 2)


def shaken(model: torch.nn.Module, spread: float = 0.3) -> torch.nn.Module:
    """Move all weights at random, away from what a start may have made special."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight += spread * torch.randn_like(weight)
    return model


def test_autoregressive_entry_sees_those_before_it_only() -> None:
    model = shaken(Autoregressive(5, 64, 2))
    x = torch.randn(1, 5)

    def means(x: Tensor) -> Tensor:
        return model.conditionals(x).mean[0]

    jacobian = torch.autograd.functional.jacobian(means, x)[:, 0]  # (5, 5)
    assert torch.equal(jacobian, jacobian.tril(-1))
    assert (jacobian.tril(-1).abs().sum(1)[1:] > 0).all()


def test_autoregressive_density_integrates_to_one() -> None:
    torch.manual_seed(0)
    assert integral(Autoregressive(2, 16, 3).log_prob, 8) == pytest.approx(1, abs=1e-3)


def test_autoregressive_samples_follow_the_density() -> None:
    torch.manual_seed(0)
    model = Autoregressive(2, 16, 3)
    samples = model.sample(20_000)
    # E[1 / p(x)] over a region is its area, if the samples follow p.
    inside = (samples.abs() < 0.5).all(1)
    inverse = torch.where(inside, (-model.log_prob(samples)).exp(), 0.0)
    error = float(inverse.detach().std()) / math.sqrt(len(inverse))
    assert float(inverse.detach().mean()) == pytest.approx(1, abs=5 * error)
    assert error < 0.05


@pytest.mark.parametrize("size", [2, 5])
def test_flow_is_inverted_and_its_determinant_is_that_of_the_jacobian(size: int) -> None:
    flow = shaken(Flow(size, 4, 8)).double()
    x = torch.randn(3, size).double()
    z, log_det = flow(x)
    torch.testing.assert_close(flow.inverse(z), x)
    for row, expected in zip(x, log_det, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda v: flow(v[None])[0][0], row)
        torch.testing.assert_close(torch.linalg.slogdet(jacobian).logabsdet, expected)


def test_flow_density_integrates_to_one() -> None:
    flow = shaken(Flow(2, 4, 8), 0.1)
    assert integral(flow.log_prob, 12, 801) == pytest.approx(1, abs=5e-3)


def linear_auto_encoder(weight: Tensor, width: float) -> VariationalAutoEncoder:
    """Return one whose decoder is linear, so that p(x) is a known Gaussian."""
    model = VariationalAutoEncoder(2, 2, 4)

    class Decoder(torch.nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            mean = z @ weight.T
            return torch.cat([mean, torch.full_like(mean, math.log(width))], dim=-1)

    model.decoder = Decoder()
    return model


def test_auto_encoder_bound_and_estimate_against_a_known_density() -> None:
    torch.manual_seed(0)
    weight = torch.tensor([[1.0, 0.3], [0.0, 0.8]])
    model = linear_auto_encoder(weight, 0.5)
    truth = MultivariateNormal(torch.zeros(2), weight @ weight.T + 0.25 * torch.eye(2))
    x = truth.sample((5,))
    exact = truth.log_prob(x)
    estimate = model.log_prob(x, 20_000)
    torch.testing.assert_close(estimate, exact, atol=0.05, rtol=0)
    with torch.no_grad():
        bound = torch.stack([model.elbo(x) for _ in range(2000)]).mean(0)
    assert (bound < exact).all()
    fewer = torch.stack([model.log_prob(x, 2) for _ in range(500)]).mean(0)
    assert (bound < fewer).all() and (fewer < exact).all()


def test_auto_encoder_bound_is_tight_for_the_true_posterior() -> None:
    torch.manual_seed(0)
    weight = torch.tensor([[1.0, 0.0], [0.0, 0.5]])
    model = linear_auto_encoder(weight, 0.5)
    precision = weight.T @ weight / 0.25 + torch.eye(2)  # diagonal, as q's
    spread = precision.diagonal().rsqrt()

    class Encoder(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            mean = x @ (torch.linalg.inv(precision) @ weight.T / 0.25).T
            return torch.cat([mean, spread.log().expand_as(mean)], dim=-1)

    model.encoder = Encoder()
    x = torch.randn(4, 2)
    exact = MultivariateNormal(torch.zeros(2), weight @ weight.T + 0.25 * torch.eye(2)).log_prob(x)
    with torch.no_grad():
        bound = torch.stack([model.elbo(x) for _ in range(4000)]).mean(0)
    torch.testing.assert_close(bound, exact, atol=0.06, rtol=0)
    torch.testing.assert_close(model.log_prob(x, 3), exact, atol=1e-4, rtol=0)


def test_auto_encoder_weight_takes_the_divergence_away() -> None:
    torch.manual_seed(0)
    model = VariationalAutoEncoder(2, 2, 4)
    x = torch.randn(500, 2)
    with torch.no_grad():
        assert model.elbo(x, 0.0).mean() > model.elbo(x).mean()


def boltzmann_machine(hidden: int = 6) -> BoltzmannMachine:
    torch.manual_seed(2)
    model = BoltzmannMachine(2, hidden, 0.5)
    with torch.no_grad():
        model.weight.normal_(0, 0.6)
        model.visible.normal_(0, 0.3)
        model.hidden.normal_(0, 0.5)
    return model


def test_boltzmann_factor_summed_integrated_and_estimated() -> None:
    model = boltzmann_machine()
    exact = float(model.exact_log_factor())
    assert math.log(integral(model.unnormalised, 10, 801)) == pytest.approx(exact, abs=1e-3)
    torch.manual_seed(0)
    assert float(model.log_factor(500, 500)) == pytest.approx(exact, abs=0.1)


def test_boltzmann_sum_over_states() -> None:
    model = boltzmann_machine(3)
    v = torch.randn(4, 2)
    states = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3)
    energy = (v - model.visible).square().sum(1)[:, None] / 0.5
    energy = energy - states @ model.hidden - v @ model.weight @ states.T / 0.25
    torch.testing.assert_close(model.unnormalised(v), (-energy).logsumexp(1))


def test_boltzmann_chain_ends_in_the_density() -> None:
    model = boltzmann_machine()
    torch.manual_seed(0)
    v = model.gibbs(torch.randn(20_000, 2), 200)
    axis = torch.linspace(-10, 10, 801)
    plane = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        weight = (model.unnormalised(plane) - model.exact_log_factor()).exp()
    weight = weight / weight.sum()
    mean = (weight[:, None] * plane).sum(0)
    second = (weight[:, None] * plane.square()).sum(0)
    torch.testing.assert_close(v.mean(0), mean, atol=0.05, rtol=0)
    torch.testing.assert_close(v.square().mean(0), second, atol=0.1, rtol=0)


def test_boltzmann_contrast_is_the_gradient_of_the_likelihood() -> None:
    model = boltzmann_machine(4)
    data = torch.randn(50, 2)
    axis = torch.linspace(-8, 8, 201)
    plane = torch.cartesian_prod(axis, axis)
    logs = model.unnormalised(plane)
    loss = logs.logsumexp(0) - model.unnormalised(data).mean()
    (exact,) = torch.autograd.grad(loss, model.weight)
    torch.manual_seed(0)
    chain = model.gibbs(torch.randn(40_000, 2), 100)
    (found,) = torch.autograd.grad(model.contrast(data, chain), model.weight)
    torch.testing.assert_close(found, exact, atol=0.06, rtol=0.05)


def test_boltzmann_refuses_a_sum_that_never_ends() -> None:
    with pytest.raises(ValueError, match=r"30 hidden units has 2\^30 terms"):
        BoltzmannMachine(2, 30).exact_log_factor()


class Optimal(Diffusion):
    """The best prediction of the noise for images N(0, spread^2), in closed form."""

    spread = 0.7

    def noise(self, z: Tensor, t: Tensor) -> Tensor:
        a, s = self.levels(t)
        return s * z / (a**2 * self.spread**2 + s**2)


def test_diffusion_loss_of_the_best_prediction() -> None:
    torch.manual_seed(0)
    model = Optimal(2, 4)
    x = 0.7 * torch.randn(100_000, 2)
    a, s = model.levels(torch.linspace(0, 1, 1001))
    expected = float((a**2 * 0.49 / (a**2 * 0.49 + s**2)).mean())
    assert float(model.loss(x)) == pytest.approx(expected, rel=0.02)


def test_diffusion_samples_have_the_spread_of_the_images() -> None:
    torch.manual_seed(0)
    samples = Optimal(2, 4, steps=200).sample(20_000)
    torch.testing.assert_close(samples.std(0), torch.full((2,), 0.7), atol=0.02, rtol=0)
    assert samples.mean(0).abs().max() < 0.03


def test_diffusion_bound_is_below_the_likelihood_and_near_it() -> None:
    torch.manual_seed(0)
    x = 0.7 * torch.randn(5000, 2)
    exact = float(Normal(0.0, 0.7).log_prob(x).sum(1).mean())
    best = float(Optimal(2, 4).bound(x).mean())
    assert best == pytest.approx(exact, abs=0.03)

    class Worse(Optimal):
        def noise(self, z: Tensor, t: Tensor) -> Tensor:
            return 0.9 * super().noise(z, t)

    # Half the integral of the squared error's growth, in closed form: the
    # error of a prediction c times the best is (1 - c)^2 times its square.
    t = torch.linspace(0, 1, 20_001)
    a, s = Diffusion.levels(t)
    square = s**2 / (a**2 * 0.49 + s**2)
    lost = float((0.97 * torch.pi / (a * s) * 0.01 * square).mean())
    worse = float(Worse(2, 4).bound(x).mean())
    assert exact - worse == pytest.approx(lost, abs=0.03)


def test_diffusion_step_back_is_bayes_rule() -> None:
    model = Diffusion(1, 4)
    t, u = torch.tensor([[0.6]]), torch.tensor([[0.3]])
    (a, s), (b, r) = model.levels(t), model.levels(u)
    x, z = torch.tensor([[0.4]]), torch.tensor([[-0.2]])
    grid = torch.linspace(-4, 4, 20_001)[:, None]
    step = a / b
    width = (s**2 - (step * r) ** 2).sqrt()
    logs = Normal(b * x, r).log_prob(grid) + Normal(step * grid, width).log_prob(z)
    weight = logs.softmax(0)
    mean = (weight * grid).sum()
    spread = (weight * (grid - mean).square()).sum().sqrt()
    found = model._back(x, z, t, u)
    torch.testing.assert_close(found[0][0, 0], mean, atol=1e-4, rtol=0)
    torch.testing.assert_close(found[1][0, 0], spread, atol=1e-4, rtol=0)


def test_denoising_chain_of_a_gaussian_keeps_it() -> None:
    model = DenoisingChain(2, 0.5, 4)
    share = 0.49 / (0.49 + 0.25)  # of y in the expected image

    class Best(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.place = torch.nn.Parameter(torch.zeros(1))

        def forward(self, y: Tensor) -> Tensor:
            width = torch.full_like(y, 0.5 * math.log(0.49 * (1 - share)))
            return torch.cat([share * y, width], dim=1)

    model.network = torch.nn.Sequential(Best())
    torch.manual_seed(0)
    x = model.sample(20_000, 50)
    torch.testing.assert_close(x.std(0), torch.full((2,), 0.7), atol=0.02, rtol=0)
    y = 0.7 * torch.randn(20_000, 2)
    entropy = 0.5 * math.log(2 * math.pi * math.e * 0.49 * (1 - share))
    assert float(model.loss(y)) == pytest.approx(2 * entropy, abs=0.03)
