"""The super-resolution networks that the book trains: build one, load its weights, enlarge an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lecture_utils import checkpoints
from lecture_utils.images import described, eight_bits, whole_number
from lecture_utils.resize import imresize
from lecture_utils.super_resolution.fsrcnn import (
    FSRCNN,
    TransitionState1,
    transition_state_2,
)
from lecture_utils.super_resolution.srcnn import SRCNN
from lecture_utils.super_resolution.srgan import SRResNet
from lecture_utils.super_resolution.vdsr import VDSR


@dataclass(frozen=True)
class Network:
    """One network of the book.

    Attributes
    ----------
    title
        Its name in tables and captions.
    scales
        The scale factors that its shipped weights are trained for.
    build
        Makes it with fresh weights.
    """

    title: str
    scales: tuple[int, ...]
    build: Callable[[], nn.Module]


def _generator() -> SRResNet:
    return SRResNet(blocks=8)


NETWORKS: dict[str, Network] = {
    "srcnn_x3": Network("SRCNN 9-1-5", (3,), SRCNN),
    "srcnn_ex_x3": Network("SRCNN-Ex 9-5-5", (3,), lambda: SRCNN((9, 5, 5))),
    "transition_1_x3": Network(
        "Transition state 1", (3,), lambda: TransitionState1(3)
    ),
    "transition_2_x3": Network(
        "Transition state 2", (3,), lambda: transition_state_2(3)
    ),
    "fsrcnn_x2": Network("FSRCNN", (2,), lambda: FSRCNN(2)),
    "fsrcnn_x3": Network("FSRCNN", (3,), lambda: FSRCNN(3)),
    "fsrcnn_x4": Network("FSRCNN", (4,), lambda: FSRCNN(4)),
    "vdsr": Network("VDSR", (2, 3, 4), VDSR),
    "srresnet": Network("SRResNet", (4,), _generator),
    "srgan_mse": Network("SRGAN-MSE", (4,), _generator),
    "srgan_vgg22": Network("SRGAN-VGG22", (4,), _generator),
    "srgan_vgg34": Network("SRGAN-VGG34", (4,), _generator),
    "srgan_vgg54": Network("SRGAN-VGG54", (4,), _generator),
    "srgan_vgg16_53": Network("SRGAN-VGG16-53", (4,), _generator),
}


def build(name: str) -> nn.Module:
    """Return a network of `NETWORKS` with fresh weights.

    Raises
    ------
    KeyError
        If there is no network of that name.
    """
    if name not in NETWORKS:
        raise KeyError(
            f"There is no network {name!r}; there are: {', '.join(NETWORKS)}."
        )
    return NETWORKS[name].build()


def load(name: str, device: torch.device | str = "cpu") -> nn.Module:
    """Return a network of `NETWORKS` with its shipped weights, ready to be used on ``device``."""
    network = build(name)
    tensors, _ = checkpoints.load(name)
    network.load_state_dict(tensors)
    return network.eval().to(device)


@torch.no_grad()
def enlarge(
    network: nn.Module,
    image: NDArray[np.uint8],
    scale: int,
    *,
    bands: Literal["ycbcr"] | None = None,
) -> NDArray[np.uint8]:
    """Enlarge an image by a network; of colour the network for luminance gets the luminance only.

    The network computes on its own device, in its own precision, and as in use: dropout and batch
    normalisation do not see the image as a batch of a training.

    Parameters
    ----------
    network
        A network of this book, also wrapped (``DataParallel``, Fabric's, ``torch.compile``,
        ``Sequential``). Its attribute ``interpolated`` says whether it takes the bi-cubically enlarged
        image or the LR image itself; its first layer says for how many channels it is.
    image
        The LR image: 8-bit RGB (H, W, 3), or grey (H, W) or (H, W, 1) for a network of luminance.
    scale
        The scale factor; a network on the LR grid must have been built for it.
    bands
        ``ycbcr`` for a network that was trained on all three of Y, Cb and Cr; one for three channels
        is taken to see RGB otherwise.

    Returns
    -------
    8-bit, ``scale`` times as large, of the same kind. Chroma is enlarged bi-cubically.

    Raises
    ------
    TypeError
        If the image is not 8-bit.
    ValueError
        If the network's result has another size, if a network for colour gets a grey image, if the
        image has another number of channels, or if the network does not say what it takes.
    """
    from skimage.color import rgb2ycbcr, ycbcr2rgb

    image = eight_bits(image, "enlarge")
    scale = whole_number(scale, "The scale factor")
    colour = image.shape[2:] == (3,)
    channels = input_channels(network)
    if channels == 3 and not colour:
        raise ValueError(
            f"enlarge got {described(image)} for a network of colour images;"
            " it needs (H, W, 3). Repeat the grey image three times, or take a"
            " network for luminance."
        )
    in_ycbcr = colour and (channels == 1 or bands == "ycbcr")
    values = rgb2ycbcr(image) if in_ycbcr else image.astype(np.float64)
    stacked = values.reshape(*image.shape[:2], -1).transpose(2, 0, 1)
    x = torch.from_numpy(np.ascontiguousarray(stacked)).float() / 255
    enlarged = imresize(x, scale)
    given = enlarged if takes_interpolated(network) else x
    weight = _convolutions(network)[0].weight
    with in_use(network):
        y = network(given[None, :channels].to(weight.device, weight.dtype))
    y = y[0].float().cpu()
    expected = tuple(enlarged.shape[-2:])
    if tuple(y.shape[-2:]) != expected:
        raise ValueError(
            f"The network made {tuple(y.shape[-2:])} pixels out of"
            f" {tuple(x.shape[-2:])}, and x{scale} needs {expected}. Take the"
            f" network that was trained for x{scale}."
        )
    complete = torch.cat([y, enlarged[channels:]])
    out = complete.double().numpy().transpose(1, 2, 0) * 255
    if in_ycbcr:
        out = 255 * ycbcr2rgb(out)
    eight: NDArray[np.uint8] = np.rint(out).clip(0, 255).astype(np.uint8)
    return eight.reshape(*expected, *image.shape[2:])


@contextmanager
def in_use(network: nn.Module) -> Iterator[None]:
    """Set a network to evaluation, and afterwards to what it was."""
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)


def takes_interpolated(network: nn.Module) -> bool:
    """Say whether a network takes the bi-cubically enlarged image, or the LR image itself.

    Raises
    ------
    ValueError
        If neither the network nor a part of it says so.
    """
    for part in network.modules():  # of a wrapper the network is a part
        if hasattr(part, "interpolated"):
            return bool(part.interpolated)
    raise ValueError(
        f"A {type(network).__name__} does not say what it takes. Set its"
        " attribute `interpolated`: True for the bi-cubically enlarged image,"
        " False for the LR image itself."
    )


def input_channels(network: nn.Module) -> int:
    """Return how many channels a network's images have: 1 for luminance, 3 for colour."""
    return int(_convolutions(network)[0].in_channels)


def weight_count(network: nn.Module) -> int:
    """Count the weights of the convolutions, without biases and PReLU, as the papers do."""
    return sum(layer.weight.numel() for layer in _convolutions(network))


@torch.no_grad()
def multiply_adds(
    network: nn.Module, scale: int, shape: tuple[int, int]
) -> int:
    """Count the multiplications with a following addition that one HR image costs.

    A convolution multiplies each of its weights once at each position of the grid on which its
    kernel is placed: that of its output, or, for a fractionally strided one, of its input.

    Parameters
    ----------
    network
        A network of this book.
    scale
        The scale factor.
    shape
        Height and width of the HR image in pixels, multiples of ``scale``.
    """
    total = 0

    def count(
        layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor
    ) -> None:
        nonlocal total
        assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
        grid = inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output
        total += layer.weight.numel() * grid.shape[-2] * grid.shape[-1]

    layers = _convolutions(network)
    hooks = [layer.register_forward_hook(count) for layer in layers]
    height, width = (
        shape
        if takes_interpolated(network)
        else (side // scale for side in shape)
    )
    zeros = layers[0].weight.new_zeros(
        1, input_channels(network), height, width
    )
    try:
        with in_use(network):
            network(zeros)
    finally:
        for hook in hooks:
            hook.remove()
    return total


def _convolutions(network: nn.Module) -> list[nn.Conv2d | nn.ConvTranspose2d]:
    found = [
        m
        for m in network.modules()
        if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)
    ]
    if not found:
        raise ValueError(
            f"A {type(network).__name__} without a convolution is no network"
            " for images. Take one of those that `build` makes."
        )
    return found


def from_published(
    network: nn.Module, published: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Return a state for ``network.load_state_dict`` made from a checkpoint with other names.

    Published PyTorch checkpoints of VDSR and FSRCNN name their layers differently, but hold the
    same tensors in the order of the computation: weight and bias of each convolution, and the
    slopes of each PReLU. They are matched in this order. Two differences are made up for:
    convolutions without biases (VDSR) get zeros, and a single slope stands for all channels.

    A state does not hold a deconvolution's padding. Where the checkpoint's network had another one
    than `enlarging_deconvolution` chooses, set ``padding`` and ``output_padding`` of the layer to
    those, or the image moves: padding 4, which many take at every scale, is one pixel at x3 and x4.

    Parameters
    ----------
    network
        A network of this book.
    published
        The checkpoint's ``state_dict``, in its own order.

    Raises
    ------
    ValueError
        If a shape does not fit, or tensors are missing or left over: then it is another network.
    """
    entries = list(published.items())
    own = network.state_dict()
    state: dict[str, Tensor] = {}
    place = 0
    for name, tensor in own.items():
        is_bias = name.endswith(".bias")
        given = entries[place] if place < len(entries) else None
        if is_bias and (given is None or not given[0].endswith("bias")):
            state[name] = torch.zeros_like(tensor)
            continue
        if given is None:
            raise ValueError(
                f"The checkpoint holds {len(entries)} tensors, and none is"
                f" left for {name!r} of shape {tuple(tensor.shape)}. Check"
                " that it is a checkpoint of this network."
            )
        value = given[1].to(tensor)
        if value.numel() == 1 and tensor.ndim == 1:
            value = value.reshape(1).expand_as(tensor).clone()
        if value.shape != tensor.shape:
            raise ValueError(
                f"The checkpoint's {given[0]!r} has the shape"
                f" {tuple(value.shape)}, and {name!r} needs"
                f" {tuple(tensor.shape)}. Build the network with the"
                " checkpoint's sizes."
            )
        state[name] = value
        place += 1
    if place < len(entries):
        raise ValueError(
            f"The checkpoint has {len(entries) - place} more tensors than the"
            f" network, from {entries[place][0]!r} on. Check that it is a"
            " checkpoint of this network."
        )
    return state
