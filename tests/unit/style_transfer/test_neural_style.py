"""Style transfer by optimisation, in one pass, and by statistics: shapes, limits, closed forms."""

from itertools import pairwise

import pytest
import torch

from lecture_utils import start
from lecture_utils.style_transfer.fast_style import ConditionalInstanceNorm, TransformNetwork
from lecture_utils.style_transfer.neural_style import Objective, minimise, total_variation
from lecture_utils.vgg import random_vgg


@pytest.fixture
def run():
    return start(profile="ci", device="cpu", quiet=True)


def images(*shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(1, 3, *shape, generator=generator) for shape in shapes]


def objective(run, **weights):
    content, style = images((24, 32), (20, 28))
    network = random_vgg(["relu1_1", "relu2_1"], run, depth=16)
    made = Objective(
        network, content, style, content_layer="relu2_1",
        style_layers={"relu1_1": 1.0, "relu2_1": 1.0}, **weights,
    )  # fmt: skip
    return made, content, style


def test_the_parts_vanish_where_they_must(run):
    made, content, _ = objective(run)
    assert float(made.losses(content).content) == 0
    assert float(made.losses(torch.full_like(content, 0.3)).variation) == 0


def test_no_gradient_reaches_network_or_targets(run):
    made, content, _ = objective(run)
    image = content.clone().requires_grad_()
    made(image).backward()
    assert image.grad is not None
    assert not made.target.requires_grad
    assert all(p.grad is None for p in made.network.parameters())


@pytest.mark.parametrize("method", ["lbfgs", "adam"])
def test_the_objective_falls_and_the_start_stays(run, method):
    made, content, _ = objective(run, beta=1.0)
    before = content.clone()
    values = [value for _, value, _ in minimise(made, content, 20, method=method)]
    assert torch.equal(content, before)
    assert values[-1] < 0.7 * values[0]


def test_lbfgs_searches_along_its_direction_and_evaluates_no_point_twice():
    curvature = torch.logspace(0, -3, 64, dtype=torch.float64)
    points = []

    def quadratic(x):
        points.append(x.detach().clone())
        return (curvature * x.square()).sum()

    begin = torch.linspace(-2, 2, 64, dtype=torch.float64)
    *_, (count, value, _) = minimise(quadratic, begin, 200)
    assert value < 1e-8 * float(quadratic(begin))
    assert count == len(points) - 1 <= 225
    assert not any(torch.equal(a, b) for a, b in pairwise(points))


def test_lbfgs_ends_at_a_stationary_point():
    flat = minimise(lambda x: x.square().sum(), torch.zeros(4), 10)
    assert [count for count, _, _ in flat] == [1]


def test_an_unknown_method_is_a_sentence(run):
    made, content, _ = objective(run)
    with pytest.raises(ValueError, match="'lbfgs' or 'adam'"):
        next(minimise(made, content, 5, method="sgd"))


def test_total_variation_of_a_ramp():
    ramp = torch.linspace(0, 1, 11).expand(1, 3, 5, 11)
    assert float(total_variation(ramp)) == pytest.approx(0.1)


@pytest.mark.parametrize("shape", [(16, 16), (17, 22), (31, 40)])
@pytest.mark.parametrize("upsampling", ["nearest", "transposed"])
def test_the_network_keeps_every_size_and_range(shape, upsampling):
    network = TransformNetwork(width=4, upsampling=upsampling)
    made = network(torch.rand(2, 3, *shape))
    assert made.shape == (2, 3, *shape)
    assert float(made.detach().min()) >= 0 and float(made.detach().max()) <= 1


def test_johnsons_network_has_the_papers_weights():
    """Supplement, table 1: convolutions of 9, 3, 3, five residual blocks, 3, 3 and 9."""
    network = TransformNetwork(width=32, upsampling="transposed")
    weights = sum(
        p.numel() for name, p in network.named_parameters() if name.endswith("conv.weight")
    )
    weights += network.last[1].weight.numel()
    expected = 81 * 3 * 32 + 9 * 32 * 64 + 9 * 64 * 128 + 10 * 9 * 128 * 128
    expected += 9 * 128 * 64 + 9 * 64 * 32 + 81 * 32 * 3
    assert weights == expected


def test_styles_are_mixed_by_their_scales_and_shifts():
    norm = ConditionalInstanceNorm(2, styles=2)
    with torch.no_grad():
        norm.shift[1] = 4.0
        norm.scale[1] = 3.0
    x = torch.randn(1, 2, 5, 5)
    plain = torch.nn.functional.instance_norm(x)
    half = norm(x, torch.tensor([[0.5, 0.5]]))
    torch.testing.assert_close(half, 2 * plain + 2)


def test_an_unknown_upsampling_is_a_sentence():
    with pytest.raises(ValueError, match="'nearest' or 'transposed'"):
        TransformNetwork(upsampling="bilinear")
