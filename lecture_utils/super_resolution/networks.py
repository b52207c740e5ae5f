"""The super-resolution networks that the book trains: build one, load its weights, enlarge an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lecture_utils import checkpoints
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
    network: nn.Module, image: NDArray[np.uint8], scale: int
) -> NDArray[np.uint8]:
    """Enlarge an image by a network; of colour the network for luminance gets the luminance only.

    Parameters
    ----------
    network
        A network of this book. Its attribute ``interpolated`` says whether it takes the bi-cubically
        enlarged image or the LR image itself; its first layer says for how many channels it is.
    image
        The LR image: 8-bit RGB (H, W, 3), or grey (H, W) for a network of luminance.
    scale
        The scale factor; a network on the LR grid must have been built for it.

    Returns
    -------
    8-bit, ``scale`` times as large, of the same kind. Chroma is enlarged bi-cubically.

    Raises
    ------
    TypeError
        If the image is not 8-bit.
    ValueError
        If the network's result has another size, if a network for colour gets a grey image, or if
        the image has another number of channels.
    """
    from skimage.color import rgb2ycbcr, ycbcr2rgb

    if image.dtype != np.uint8:
        raise TypeError(
            f"enlarge got an image of {image.dtype}; it needs uint8 in 0 .."
            " 255. Of values in [0, 1], `(255 *"
            " image).round().astype(np.uint8)` makes one."
        )
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[-1] != 3):
        raise ValueError(
            f"enlarge got an image of shape {image.shape}; it needs RGB (H, W,"
            " 3) or grey (H, W). Leave out an alpha channel with `image[...,"
            " :3]`."
        )
    for_colour = input_channels(network) == 3
    if image.ndim != 3 and for_colour:
        raise ValueError(
            f"enlarge got an image of shape {image.shape} for a network of"
            " colour images; it needs (H, W, 3). Repeat the grey image three"
            " times, or take a network for luminance."
        )
    if image.ndim == 3 and not for_colour:
        bands = rgb2ycbcr(image).transpose(2, 0, 1)  # in [16, 240]
    else:
        bands = (
            image.astype(np.float64).transpose(2, 0, 1)
            if image.ndim == 3
            else image[None]
        )
    x = torch.from_numpy(np.ascontiguousarray(bands)).float() / 255
    interpolated = imresize(x, scale)
    given = interpolated if network.interpolated else x
    if not for_colour:
        given = given[:1]
    device = next(network.parameters()).device
    y = network(given[None].to(device))[0].float().cpu()
    expected = tuple(interpolated.shape[-2:])
    if tuple(y.shape[-2:]) != expected:
        raise ValueError(
            f"The network made {tuple(y.shape[-2:])} pixels out of"
            f" {tuple(x.shape[-2:])}, and x{scale} needs {expected}. Take the"
            f" network that was trained for x{scale}."
        )
    if image.ndim == 3 and not for_colour:
        bands = (
            torch.cat([y, interpolated[1:]])
            .double()
            .numpy()
            .transpose(1, 2, 0)
        )
        return _to_8_bits(255 * ycbcr2rgb(255 * bands))
    out = 255 * y.double().numpy()
    return _to_8_bits(out.transpose(1, 2, 0) if image.ndim == 3 else out[0])


def _to_8_bits(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.rint(values).clip(0, 255).astype(np.uint8)


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
        shape if network.interpolated else (side // scale for side in shape)
    )
    device = layers[0].weight.device
    was_training = network.training
    try:
        network.eval()(
            torch.zeros(
                1, input_channels(network), height, width, device=device
            )
        )
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    return total


def _convolutions(network: nn.Module) -> list[nn.Conv2d | nn.ConvTranspose2d]:
    return [
        m
        for m in network.modules()
        if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)
    ]


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
