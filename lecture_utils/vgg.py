"""VGG16 and VGG19 as sources of features: any layer by its name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from ssl import SSLError
from typing import TYPE_CHECKING, Literal
from urllib.error import URLError

import numpy as np
import torch
from torch import Tensor, nn

from lecture_utils import data
from lecture_utils.data.store import reading
from lecture_utils.runtime import Run

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

# Convolutions a block and their widths: K. Simonyan and A. Zisserman, ICLR 2015,
# table 1, columns D and E.
BLOCKS = {
    16: ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)),
    19: ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512)),
}
# For each depth the data set of its weights, and the deepest layer that it has.
DATA_SETS = {
    16: ("vgg16_convolutions", "pool5"),
    19: ("vgg19_conv1_1_conv3_4", "pool3"),
}
# At each pooling: by how much maxima exceed means, measured by
# `pooling_factors` with VGG16 on photographs of ImageNet. With them the
# responses of relu2_1 .. relu5_1 stay within 16 % of those after maxima (root
# mean square); with means alone those of relu5_1 fall to 18 %.
POOLING_FACTORS = (1.29, 1.61, 1.65, 1.80, 1.59)
_MEAN = (0.485, 0.456, 0.406)  # of ImageNet's colours, R, G, B in [0, 1]
_STD = (0.229, 0.224, 0.225)
_KERAS_MEAN = (123.68, 116.779, 103.939)  # R, G, B in 0 .. 255


def layer_names(depth: Literal[16, 19] = 19) -> tuple[str, ...]:
    """Return the names of all layers up to ``pool5``, in their order."""
    return tuple(
        name
        for block, (count, _) in enumerate(BLOCKS[depth], 1)
        for name in (
            *(
                f"{kind}{block}_{i}"
                for i in range(1, count + 1)
                for kind in ("conv", "relu")
            ),
            f"pool{block}",
        )
    )


class AveragePool(nn.AvgPool2d):
    """Mean over 2 x 2 positions, times a factor that restores the spread of a maximum.

    A mean of rectified responses is smaller than their maximum. Without the
    factor every later layer would see weaker inputs than it was trained on,
    and its biases would weigh too much.

    Parameters
    ----------
    factor
        Root mean square of the maxima over that of the means, on photographs.
    """

    def __init__(self, factor: float) -> None:
        super().__init__(2)
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Pool (N, C, H, W) to (N, C, H // 2, W // 2)."""
        return self.factor * super().forward(x)


class VGG(nn.Module):
    """The layers of VGG16 or VGG19 up to the deepest one that is wanted, frozen.

    Source: K. Simonyan and A. Zisserman, "Very deep convolutional networks for large-scale image
    recognition", ICLR 2015. SRGAN's VGG22 is ``relu2_2`` and its VGG54 is ``relu5_4``: the j-th
    convolution, after its activation, before the i-th pooling.

    Parameters
    ----------
    layers
        Names out of ``layer_names(depth)``, such as ``relu3_3``; what :meth:`forward` returns.
    depth
        16 or 19: which of the paper's networks.
    pooling
        ``max`` as in the paper, or ``avg``: means of the responses, rescaled by `POOLING_FACTORS`,
        which pass gradients to all positions (L. A. Gatys et al., CVPR 2016, section 2).
    padding
        ``zeros`` as in the paper, or ``replicate``: the border repeats itself, so that an image
        that is optimised has no dark rim to imitate.

    Attributes
    ----------
    source
        Where the weights come from, in words; set by `load_vgg`.
    """

    def __init__(
        self,
        layers: Sequence[str],
        *,
        depth: Literal[16, 19] = 19,
        pooling: Literal["max", "avg"] = "max",
        padding: Literal["zeros", "replicate"] = "zeros",
    ) -> None:
        super().__init__()
        for what, got, known in (
            ("depth", depth, (16, 19)),
            ("pooling", pooling, ("max", "avg")),
            ("padding", padding, ("zeros", "replicate")),
        ):
            if got not in known:
                raise ValueError(
                    f"VGG got the {what} {got!r}; it must be {known[0]!r} or"
                    f" {known[1]!r}."
                )
        names = layer_names(depth)
        unknown = [name for name in layers if name not in names]
        if unknown or not layers:
            raise ValueError(
                f"VGG{depth} got the layers {list(layers)}; it needs at least"
                f" one of {', '.join(names)}."
            )
        self.layers = tuple(layers)
        self.depth = depth
        self.steps = nn.ModuleDict()
        n_in = 3
        for name in names[: max(names.index(name) for name in layers) + 1]:
            block = int(name[4])
            if name.startswith("conv"):
                width = BLOCKS[depth][block - 1][1]
                self.steps[name] = nn.Conv2d(
                    n_in, width, 3, padding=1, padding_mode=padding
                )
                n_in = width
            elif name.startswith("relu"):
                self.steps[name] = nn.ReLU()
            elif pooling == "max":
                self.steps[name] = nn.MaxPool2d(2)
            else:
                self.steps[name] = AveragePool(POOLING_FACTORS[block - 1])
        self.source = "random weights"
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(_MEAN).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(_STD).view(3, 1, 1))
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Map RGB images (N, 3, H, W) in [0, 1] to the wanted layers' features by name."""
        x = (images - self.mean) / self.std  # (N, 3, H, W)
        found: dict[str, Tensor] = {}
        for name, step in self.steps.items():
            x = step(x)  # block b: (N, C_b, H / 2^(b-1), W / 2^(b-1))
            if name in self.layers:
                found[name] = x
        return found


def load_vgg(
    layers: Sequence[str],
    run: Run,
    *,
    depth: Literal[16, 19] = 19,
    pooling: Literal["max", "avg"] = "max",
    padding: Literal["zeros", "replicate"] = "zeros",
) -> VGG:
    """Return VGG with trained weights, on the run's device and in evaluation mode.

    The weights of the data folder are taken where they reach deep enough (VGG16: all layers; VGG19:
    to ``relu3_4``). Otherwise torchvision's are: from its cache, or downloaded in profile ``full``.
    The two networks were trained apart: their layers are never joined.

    Raises
    ------
    DataNotFoundError
        If neither is there; the message says what to do.
    DownloadError, DataCorruptError, DataUnreadableError, OSError
        If torchvision's cannot be downloaded, are damaged, or cannot be read or written.
    """
    network = VGG(layers, depth=depth, pooling=pooling, padding=padding)
    data_set, deepest = DATA_SETS[depth]
    names = layer_names(depth)
    shallow = all(names.index(x) <= names.index(deepest) for x in layers)
    if shallow and data.find(data_set) is not None:
        read = {16: _keras_vgg16, 19: _keras_vgg19}[depth]
        _copy_keras(network, read(data.locate(data_set)))
        network.source = f"VGG{depth}'s own weights (Keras)"
    else:
        _copy_torchvision(network, run)
        network.source = f"VGG{depth}, torchvision's weights"
    return network.eval().to(run.device)


def random_vgg(
    layers: Sequence[str],
    run: Run,
    *,
    depth: Literal[16, 19] = 19,
    pooling: Literal["max", "avg"] = "max",
    padding: Literal["zeros", "replicate"] = "zeros",
) -> VGG:
    """Return VGG with He's random weights: filters of all kinds, but none that was learned."""
    network = VGG(layers, depth=depth, pooling=pooling, padding=padding)
    generator = run.generator(19)
    for step in network.steps.values():
        if isinstance(step, nn.Conv2d):
            std = (2 / (9 * step.in_channels)) ** 0.5
            step.weight.copy_(
                std * torch.randn(step.weight.shape, generator=generator)
            )
            assert step.bias is not None
            step.bias.zero_()
    return network.eval().to(run.device)


def pooling_factors(network: VGG, images: Tensor) -> tuple[float, ...]:
    """Measure, at each pooling, how much larger maxima are than means (root mean square).

    Parameters
    ----------
    network
        A network with ``pooling="avg"``, whose own factors act in the layers before.
    images
        RGB images (N, 3, H, W) in [0, 1].

    Returns
    -------
    One factor a pooling layer of the network.
    """
    x = (images - network.mean) / network.std
    factors = []
    for step in network.steps.values():
        if isinstance(step, AveragePool):
            mean, peak = (
                nn.functional.avg_pool2d(x, 2),
                nn.functional.max_pool2d(x, 2),
            )
            factors.append(
                float((peak.square().mean() / mean.square().mean()).sqrt())
            )
        x = step(x)
    return tuple(factors)


def _keras_vgg19(folder: Path) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Yield name, weight (out, in, 3, 3) and bias of each layer in the TensorFlow.js shards."""
    text = (folder / "model.json").read_text(encoding="utf-8")
    for group in json.loads(text)["weightsManifest"]:
        kernel = group["weights"][0]
        path = folder / group["paths"][0]
        name = kernel["name"].split("/")[0]  # of block1_conv1/kernel
        if not path.exists():  # the folder holds the first eight convolutions
            return
        values = np.fromfile(path, dtype="<f4")
        height, width, n_in, n_out = kernel["shape"]
        weight, offset = np.split(values, [height * width * n_in * n_out])
        weight = weight.reshape(kernel["shape"]).transpose(3, 2, 0, 1)
        yield (
            f"conv{name[5]}_{name[-1]}",
            torch.from_numpy(weight.copy()),
            torch.from_numpy(offset.copy()),
        )


def _keras_vgg16(folder: Path) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Yield name, weight (out, in, 3, 3) and bias of each of the thirteen convolutions."""
    from safetensors import safe_open

    with safe_open(folder / "vgg16_convolutions.safetensors", "pt") as file:
        for key in file.keys():  # noqa: SIM118 - this is no dictionary
            if key.endswith(".w"):
                name = f"conv{key[5]}_{key[-3]}"
                yield (
                    name,
                    file.get_tensor(key).float(),
                    file.get_tensor(key[:-1] + "b").float(),
                )


def _copy_keras(
    network: VGG, layers: Iterator[tuple[str, Tensor, Tensor]]
) -> None:
    """Copy Keras' weights, made for BGR in 0 .. 255 minus the mean colour.

    The network above divides RGB by the colours' spread. The first layer's weights are turned
    round and scaled accordingly, so that its response is the same number.
    """
    network.mean.copy_(torch.tensor(_KERAS_MEAN).view(3, 1, 1) / 255)
    missing = {name for name in network.steps if name.startswith("conv")}
    for name, weight, bias in layers:
        if name not in missing:
            continue
        if name == "conv1_1":
            spread = 255 * torch.tensor(_STD).view(1, 3, 1, 1)
            weight = weight.flip(1) * spread
        step = network.steps[name]
        assert isinstance(step, nn.Conv2d)
        step.load_state_dict({"weight": weight, "bias": bias})
        missing.remove(name)
    if missing:
        raise data.DataCorruptError(
            f"The weights of VGG{network.depth} in {DATA_SETS[network.depth][0]}"
            f" lack the layers {', '.join(sorted(missing))}. Check them with"
            f" `python -m lecture_utils data check {DATA_SETS[network.depth][0]}`."
        )


def _copy_torchvision(network: VGG, run: Run) -> None:
    """Copy torchvision's weights from its cache; download them in profile ``full`` only."""
    from torchvision.models import VGG16_Weights, VGG19_Weights

    weights = {
        16: VGG16_Weights.IMAGENET1K_V1,
        19: VGG19_Weights.IMAGENET1K_V1,
    }[network.depth]
    data_set, deepest = DATA_SETS[network.depth]
    cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    if run.profile != "full" and not cached.exists():
        raise data.DataNotFoundError(
            f"The weights of VGG{network.depth} for the layers"
            f" {', '.join(network.layers)} are not here. Choose the profile"
            " full, which downloads torchvision's (about 550 MB), or set"
            " LECTURE_DATA_DIR to a folder that holds"
            f" {data.get(data_set).folder} (layers up to {deepest})."
        )
    given = _torchvision_weights(weights, cached, run.profile == "full")
    for index, (_, step) in enumerate(network.steps.items()):
        if isinstance(step, nn.Conv2d):
            step.weight.copy_(given[f"features.{index}.weight"])
            assert step.bias is not None
            step.bias.copy_(given[f"features.{index}.bias"])


def _torchvision_weights(
    weights: WeightsEnum, cached: Path, progress: bool
) -> Mapping[str, Tensor]:
    """Return torchvision's weights, downloaded where they are not in the cache."""

    def load() -> Mapping[str, Tensor]:
        # weights_only: nothing in the file is run
        state: Mapping[str, Tensor] = weights.get_state_dict(
            progress=progress, check_hash=True, weights_only=True
        )
        return state

    if cached.exists():
        with reading(cached):
            return load()
    if not cached.is_absolute():  # ~, which stands for nothing
        raise data.DataNotFoundError(
            "This account has no home folder, and so no place for"
            " torchvision's weights. Set TORCH_HOME to a folder that you may"
            " write to."
        )
    try:
        return load()
    except (
        URLError,
        HTTPException,
        ConnectionError,
        SSLError,
        TimeoutError,
    ) as error:
        raise data.DownloadError(
            f"{weights.url} could not be downloaded ({error}). Check the"
            f" network and try again, or put the file into {cached.parent}."
        ) from error
    except OSError as error:
        raise OSError(
            error.errno,
            f"{cached} could not be written ({error.strerror}). Free some"
            " space, or set TORCH_HOME to a folder that you may write to, and"
            " try again",
        ) from error
    except RuntimeError as error:  # torch's word for a hash that differs; it has deleted the file
        raise data.DataCorruptError(
            f"What was downloaded from {weights.url} is not torchvision's"
            f" file: {error}. Try again; a download that breaks off gives"
            " this, too."
        ) from error
