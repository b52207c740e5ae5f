"""Distil VGG16's features into a narrow network: images, the start, losses, and the reports."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from lecture_utils import data
from lecture_utils.feature_network import LAYERS, FeatureNetwork
from lecture_utils.losses import feature_distance
from lecture_utils.runtime import Run
from lecture_utils.vgg import VGG

Images = dict[str, list[NDArray[np.uint8]]]
Network = Callable[[Tensor], Mapping[str, Tensor]]
# Whose Gram matrices are the style: J. Johnson et al., ECCV 2016.
STYLE_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
PHOTOGRAPHS = ("bsds500_train", "imagenet_256", "flickr8k_256")


# Images


def photographs(run: Run) -> Images:
    """Return the photographs (H, W, 3) of each set that is found, by the set's name.

    In profile ``ci``, and where no set is found, the embedded photographs.
    """
    loaders: dict[str, Callable[..., dict[str, NDArray[np.uint8]]]] = {
        "bsds500_train": data.bsds500_train,
        "imagenet_256": data.imagenet_256,
        "flickr8k_256": data.flickr8k_256,
    }
    found = [
        name
        for name in PHOTOGRAPHS
        if data.find(name) is not None
        or (run.profile == "full" and data.get(name).remote)
    ]
    if run.profile == "ci" or not found:
        return {"photos": list(data.photos().values())}
    with run.fabric.rank_zero_first(local=True):  # one process downloads
        return {name: list(loaders[name](run=run).values()) for name in found}


def set_aside(
    sets: Images, count: int
) -> tuple[Images, list[NDArray[np.uint8]]]:
    """Set ``count`` images of each set aside, evenly spaced; return the rest and those."""
    kept: Images = {}
    aside: list[NDArray[np.uint8]] = []
    for name, images in sets.items():
        every = max(2, len(images) // count)
        chosen = range(every // 2, len(images), every)[:count]
        aside += [images[i] for i in chosen]
        kept[name] = [x for i, x in enumerate(images) if i not in chosen]
    return kept, aside


def as_tensor(image: NDArray[np.uint8]) -> Tensor:
    """Return an 8-bit image (H, W, 3) as (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255


class Crops:
    """Random square crops of photographs, half of them changed.

    A crop shows between one and two times its own width of the photograph and is mirrored at
    random. One half is then blended with another crop, has its contrast changed, or gets noise:
    the features are wanted for images that are no photographs, too.

    Parameters
    ----------
    sets
        Photographs by set; each has the same chance, whatever its set.
    side
        Width of a crop in pixels.
    """

    def __init__(self, sets: Images, side: int) -> None:
        self.side = side
        self.images = [
            image
            for images in sets.values()
            for image in images
            if min(image.shape[:2]) >= side
        ]
        if not self.images:
            raise ValueError(
                f"No photograph holds a crop of {side} pixels. Take smaller"
                " crops or larger photographs."
            )

    def draw(
        self, count: int, generator: torch.Generator, *, change: bool = True
    ) -> Tensor:
        """Draw (count, 3, side, side) in [0, 1]; without ``change`` photographs only."""
        which = torch.randint(len(self.images), (count,), generator=generator)
        u, v, zoom = torch.rand(3, count, generator=generator).tolist()
        mirrored = torch.rand(count, generator=generator) < 0.5
        crops = []
        for k, index in enumerate(which.tolist()):
            image = self.images[index]
            width = int(self.side * max(1.0, 2 * zoom[k]))
            width = min(width, *image.shape[:2])
            top = int(u[k] * (image.shape[0] - width + 1))
            left = int(v[k] * (image.shape[1] - width + 1))
            x = as_tensor(image[top : top + width, left : left + width])
            if width != self.side:
                x = F.interpolate(
                    x, (self.side,) * 2, mode="bilinear", antialias=True
                )
            crops.append(x.flip(-1) if mirrored[k] else x)
        batch = torch.cat(crops)
        return _changed(batch, generator) if change else batch


def _changed(batch: Tensor, generator: torch.Generator) -> Tensor:
    """Blend, change the contrast of, or add noise to about half the images of a batch."""
    each = (len(batch), 1, 1, 1)
    share = 0.6 * torch.rand(each, generator=generator)
    gain = 0.5 + torch.rand((len(batch), 3, 1, 1), generator=generator)
    spread = 0.2 * torch.rand(each, generator=generator)
    noise = torch.randn(batch.shape, generator=generator)
    way = torch.randint(6, each, generator=generator)
    mean = batch.mean(dim=(2, 3), keepdim=True)
    changes = (
        (1 - share) * batch + share * batch.roll(1, dims=0),
        mean + gain * (batch - mean),
        batch + spread * noise,
    )
    for k, changed in enumerate(changes):
        batch = torch.where(way == k, changed, batch)
    return batch.clamp(0, 1)


# Start


@dataclass(frozen=True)
class Statistics:
    """How a layer responds to photographs.

    Attributes
    ----------
    second
        Mean products of two channels, (C, C), float64.
    spread
        Standard deviation about the channels' means, root mean square over the channels.
    """

    second: Tensor
    spread: float


@torch.no_grad()
def statistics(
    teacher: VGG, batches: Iterable[Tensor]
) -> dict[str, Statistics]:
    """Measure the teacher's layers on batches of images."""
    count = dict.fromkeys(teacher.layers, 0)
    sums: dict[str, Tensor | float] = dict.fromkeys(teacher.layers, 0.0)
    products: dict[str, Tensor | float] = dict.fromkeys(teacher.layers, 0.0)
    for images in batches:
        for name, features in teacher(images).items():
            rows = features.transpose(0, 1).flatten(1)  # (C, N H W)
            count[name] += rows.shape[1]
            sums[name] += rows.sum(1).cpu().double()
            products[name] += (rows @ rows.T).cpu().double()
    found = {}
    for name, n in count.items():
        second = torch.as_tensor(products[name]) / n
        mean = torch.as_tensor(sums[name]) / n
        variance = second.diagonal() - mean.square()
        found[name] = Statistics(second, float(variance.mean().sqrt()))
    return found


def most_telling(second: Tensor, count: int) -> Tensor:
    """Choose channels, one after the other, from which linear maps restore all channels best.

    Each choice is the channel whose multiples explain most of what the earlier ones do not: a
    Cholesky factorisation of the matrix of mean products with that choice of the pivot.

    Parameters
    ----------
    second
        Mean products of two channels, (C, C).
    count
        How many to choose, at most C.

    Returns
    -------
    Tensor
        Their numbers, (count,), ascending.
    """
    left = second.clone()
    least = 1e-9 * float(left.diagonal().max())
    chosen: list[int] = []
    for _ in range(count):
        power = left.diagonal()
        explained = left.square().sum(0) / power.clamp(min=least)
        explained[power <= least] = -1  # nothing of it is left
        explained[chosen] = -2
        best = int(explained.argmax())
        chosen.append(best)
        if power[best] > least:
            left = left - torch.outer(left[best], left[best]) / power[best]
    return torch.tensor(sorted(chosen))


@torch.no_grad()
def narrowed(
    teacher: VGG, measured: Mapping[str, Statistics], widths: Sequence[int]
) -> FeatureNetwork:
    """Return a feature network that starts as the teacher without most of its channels.

    In each layer the most telling channels are kept; the next layer's weights and the lift see the
    others as those linear combinations of them that have the smallest mean squared error. All
    responses are divided by their layer's spread, so that the weights of all layers have one size.

    Parameters
    ----------
    teacher
        VGG16 with all of `LAYERS`.
    measured
        Its `statistics`.
    widths
        Channels of the four blocks.
    """
    network = FeatureNetwork(LAYERS, widths=widths)
    restore, before = torch.eye(3, dtype=torch.float64), 1.0
    for name in LAYERS:
        given = teacher.steps[f"conv{name[4:]}"]
        step = network.steps[f"conv{name[4:]}"]
        assert isinstance(given, nn.Conv2d) and isinstance(step, nn.Conv2d)
        assert given.bias is not None
        second, spread = measured[name].second, measured[name].spread
        chosen = most_telling(second, step.out_channels)
        weight = given.weight.cpu().double()[chosen]  # (k, C_in, 3, 3)
        weight = torch.einsum("ociy,ck->okiy", weight, restore)
        bias = given.bias.cpu().double()[chosen]
        step.load_state_dict(
            {"weight": weight * before / spread, "bias": bias / spread}
        )
        own = second[chosen][:, chosen]
        own.diagonal().add_(1e-6 * own.diagonal().mean())
        restore = torch.linalg.solve(own, second[chosen]).T  # (C, k)
        before = spread
        network.lifts[name].load_state_dict(
            {
                "weight": restore[:, :, None, None],
                "bias": torch.zeros(len(restore)),
            }
        )
    return network


@torch.no_grad()
def rescale(
    network: FeatureNetwork, measured: Mapping[str, Statistics]
) -> None:
    """Give features that were divided by their layers' spreads the teacher's units, in place."""
    for name, lift in network.lifts.items():
        for parameter in lift.parameters():
            parameter.mul_(measured[name].spread)


# Losses


def gram_distance(features: Tensor, wanted: Tensor) -> Tensor:
    """Return ||G - G*||^2 / ||G*||^2 of features' Gram matrices (N, C, C), the images' mean."""
    error = (gram(features) - wanted).square().sum(dim=(1, 2))
    return (error / wanted.square().sum(dim=(1, 2))).mean()


def gram(features: Tensor) -> Tensor:
    """Return the mean products of two channels over the positions: (N, C, H, W) to (N, C, C).

    The products are summed in the features' own precision and returned as float32. The gradient
    holds for functions whose derivatives at (m, n) and (n, m) are equal: then one product of
    matrices gives it instead of two.
    """
    rows = features.permute(0, 2, 3, 1).flatten(1, 2)  # (N, H W, C)
    product = rows.detach().transpose(1, 2) @ rows
    product = product.float() / rows.shape[1]
    return product + (product - product.detach())  # twice its gradient


def altered(
    network: Network, images: Tensor, styles: Tensor, steps: int, size: float
) -> Tensor:
    """Change images a little, so that their Gram matrices come nearer to those of other images.

    A network that images are optimised through is asked about images that it has made itself; the
    gradient finds its errors. Each step follows the sign of the gradient.

    Parameters
    ----------
    network
        Maps images to features by layer.
    images, styles
        (N, 3, H, W) in [0, 1].
    steps, size
        How many steps, and by how much a pixel changes in each.
    """
    with torch.no_grad():
        wanted = {name: gram(x) for name, x in network(styles).items()}
    for _ in range(steps):
        images = images.detach().requires_grad_()
        distances = [
            gram_distance(x, wanted[name])
            for name, x in network(images).items()
        ]
        (slope,) = torch.autograd.grad(torch.stack(distances).sum(), images)
        images = (images.detach() - size * slope.sign()).clamp(0, 1)
    return images.detach()


# Report


@torch.no_grad()
def report(
    network: Network, teacher: VGG, images: Iterable[Tensor]
) -> dict[str, float]:
    """Measure what a network misses of the teacher's features, layer by layer.

    Parameters
    ----------
    network
        Gives the teacher's layers in the teacher's units.
    teacher
        VGG16.
    images
        (1, 3, H, W) in [0, 1], of one size.

    Returns
    -------
    ``residual_LAYER`` is the mean squared error over the variance of the teacher's features about
    their channels' means; ``gram_LAYER`` the mean over the images of ||G - G*|| / ||G*||.
    """
    errors: dict[str, list[float]] = {}
    means: dict[str, list[Tensor]] = {}
    squares: dict[str, list[float]] = {}
    grams: dict[str, list[float]] = {}
    for image in images:
        own = network(image)
        for name, wanted in teacher(image).items():
            error = (own[name].float() - wanted).square().mean()
            distance = gram_distance(own[name], gram(wanted)).sqrt()
            errors.setdefault(name, []).append(float(error))
            means.setdefault(name, []).append(wanted.mean(dim=(0, 2, 3)))
            squares.setdefault(name, []).append(float(wanted.square().mean()))
            grams.setdefault(name, []).append(float(distance))
    metrics = {}
    for name in errors:
        mean = torch.stack(means[name]).mean(0)
        variance = np.mean(squares[name]) - float(mean.square().mean())
        metrics[f"residual_{name}"] = float(np.mean(errors[name]) / variance)
        metrics[f"gram_{name}"] = float(np.mean(grams[name]))
    return metrics


# Style transfer through the network, judged by the teacher


def style_pairs(
    run: Run, contents: Sequence[NDArray[np.uint8]], side: int
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return content and style, (1, 3, side, side) in [0, 1] each, by the style's name.

    The styles are paintings where they are found, and the embedded textures otherwise and in
    profile ``ci``. Each gets one of the contents in turn.
    """
    if run.profile == "ci" or data.find("style_images") is None:
        grey = data.textures()
        styles = {k: np.stack([grey[k]] * 3, -1) for k in ("brick", "grass")}
    else:
        found = data.style_images(run=run)
        names = ("vangogh_starry_night", "composition_vii", "wave")
        styles = {k: found[k] for k in names if k in found}

    def square(image: NDArray[np.uint8]) -> Tensor:
        width = min(image.shape[:2])
        top, left = ((n - width) // 2 for n in image.shape[:2])
        x = as_tensor(image[top : top + width, left : left + width])
        x = F.interpolate(x, (side, side), mode="bilinear", antialias=True)
        return x.to(run.device, memory_format=torch.channels_last)

    return {
        name: (square(contents[k % len(contents)]), square(style))
        for k, (name, style) in enumerate(styles.items())
    }


@torch.no_grad()
def style_removed(
    network: Network,
    teacher: Network,
    pairs: Mapping[str, tuple[Tensor, Tensor]],
    steps: int,
) -> dict[str, float]:
    """Compare style transfer through a network with that through its teacher, who judges both.

    Each optimises an image from the content with the lecture's objective for the same number of
    steps. The teacher measures the style loss of the content and of both results.

    Parameters
    ----------
    network, teacher
        Map images to features by layer; both give `STYLE_LAYERS`.
    pairs
        Content and style by name, as `style_pairs` gives them.
    steps
        How many gradients are followed.

    Returns
    -------
    For each pair, and as their mean, what the network removes of the style loss, divided by what
    the teacher removes: ``style_removed_NAME`` and ``style_removed``; and ``speedup``, the time of
    one step through the teacher over that through the network (the shortest of each).
    """
    shares: dict[str, float] = {}
    shortest: list[list[float]] = [[], []]
    for name, (content, style) in pairs.items():
        wanted = _grams(teacher, style)
        before = _style_loss(teacher(content), wanted)
        left = []
        for k, features in enumerate((teacher, network)):
            image, seconds = _transferred(features, content, style, steps)
            shortest[k].append(seconds)
            left.append(_style_loss(teacher(image), wanted))
        shares[name] = float((before - left[1]) / (before - left[0]))
    found = {f"style_removed_{name}": x for name, x in shares.items()}
    return found | {
        "style_removed": float(np.mean(list(shares.values()))),
        "speedup": min(shortest[0]) / min(shortest[1]),
    }


def _grams(network: Network, style: Tensor) -> dict[str, Tensor]:
    features = network(style)
    return {name: gram(features[name]) for name in STYLE_LAYERS}


def _style_loss(
    features: Mapping[str, Tensor], wanted: Mapping[str, Tensor]
) -> Tensor:
    return torch.stack(
        [gram_distance(features[name], wanted[name]) for name in STYLE_LAYERS]
    ).mean()


@torch.no_grad()
def _transferred(
    network: Network, content: Tensor, style: Tensor, steps: int
) -> tuple[Tensor, float]:
    """Return the image that Adam finds from the content, and the seconds of its shortest step."""
    wanted, kept = _grams(network, style), network(content)["relu3_3"]
    image = content.clone().requires_grad_()
    optimizer = torch.optim.Adam([image], lr=0.02)
    shortest = float("inf")
    for _ in range(steps):
        started = time.perf_counter()
        with torch.enable_grad():
            features = network(image)
            distance = feature_distance(features["relu3_3"], kept)
            loss = distance + 10 * _style_loss(features, wanted)
            (image.grad,) = torch.autograd.grad(loss, image)
        optimizer.step()
        image.clamp_(0, 1)
        shortest = min(shortest, time.perf_counter() - started)
    return image.detach(), shortest
