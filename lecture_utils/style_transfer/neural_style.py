"""Style transfer by optimisation: an image with the content of one and the style of another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lecture_utils.losses import feature_distance
from lecture_utils.style_transfer.texture import gram_matrix, style_distance

Network = Callable[[Tensor], Mapping[str, Tensor]]


@dataclass(frozen=True)
class Losses:
    """The parts of the objective, each a scalar: content, style and total variation."""

    content: Tensor
    style: Tensor
    variation: Tensor


def total_variation(images: Tensor) -> Tensor:
    """Return the mean absolute difference of neighbouring pixels of images (N, C, H, W)."""
    down = (images[..., 1:, :] - images[..., :-1, :]).abs().mean()
    right = (images[..., :, 1:] - images[..., :, :-1]).abs().mean()
    return down + right


class Objective:
    """The lecture's objective alpha l_content + beta l_style, and gamma times the total variation.

    The targets are computed once. Content and style are relative distances (see
    `lecture_utils.losses.feature_distance`), so alpha = 1 and beta = 10 are a fair start for every
    pair of images.

    Source: L. A. Gatys, A. S. Ecker and M. Bethge, "Image style transfer using convolutional
    neural networks", CVPR 2016, equation (7).

    Parameters
    ----------
    network
        Maps RGB images (N, 3, H, W) in [0, 1] to features by layer.
    content, style
        The two images, (1, 3, H, W) and (1, 3, H', W') in [0, 1].
    content_layer
        The layer whose features are matched.
    style_layers
        The layers whose Gram matrices are matched, with their weights.
    alpha, beta, gamma
        Weights of content, style and total variation.
    """

    def __init__(
        self,
        network: Network,
        content: Tensor,
        style: Tensor,
        *,
        content_layer: str,
        style_layers: Mapping[str, float],
        alpha: float = 1.0,
        beta: float = 10.0,
        gamma: float = 0.0,
    ) -> None:
        self.network = network
        self.content_layer = content_layer
        self.style_layers = dict(style_layers)
        self.alpha, self.beta, self.gamma = alpha, beta, gamma
        with torch.no_grad():
            self.target = network(content)[content_layer]
            features = network(style)
            self.grams = {
                name: gram_matrix(features[name]) for name in style_layers
            }

    def losses(self, image: Tensor) -> Losses:
        """Return the three parts for images (N, 3, H, W)."""
        features = self.network(image)
        return Losses(
            feature_distance(features[self.content_layer], self.target),
            style_distance(features, self.grams, self.style_layers),
            total_variation(image),
        )

    def __call__(self, image: Tensor) -> Tensor:
        """Return the objective, a scalar."""
        parts = self.losses(image)
        return (
            self.alpha * parts.content
            + self.beta * parts.style
            + self.gamma * parts.variation
        )


def minimise(
    objective: Callable[[Tensor], Tensor],
    start: Tensor,
    steps: int,
    *,
    method: str = "lbfgs",
    learning_rate: float = 0.02,
) -> Iterator[tuple[int, float, Tensor]]:
    """Change an image so that the objective falls; yield after each evaluation of it.

    The image leaves [0, 1] on the way: clipping inside would make the objective another one at each
    step, and L-BFGS, which compares gradients of successive steps, would lose its curvature.

    Parameters
    ----------
    objective
        Maps an image to a scalar.
    start
        (N, 3, H, W); not changed.
    steps
        How often objective and gradient are evaluated: at least, since L-BFGS ends its line search,
        and fewer times where it finds no way down.
    method
        ``lbfgs`` (memory of 20 steps, strong Wolfe line search) or ``adam``.
    learning_rate
        Adam's, in units of the image's [0, 1].

    Yields
    ------
    The number of evaluations, the objective, and the image (detached; it changes with later steps).
    """
    image = (
        start.detach()
        .clone(memory_format=torch.contiguous_format)
        .requires_grad_()
    )
    done: list[float] = []
    last = torch.full_like(image, torch.nan)

    def closure() -> float:
        # A step of L-BFGS begins with an evaluation where the line search of
        # the last one mostly ended: value and gradient are still there.
        if torch.equal(image, last):
            return done[-1]
        last.copy_(image.detach())
        optimizer.zero_grad()
        value = objective(image)
        torch.autograd.backward(value)
        done.append(float(value.detach()))
        return done[-1]

    if method == "adam":
        optimizer: torch.optim.Optimizer = torch.optim.Adam(
            [image], lr=learning_rate
        )
    elif method == "lbfgs":
        optimizer = torch.optim.LBFGS(
            [image],
            max_iter=1,
            # The evaluations of a step. PyTorch's own choice is 1, the first
            # one, which leaves none to the line search.
            max_eval=26,
            history_size=20,
            line_search_fn="strong_wolfe",
            tolerance_grad=0,
            tolerance_change=0,
        )
    else:
        raise ValueError(
            f"The method is {method!r}; it must be 'lbfgs' or 'adam'."
        )
    while len(done) < steps:
        before = len(done)
        optimizer.step(closure)
        if len(done) == before:  # at a stationary point no step is left
            return
        yield len(done), done[-1], image.detach()
