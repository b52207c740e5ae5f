"""The game of SRGAN: its losses, its step against one written out, and its choices."""

import copy

import pytest
import torch
from torch.nn import functional as F

from lecture_utils import start
from lecture_utils.losses import ContentLoss, discriminator_loss, generator_loss
from lecture_utils.super_resolution.srgan import Discriminator, SRResNet
from lecture_utils.super_resolution.srgan_training import (
    AdversarialSettings,
    Game,
    srgan_settings,
)


@pytest.fixture
def run():
    return start(profile="ci", device="cpu", quiet=True)


def test_losses_are_cross_entropies(run):
    real, fake = (3 * torch.randn(8, 1, generator=run.generator(i)) for i in (1, 2))
    ones, zeros = torch.ones(8, 1), torch.zeros(8, 1)
    cross_entropy = F.binary_cross_entropy_with_logits
    assert torch.allclose(
        discriminator_loss(real, fake), cross_entropy(real, ones) + cross_entropy(fake, zeros)
    )
    assert torch.allclose(generator_loss(fake), cross_entropy(fake, ones))


def test_a_step_is_one_of_the_discriminator_and_then_one_of_the_generator(run):
    torch.manual_seed(0)
    networks = SRResNet(blocks=1, width=8), Discriminator(width=8)
    copies = [copy.deepcopy(network) for network in networks]
    low = torch.rand(2, 3, 8, 8, generator=run.generator(1))
    high = torch.rand(2, 3, 32, 32, generator=run.generator(2))
    weight = 10.0
    optimizers = [torch.optim.SGD(network.parameters(), lr=0.1) for network in networks]
    players = [run.fabric.setup(*pair) for pair in zip(networks, optimizers, strict=True)]
    game = Game(
        run.fabric, players[0][0], players[1][0], players[0][1], players[1][1], ContentLoss("mse"),
        weight,
    )  # fmt: skip
    lost = game.step(low, high)

    def descend(loss, network):
        parameters = list(network.parameters())
        with torch.no_grad():
            for p, g in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
                p -= 0.1 * g

    generator, discriminator = copies
    estimate = generator(low)
    d = discriminator(high).sigmoid(), discriminator(estimate.detach()).sigmoid()
    d_loss = -d[0].log().mean() - (1 - d[1]).log().mean()
    descend(d_loss, discriminator)
    adversarial = -discriminator(estimate).sigmoid().log().mean()
    content = (estimate - high).square().mean()
    descend(adversarial + weight * content, generator)

    for name, value in {
        "discriminator": d_loss, "adversarial": adversarial, "content": content,
        "fooled": (d[1] > 0.5).float().mean(),
    }.items():  # fmt: skip
        assert torch.allclose(lost[name], value, rtol=1e-4), name
    for network, reference in zip(networks, copies, strict=True):
        for (key, p), q in zip(network.named_parameters(), reference.parameters(), strict=True):
            assert torch.allclose(p, q, rtol=1e-4, atol=1e-6), key


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"content": "relu6_1"}, "content='relu6_1'; it must be one of mse, conv1_1"),
        ({"content_weight": -1}, "content_weight=-1"),
        ({"width": 0}, "width=0"),
        ({"colour": "y"}, "colour='y'; it must be one of rgb"),
    ],
)
def test_choices_are_checked_when_they_are_made(choice, words):
    with pytest.raises(ValueError, match=words):
        AdversarialSettings(**({"scales": (4,), "steps": 2} | choice))


def test_the_recipes_choose_what_the_page_says(run):
    settings = srgan_settings(run, "relu2_2", 100)
    assert (settings.content, settings.content_weight, settings.scales) == ("relu2_2", 100, (4,))
