"""The game of two networks: its losses, its penalties, and the step in which the players alternate.

Losses are functions of the discriminator's logits t, one an image; D = 1 / (1 + exp(-t)) is the
estimated probability that an image is real. An :class:`Objective` names what each player descends,
and :func:`alternate` is the one step that every adversarial training of the book repeats: a
generator of images from random codes, from labels, or from a low-resolution image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return -log D(x) for real images plus -log(1 - D(x)) for made ones, each a mean.

    Source: I. Goodfellow et al., NIPS 2014, equation (1).

    Parameters
    ----------
    real, fake
        The discriminator's logits t, one an image.
    """
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def saturating_loss(fake: Tensor) -> Tensor:
    """Return the mean of log(1 - D(x)) for made images: the generator's loss (1) of the lecture.

    Its gradient vanishes where the discriminator is sure that the images are made. Source:
    I. Goodfellow et al., NIPS 2014, equation (1).

    Parameters
    ----------
    fake
        The discriminator's logits t, one an image.
    """
    return -F.softplus(fake).mean()


def generator_loss(fake: Tensor) -> Tensor:
    """Return the mean of -log D(x) for made images: the non-saturating loss, (2) of the lecture.

    Source: I. Goodfellow et al., NIPS 2014, section 3.

    Parameters
    ----------
    fake
        The discriminator's logits t, one an image.
    """
    return F.softplus(-fake).mean()


def relativistic_loss(own: Tensor, other: Tensor) -> Tensor:
    """Return the mean of -log of the probability that the own image looks more real than the other.

    The images are compared in pairs, in the order of the batch. It is the loss of both players: the
    discriminator's own images are the real ones, the generator's are the made ones. Sources:
    A. Jolicoeur-Martineau, ICLR 2019; N. Huang et al., NeurIPS 2024, equation (2).

    Parameters
    ----------
    own, other
        The discriminator's logits of two batches of one size.
    """
    return F.softplus(other - own).mean()


def squared_gradient(
    discriminator: nn.Module, images: Tensor, *condition: Tensor
) -> Tensor:
    """Return half the squared norm of the logit's gradient at the images, a mean over the batch.

    Parameters
    ----------
    discriminator
        Maps images (N, ...), and what they are conditioned on, to logits.
    images, condition
        Where to take the gradient.
    """
    images = images.detach().requires_grad_()
    logits = discriminator(images, *condition).sum()
    (gradient,) = torch.autograd.grad(logits, images, create_graph=True)
    return 0.5 * gradient.square().sum() / len(images)


def r1(
    discriminator: nn.Module, real: Tensor, fake: Tensor, *condition: Tensor
) -> Tensor:
    """Return the gradient penalty on real images: `squared_gradient` there.

    Source: L. Mescheder, A. Geiger and S. Nowozin, ICML 2018, equation (9).
    """
    return squared_gradient(discriminator, real, *condition)


def r1_and_r2(
    discriminator: nn.Module, real: Tensor, fake: Tensor, *condition: Tensor
) -> Tensor:
    """Return the gradient penalties on real and on made images, added.

    Sources: L. Mescheder et al., ICML 2018, equations (9) and (10); N. Huang et al., NeurIPS 2024.
    """
    on_real = squared_gradient(discriminator, real, *condition)
    return on_real + squared_gradient(discriminator, fake, *condition)


def nothing(*_: object) -> Tensor:
    """Return zero: no penalty, no content loss."""
    return torch.zeros(())


@dataclass(frozen=True)
class Objective:
    """What each player descends.

    Attributes
    ----------
    discriminator
        Loss of the logits of real and of made images, in this order.
    generator
        Loss of the logits of made images; where ``paired``, of made and of real ones.
    paired
        Whether the generator's loss needs the logits of the real images, too.
    penalty, penalty_weight
        What the discriminator pays for, called with its network, the real and the made images (and
        the condition), and the weight.
    content, content_weight
        What else the generator descends, called with the made and the real images, and the weight.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor] = discriminator_loss
    generator: Callable[..., Tensor] = generator_loss
    paired: bool = False
    penalty: Callable[..., Tensor] = nothing
    penalty_weight: float = 1.0
    content: Callable[[Tensor, Tensor], Tensor] = nothing
    content_weight: float = 1.0


@dataclass(frozen=True)
class Game:
    """Two players, as Fabric has set them up; see `start_game`.

    Attributes
    ----------
    fabric
        Computes gradients, in the run's precision and over all processes.
    generator, discriminator
        The networks.
    g_optimizer, d_optimizer
        Each moves its own player only.
    """

    fabric: Fabric
    generator: nn.Module
    discriminator: nn.Module
    g_optimizer: Optimizer
    d_optimizer: Optimizer

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The networks by name, as `lecture_utils.training.train` takes them."""
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
        }

    @property
    def optimizers(self) -> dict[str, Optimizer]:
        """The optimisers by their players' names."""
        return {
            "generator": self.g_optimizer,
            "discriminator": self.d_optimizer,
        }


def start_game(
    fabric: Fabric,
    generator: nn.Module,
    discriminator: nn.Module,
    *,
    rate: float = 2e-4,
    betas: tuple[float, float] = (0.5, 0.999),
) -> Game:
    """Set up two networks, each with an Adam of its own.

    The momentum of 0.5 is that of A. Radford et al., ICLR 2016: the other player moves, so old
    gradients mislead.

    Parameters
    ----------
    fabric
        Places the networks, which are changed in place.
    generator, discriminator
        The players.
    rate
        The learning rate, where no schedule sets another.
    betas
        Adam's decay rates.
    """
    g_network, g_optimizer = fabric.setup(
        generator,
        torch.optim.Adam(generator.parameters(), lr=rate, betas=betas),
    )
    d_network, d_optimizer = fabric.setup(
        discriminator,
        torch.optim.Adam(discriminator.parameters(), lr=rate, betas=betas),
    )
    return Game(fabric, g_network, d_network, g_optimizer, d_optimizer)


def alternate(
    game: Game, objective: Objective, x: Tensor, z: Tensor, *y: Tensor
) -> dict[str, Tensor]:
    """Move the discriminator by one step, then the generator; return what they lost.

    Source: I. Goodfellow et al., NIPS 2014, algorithm 1 with one step of the discriminator; both
    steps use the same made images.

    Parameters
    ----------
    game
        The players.
    objective
        What they descend.
    x
        Real images, (N, ...).
    z
        What the generator maps to images: random codes, or LR images.
    y
        What both players get besides, such as labels.

    Returns
    -------
    Means over the batch: the logits ``real`` and ``fake`` and the share ``fooled`` of made images
    that pass for real, all from before the step; the losses ``discriminator`` and ``generator``;
    and the terms ``penalty`` and ``content``, without their weights.
    """
    G, D = game.generator, game.discriminator
    fake = G(z, *y)

    # Fix theta_g, update theta_d.
    on_real, on_fake = D(x, *y), D(fake.detach(), *y)
    d_loss = objective.discriminator(on_real, on_fake)
    penalty = _term(game, objective.penalty, _bare(D), x, fake.detach(), *y)
    game.d_optimizer.zero_grad()
    game.fabric.backward(d_loss + objective.penalty_weight * penalty)
    game.d_optimizer.step()

    # Fix theta_d, update theta_g.
    with _fixed(game, D):
        rivals = [D(x, *y)] if objective.paired else []
        g_loss = objective.generator(D(fake, *y), *rivals)
        content = _term(game, objective.content, fake, x)
        game.g_optimizer.zero_grad()
        game.fabric.backward(g_loss + objective.content_weight * content)
        game.g_optimizer.step()

    terms = {"real": on_real, "fake": on_fake, "fooled": on_fake > 0}
    terms |= {"discriminator": d_loss, "generator": g_loss}
    terms |= {"penalty": penalty, "content": content}
    return {name: t.detach().float().mean() for name, t in terms.items()}


def _term(game: Game, term: Callable[..., Tensor], *args: object) -> Tensor:
    """Compute what runs networks that Fabric does not wrap, in the run's precision."""
    with game.fabric.autocast():
        return term(*args)


def _bare(network: nn.Module) -> nn.Module:
    """Return a player without Fabric's wrapper, which takes a gradient inside a loss for a step."""
    bare = getattr(network, "module", network)
    assert isinstance(bare, nn.Module)
    return bare


@contextmanager
def _fixed(game: Game, network: nn.Module) -> Iterator[None]:
    """Let a network pass gradients on without computing, or exchanging, those of its weights."""
    weights = [p for p in network.parameters() if p.requires_grad]
    with game.fabric.no_backward_sync(network):
        try:
            for weight in weights:
                weight.requires_grad_(False)
            yield
        finally:
            for weight in weights:
                weight.requires_grad_(True)
