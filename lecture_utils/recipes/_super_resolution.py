"""What the super-resolution recipes share: patches, schedule, validation, and the report on Set5."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from math import cos, pi
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lecture_utils import checkpoints, data
from lecture_utils.degrade import imresize, modcrop
from lecture_utils.metrics import luminance, psnr, ssim
from lecture_utils.recipes import Result
from lecture_utils.runtime import Run
from lecture_utils.training import train

TRAINING_SETS = ("t91", "bsds500_train", "imagenet_256")


@dataclass(frozen=True)
class Settings:
    """A training's choices.

    Attributes
    ----------
    scales
        Scale factors trained jointly; each batch has one of them.
    steps, batch
        Optimisation steps, and patches in each.
    patch
        Width of a patch of the network's input in pixels.
    learning_rate
        Peak of the schedule: a linear rise over the first 1 %, then half a cosine down to zero.
    clip
        Largest norm of the gradient.
    averaging
        Decay of the exponential moving average of the weights, which is what is shipped.
    loss
        ``l1`` or ``l2``: the mean absolute or the mean squared difference.
    held_out
        Images of each training set that are set aside for validation.
    """

    scales: tuple[int, ...]
    steps: int
    batch: int = 16
    patch: int = 32
    learning_rate: float = 1e-3
    clip: float = 1.0
    averaging: float = 0.999
    loss: str = "l1"
    held_out: int = 7


def training_images(run: Run) -> dict[str, list[NDArray[np.uint8]]]:
    """Return the images (H, W, 3) of each training set that is found, by the set's name.

    Where none is found, the embedded photos serve, so that a recipe can be tried anywhere.
    """
    loaders = {
        "t91": data.t91,
        "bsds500_train": data.bsds500_train,
        "imagenet_256": data.imagenet_256,
    }
    found = [name for name in TRAINING_SETS if data.find(name) is not None]
    if run.profile == "ci" or not found:
        return {"photos": list(data.photos().values())}
    return {name: [image for _, image in sorted(loaders[name]().items())] for name in found}


def split(
    sets: dict[str, list[NDArray[np.uint8]]], held_out: int
) -> tuple[dict[str, list[NDArray[np.uint8]]], list[NDArray[np.uint8]]]:
    """Set ``held_out`` images of each set aside, evenly spaced; return the rest and those."""
    kept: dict[str, list[NDArray[np.uint8]]] = {}
    aside: list[NDArray[np.uint8]] = []
    for name, images in sets.items():
        every = max(2, len(images) // held_out)
        chosen = set(range(every // 2, len(images), every)[:held_out])
        aside += [images[i] for i in sorted(chosen)]
        kept[name] = [image for i, image in enumerate(images) if i not in chosen]
    return kept, aside


def pair(image: NDArray[np.uint8], scale: int, interpolated: bool) -> tuple[Tensor, Tensor]:
    """Return input and target luminance of one image, each (1, H, W) in [0, 1].

    The colour image is degraded as the published low-resolution files are (8 bits, MATLAB's
    imresize), then its luminance is taken.
    """
    high = modcrop(image, scale)
    low = imresize(high, 1 / scale)
    target, given = (
        torch.from_numpy(luminance(x) if x.ndim == 3 else x.astype(np.float64))[None].float() / 255
        for x in (high, low)
    )
    return (imresize(given, scale) if interpolated else given), target


class Patches:
    """Random patches of input and target, turned and mirrored at random.

    Each training set gives the same share of the patches, however large it is, and within a set
    each pixel the same.
    """

    def __init__(
        self, sets: dict[str, list[NDArray[np.uint8]]], settings: Settings, *, interpolated: bool
    ) -> None:
        self.settings = settings
        self.interpolated = interpolated
        self.pairs: dict[int, list[tuple[Tensor, Tensor]]] = {}
        self.weights: dict[int, Tensor] = {}
        for scale in settings.scales:
            self.pairs[scale] = []
            shares = []
            for images in sets.values():
                pairs = [pair(image, scale, interpolated) for image in images]
                large = [p for p in pairs if min(p[0].shape[-2:]) >= settings.patch]
                areas = torch.tensor([float(p[0].numel()) for p in large])
                shares.append(areas / areas.sum())
                self.pairs[scale] += large
            if not self.pairs[scale]:
                raise ValueError(
                    f"No training image holds a patch of {settings.patch} pixels at x{scale}. "
                    "Take smaller patches or larger images."
                )
            self.weights[scale] = torch.cat(shares)

    def draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw one batch: inputs (B, 1, p, p) and targets (B, 1, q, q), q = p or p times scale."""
        wanted = self.settings
        turn = int(torch.randint(len(wanted.scales), (), generator=generator))
        scale = wanted.scales[turn]
        factor = 1 if self.interpolated else scale
        chosen = torch.multinomial(
            self.weights[scale], wanted.batch, replacement=True, generator=generator
        ).tolist()
        places = torch.rand(wanted.batch, 2, generator=generator).tolist()
        turns = torch.randint(8, (wanted.batch,), generator=generator).tolist()
        inputs, targets = [], []
        for index, (u, v), way in zip(chosen, places, turns, strict=True):
            given, target = self.pairs[scale][index]
            p = wanted.patch
            top = int(u * (given.shape[1] - p + 1))
            left = int(v * (given.shape[2] - p + 1))
            x = given[:, top : top + p, left : left + p]
            y = target[:, top * factor : (top + p) * factor, left * factor : (left + p) * factor]
            if way & 1:
                x, y = x.flip(-1), y.flip(-1)
            inputs.append(torch.rot90(x, way >> 1, (-2, -1)))
            targets.append(torch.rot90(y, way >> 1, (-2, -1)))
        return torch.stack(inputs), torch.stack(targets)


def schedule(settings: Settings) -> Callable[[int], float]:
    """Return the learning rate as a function of the step."""
    rise = max(1, settings.steps // 100)

    def rate(i: int) -> float:
        if i < rise:
            return settings.learning_rate * (i + 1) / rise
        return settings.learning_rate * 0.5 * (1 + cos(pi * (i - rise) / (settings.steps - rise)))

    return rate


@torch.no_grad()
def estimates(
    network: nn.Module, pairs: list[tuple[Tensor, Tensor]]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield estimate and reference luminance of each pair, (H, W) float64 in 0 .. 255.

    The estimate is rounded to 8 bits and clipped, as a written image would be.
    """
    device = next(network.parameters()).device
    for given, target in pairs:
        estimate = network(given[None].to(device)).float().cpu()[0, 0]
        yield (estimate * 255).round().clip(0, 255).double(), target[0].double() * 255


def train_network(
    run: Run,
    state: Path,
    progress: bool,
    network: nn.Module,
    settings: Settings,
    *,
    trained: list[nn.Parameter] | None = None,
) -> Result:
    """Train a network on luminance patches; ship the average of its weights.

    Parameters
    ----------
    run, state, progress
        As a recipe gets them.
    network
        Maps (N, 1, H, W) to (N, 1, H', W').
    settings
        The choices.
    trained
        The parameters to train; all of them without it.
    """
    interpolated = bool(network.interpolated)
    sets, held_out = split(training_images(run), settings.held_out)
    side = run.pick(ci=48, book=240, full=240)
    held_out_pairs = {
        scale: [pair(image[:side, :side], scale, interpolated) for image in held_out]
        for scale in settings.scales
    }
    patches = Patches(sets, settings, interpolated=interpolated)

    fabric = run.fabric
    network = network.to(memory_format=torch.channels_last)
    ema = get_ema_multi_avg_fn(settings.averaging)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=ema)
    optimizer = torch.optim.Adam(trained or list(network.parameters()), betas=(0.9, 0.99))
    model, optimizer = fabric.setup(network, optimizer)
    average = average.to(fabric.device)

    def step(i: int, generator: torch.Generator) -> dict[str, Tensor]:
        given, target = (fabric.to_device(x) for x in patches.draw(generator))
        error = model(given.to(memory_format=torch.channels_last)) - target
        loss = error.abs().mean() if settings.loss == "l1" else error.square().mean()
        optimizer.zero_grad()
        fabric.backward(loss)
        fabric.clip_gradients(model, optimizer, max_norm=settings.clip)
        optimizer.step()
        average.update_parameters(network)
        return {"loss": loss.detach()}

    def evaluate() -> dict[str, float]:
        return {
            f"held_out_x{scale}_psnr_y": float(
                np.mean(
                    [
                        psnr(x, y, peak=255.0, border=scale)
                        for x, y in estimates(average, held_out_pairs[scale])
                    ]
                )
            )
            for scale in settings.scales
        }

    history = train(
        run,
        step,
        settings.steps,
        modules={"network": model, "average": average},
        optimizers={"adam": optimizer},
        learning_rate=schedule(settings),
        evaluate=evaluate,
        evaluate_every=max(settings.steps // 25, 10),
        log_every=min(200, max(1, settings.steps // 10)),
        state=state,
        progress=progress,
    )
    metrics = evaluate()
    benchmark, test_images = data.super_resolution_benchmark(run)
    end = run.pick(ci=64, book=None, full=None)
    prefix = "set5" if benchmark == "Set5" else "photos"
    for scale in settings.scales:
        test_pairs = [
            pair(image[:end, :end], scale, interpolated) for image in test_images.values()
        ]
        values = [
            (psnr(x, y, peak=255.0, border=scale), ssim(x, y, peak=255.0, border=scale))
            for x, y in estimates(average, test_pairs)
        ]
        metrics[f"{prefix}_x{scale}_psnr_y"] = float(np.mean([p for p, _ in values]))
        metrics[f"{prefix}_x{scale}_ssim_y"] = float(np.mean([s for _, s in values]))
        for name, (value, _) in zip(test_images, values, strict=True):
            metrics[f"{prefix}_x{scale}_psnr_y_{name}"] = value
    tensors = {key: value.half() for key, value in average.module.state_dict().items()}
    return Result(
        tensors=tensors,
        metrics=metrics,
        settings=asdict(settings)
        | {"optimizer": "Adam", "images": {name: len(images) for name, images in sets.items()}},
        data=list(sets),
        history=history,
    )


def start_from(network: nn.Module, name: str, keep: Callable[[str], bool]) -> None:
    """Copy the shipped checkpoint's tensors whose names pass ``keep`` into the network."""
    tensors, _ = checkpoints.load(name)
    own = network.state_dict()
    network.load_state_dict(own | {key: t for key, t in tensors.items() if keep(key)})
