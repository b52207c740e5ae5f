"""The game of two networks: losses against cross-entropies, the step against one written out."""

import copy
import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lecture_utils import start
from lecture_utils.adversarial import (
    Game,
    Objective,
    alternate,
    discriminator_loss,
    generator_loss,
    r1,
    r1_and_r2,
    relativistic_loss,
    saturating_loss,
    squared_gradient,
    start_game,
)
from lecture_utils.training import train


@pytest.fixture
def run():
    return start(profile="ci", device="cpu", precision="32-true", quiet=True)


def logits(run):
    return (3 * torch.randn(8, 1, generator=run.generator(i)) for i in (1, 2))


def test_losses_are_cross_entropies(run):
    real, fake = logits(run)
    ones, zeros = torch.ones(8, 1), torch.zeros(8, 1)
    cross_entropy = F.binary_cross_entropy_with_logits
    assert torch.allclose(
        discriminator_loss(real, fake), cross_entropy(real, ones) + cross_entropy(fake, zeros)
    )
    assert torch.allclose(generator_loss(fake), cross_entropy(fake, ones))
    assert torch.allclose(saturating_loss(fake), -cross_entropy(fake, zeros))
    assert torch.allclose(relativistic_loss(real, fake), cross_entropy(real - fake, ones))


@pytest.mark.parametrize("t", [-30.0, -5.0, 0.0, 5.0, 30.0])
def test_gradients_in_the_logit_are_those_of_the_formulas(t):
    """d log(1 - D)/dt = -D and -d log D/dt = -(1 - D), also where D is 0 or 1 in float32."""
    for loss, expected in ((saturating_loss, -1), (generator_loss, 1)):
        logit = torch.tensor([t], requires_grad=True)
        loss(logit).backward()
        D = torch.sigmoid(torch.tensor(t if expected < 0 else -t, dtype=torch.float64))
        assert float(logit.grad) == pytest.approx(-float(D), rel=1e-5)


def test_the_penalty_is_half_the_squared_gradient_of_a_known_function(run):
    """For t(x) = sum a x^2 the gradient is 2 a x."""

    class Known(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Parameter(torch.tensor([[1.0, -2.0, 0.5]]))

        def forward(self, x, *y):
            return (self.a * x**2).sum(1, keepdim=True) + sum(y)

    network = Known()
    real, fake = torch.randn(2, 5, 3, generator=run.generator(1))
    half = 0.5 * (2 * network.a * real).square().sum(1).mean()
    assert torch.allclose(squared_gradient(network, real), half)
    assert torch.allclose(r1(network, real, fake, torch.ones(5, 1)), half)
    both = r1_and_r2(network, real, fake)
    assert torch.allclose(both, half + squared_gradient(network, fake))
    # It is a loss: it has a gradient in the weights, a half times 8 a x^2.
    half.backward()
    expected, network.a.grad = network.a.grad, None
    r1(network, real, fake).backward()
    assert torch.allclose(network.a.grad, expected)


class Conditional(nn.Module):
    """Adds what it gets besides to its result."""

    def __init__(self, sizes):
        super().__init__()
        layers = []
        for a, b in itertools.pairwise(sizes):
            layers += [nn.Linear(a, b), nn.Tanh()]
        self.body = nn.Sequential(*layers[:-1])

    def forward(self, x, *y):
        return self.body(x) + sum(y)


def distance(fake, real):
    return (fake - real).square().mean()


OBJECTIVES = {
    "the paper's": Objective(),
    "loss (1)": Objective(generator=saturating_loss),
    "penalised": Objective(penalty=r1, penalty_weight=3.0),
    "relativistic": Objective(
        relativistic_loss, relativistic_loss, True, penalty=r1_and_r2, penalty_weight=0.5
    ),
    "with content": Objective(content=distance, content_weight=10.0),
}


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("conditions", [0, 1])
def test_a_step_is_one_of_the_discriminator_and_then_one_of_the_generator(run, name, conditions):
    objective = OBJECTIVES[name]
    torch.manual_seed(0)
    networks = Conditional((2, 8, 3)), Conditional((3, 8, 1))
    copies = [copy.deepcopy(network) for network in networks]
    z, x = (torch.randn(6, n, generator=run.generator(n)) for n in (2, 3))
    y = [torch.randn(6, 1, generator=run.generator(9))] * conditions
    (G, G_steps), (D, D_steps) = (
        run.fabric.setup(network, torch.optim.SGD(network.parameters(), lr=0.1))
        for network in networks
    )
    game = Game(run.fabric, G, D, G_steps, D_steps)
    lost = alternate(game, objective, x, z, *y)

    def descend(loss, network):
        parameters = list(network.parameters())
        with torch.no_grad():
            for p, g in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
                p -= 0.1 * g

    G, D = copies
    fake = G(z, *y)
    real_logits, fake_logits = D(x, *y), D(fake.detach(), *y)
    d_loss = objective.discriminator(real_logits, fake_logits)
    penalty = objective.penalty(D, x, fake.detach(), *y)
    descend(d_loss + objective.penalty_weight * penalty, D)
    rivals = (D(x, *y),) if objective.paired else ()
    g_loss = objective.generator(D(fake, *y), *rivals)
    content = objective.content(fake, x)
    descend(g_loss + objective.content_weight * content, G)

    for key, value in {
        "discriminator": d_loss, "generator": g_loss, "penalty": penalty, "content": content,
        "real": real_logits.mean(), "fake": fake_logits.mean(),
        "fooled": (fake_logits > 0).float().mean(),
    }.items():  # fmt: skip
        assert torch.allclose(lost[key], value, rtol=1e-4, atol=1e-6), key
    for network, reference in zip(networks, copies, strict=True):
        assert all(p.requires_grad for p in network.parameters())
        for (key, p), q in zip(network.named_parameters(), reference.parameters(), strict=True):
            assert torch.allclose(p, q, rtol=1e-4, atol=1e-6), key


def test_a_frozen_part_of_the_discriminator_stays_frozen(run):
    generator, discriminator = nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    discriminator[0].requires_grad_(False)
    before = discriminator[0].weight.clone()
    game = start_game(run.fabric, generator, discriminator)
    alternate(game, Objective(), torch.randn(4, 3), torch.randn(4, 2))
    assert not discriminator[0].weight.requires_grad
    assert discriminator[1].weight.requires_grad
    assert torch.equal(discriminator[0].weight, before)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_it_runs_in_the_training_loop_in_either_precision(name, precision):
    """Fabric takes a gradient inside a loss for a forgotten `fabric.backward` in half precision."""
    run = start(profile="ci", device="cpu", precision=precision, quiet=True)
    torch.manual_seed(0)
    game = start_game(run.fabric, Conditional((2, 8, 3)), Conditional((3, 8, 1)))

    def step(i, random):
        z, x = (torch.randn(6, n, generator=random) for n in (2, 3))
        return alternate(game, OBJECTIVES[name], x, z)

    history = train(
        run, step, 4, modules=game.modules, optimizers=game.optimizers, log_every=1,
        learning_rate={"discriminator": lambda i: 1e-3, "generator": lambda i: 1e-4},
    )  # fmt: skip
    assert len(history.curves["fooled"]) == 4
    assert game.d_optimizer.param_groups[0]["lr"] == 1e-3
    assert game.g_optimizer.param_groups[0]["lr"] == 1e-4
