"""What the super-resolution recipes share: patches, schedule, validation, and the report on Set5."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lecture_utils import data
from lecture_utils.metrics import luminance, psnr, ssim
from lecture_utils.recipe import Result, train_each
from lecture_utils.resize import imresize, modcrop
from lecture_utils.runtime import Run
from lecture_utils.settings import check_known, check_number, check_whole
from lecture_utils.super_resolution.fsrcnn import FSRCNN, stretch
from lecture_utils.super_resolution.networks import load
from lecture_utils.training import cosine, round_to_half, train

_FLAWLESS = 100.0  # dB
TRAINING_SETS = ("t91", "bsds500_train", "imagenet_256")
OPTIMIZERS = ("adam", "sgd")
COLOURS = ("y", "ycbcr", "rgb")
Images = dict[str, list[NDArray[np.uint8]]]
LOSSES: dict[str, Callable[[Tensor], Tensor]] = {
    "l1": lambda error: error.abs().mean(),
    "l2": lambda error: error.square().mean(),
    "sum": lambda error: 0.5 * error.square().sum() / len(error),
}


class StandIn(Images):
    """The embedded photos, in place of whatever training sets are wanted and not found."""


@dataclass(frozen=True)
class PatchSettings:
    """What every training on patches chooses. It is checked here, before anything is trained.

    Attributes
    ----------
    scales
        Scale factors trained jointly: each patch has one of them, or each batch where the
        network enlarges.
    steps, batch
        Optimisation steps, and patches in each.
    patch
        Width of a patch of the network's input in pixels.
    learning_rate
        Peak of the schedule: a linear rise, then half a cosine down to zero.
    rise
        Part of the steps over which the learning rate rises.
    averaging
        Decay of the exponential moving average of the weights, which is what is shipped.
    colour
        What the network sees: ``y`` (luminance), ``ycbcr`` or ``rgb``.
    sets, images
        Training sets to take (all that there are without), and how many images of each (all).
        Where no set is found, the embedded photos stand in for each.
    held_out
        Images of each training set that are set aside for validation; a set of one image keeps it.
    evaluations
        How often the network is validated during the training; 0 for only after it.
    """

    scales: tuple[int, ...]
    steps: int
    batch: int = 16
    patch: int = 32
    learning_rate: float = 1e-3
    rise: float = 0.01
    averaging: float = 0.999
    colour: str = "y"
    sets: tuple[str, ...] = ()
    images: int | None = None
    held_out: int = 7
    evaluations: int = 25

    def __post_init__(self) -> None:
        if isinstance(self.scales, int) or not self.scales:
            raise ValueError(
                f"The settings got scales={self.scales!r}; they need at least"
                " one, such as scales=(3,)."
            )
        if isinstance(self.sets, str):
            raise ValueError(
                f"The settings got sets={self.sets!r}; they need a tuple of"
                f" names, such as sets=({self.sets!r},)."
            )
        scales = tuple(
            check_whole("scales", scale, 2) for scale in self.scales
        )
        self._set(scales=scales, sets=tuple(self.sets))
        for name in ("steps", "batch", "patch"):
            self._set(**{name: check_whole(name, getattr(self, name), 1)})
        for name in ("held_out", "evaluations"):
            self._set(**{name: check_whole(name, getattr(self, name), 0)})
        if self.images is not None:
            self._set(images=check_whole("images", self.images, 1))
        self._set(
            learning_rate=check_number(
                "learning_rate",
                self.learning_rate,
                "above 0",
                lambda x: 0 < x < inf,
            ),
            rise=check_number(
                "rise", self.rise, "in 0 .. 1", lambda x: 0 <= x <= 1
            ),
            averaging=check_number(
                "averaging",
                self.averaging,
                "in 0 .. 1, without 1",
                lambda x: 0 <= x < 1,
            ),
        )
        check_known("colour", self.colour, COLOURS)

    def _set(self, **values: Any) -> None:
        """Keep a value as it will stand in a record: plain numbers, tuples."""
        for name, value in values.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Settings(PatchSettings):
    """The choices of a training that compares pixels.

    Attributes
    ----------
    optimizer
        ``adam`` or ``sgd`` (momentum 0.9).
    clip
        Largest norm of the gradient; infinity clips nothing.
    clip_update
        VDSR's adjustable clipping: each entry of the gradient is cut to this value divided by the
        learning rate, so no weight moves further than it (without momentum). 0 clips nothing.
    loss
        ``l1`` or ``l2``: the mean absolute or the mean squared difference; ``sum``: half the
        squared difference, summed over a patch and averaged over the batch.
    """

    optimizer: str = "adam"
    clip: float = 1.0
    clip_update: float = 0.0
    loss: str = "l1"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_known("optimizer", self.optimizer, OPTIMIZERS)
        check_known("loss", self.loss, tuple(LOSSES))
        self._set(
            clip=check_number("clip", self.clip, "above 0", lambda x: x > 0),
            clip_update=check_number(
                "clip_update",
                self.clip_update,
                "of at least 0",
                lambda x: 0 <= x < inf,
            ),
        )
        if self.clip_update and self.clip < inf:
            raise ValueError(
                f"The settings got clip={self.clip} and"
                f" clip_update={self.clip_update}; a training clips in one"
                " way. Set clip to infinity, or clip_update to 0."
            )


def training_images(run: Run) -> Images:
    """Return the images (H, W, 3) of each training set that is found, by the set's name.

    Profile ``full`` downloads those that are missing and can be had. In the others the embedded
    photos serve where none is found, so that a recipe can be tried anywhere.
    """
    loaders = {
        "t91": data.t91,
        "bsds500_train": data.bsds500_train,
        "imagenet_256": data.imagenet_256,
    }
    found = [
        name
        for name in TRAINING_SETS
        if data.find(name) is not None
        or (run.profile == "full" and data.get(name).remote)
    ]
    if run.profile == "ci" or not found:
        return StandIn(photos=list(data.photos().values()))
    with run.fabric.rank_zero_first(
        local=True
    ):  # one process a machine downloads
        images = {name: loaders[name](run=run) for name in found}
    return {
        name: [image for _, image in sorted(images[name].items())]
        for name in found
    }


def split(
    sets: Images, held_out: int
) -> tuple[Images, list[NDArray[np.uint8]]]:
    """Set ``held_out`` images of each set aside, evenly spaced; return the rest and those.

    At least every other image stays, so a set of one image has none set aside.
    """
    kept: Images = {}
    aside: list[NDArray[np.uint8]] = []
    for name, images in sets.items():
        every = max(2, len(images) // max(held_out, 1))
        chosen = set(range(every // 2, len(images), every)[:held_out])
        aside += [images[i] for i in sorted(chosen)]
        kept[name] = [
            image for i, image in enumerate(images) if i not in chosen
        ]
    return kept, aside


def in_colour(image: NDArray[np.uint8], colour: str) -> Tensor:
    """Return an 8-bit image, (H, W, 3) or grey (H, W), as a network sees it: (C, H, W) in [0, 1].

    Parameters
    ----------
    image
        8-bit RGB or grey.
    colour
        ``y``, ``ycbcr`` (both BT.601, studio swing) or ``rgb``.
    """
    from skimage.color import rgb2ycbcr

    if colour == "y":
        grey = (
            luminance(image) if image.ndim == 3 else image.astype(np.float64)
        )
        return torch.from_numpy(grey)[None].float() / 255
    if image.ndim == 2:
        image = np.stack([image] * 3, axis=-1)
    bands: NDArray[np.float64] = (
        rgb2ycbcr(image) if colour == "ycbcr" else image.astype(float)
    )
    return torch.from_numpy(bands.transpose(2, 0, 1).copy()).float() / 255


def pair(
    image: NDArray[np.uint8], scale: int, interpolated: bool, colour: str = "y"
) -> tuple[Tensor, Tensor]:
    """Return input and target of one image, each (C, H, W) in [0, 1].

    The colour image is degraded as the published low-resolution files are (8 bits, MATLAB's
    imresize), then brought to the colours that the network sees.
    """
    high = modcrop(image, scale)
    given, target = (
        in_colour(x, colour) for x in (imresize(high, 1 / scale), high)
    )
    return (imresize(given, scale) if interpolated else given), target


class Patches:
    """Random patches of input and target, turned and mirrored at random.

    Each training set gives the same share of the patches, however large it is, and within a set
    each pixel the same.
    """

    def __init__(
        self, sets: Images, settings: PatchSettings, *, interpolated: bool
    ) -> None:
        self.settings = settings
        self.interpolated = interpolated
        self.pairs: dict[int, list[tuple[Tensor, Tensor]]] = {}
        self.weights: dict[int, Tensor] = {}
        self.images = dict.fromkeys(sets, 0)  # how many are large enough
        for scale in settings.scales:
            self.pairs[scale] = []
            shares = []
            for name, images in sets.items():
                pairs = [
                    pair(x, scale, interpolated, settings.colour)
                    for x in images
                ]
                large = [
                    p for p in pairs if min(p[0].shape[-2:]) >= settings.patch
                ]
                areas = torch.tensor([float(p[0][0].numel()) for p in large])
                shares.append(areas / areas.sum())
                self.pairs[scale] += large
                self.images[name] = max(self.images[name], len(large))
            if not self.pairs[scale]:
                raise ValueError(
                    f"No training image holds a patch of {settings.patch}"
                    f" pixels at x{scale}. Take smaller patches or larger"
                    " images."
                )
            self.weights[scale] = torch.cat(shares)

    def draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw one batch: inputs (B, C, p, p) and targets (B, C, q, q), q = p or p times scale.

        Where the input is interpolated, all scales have patches of one size, and each patch draws
        its own scale; otherwise the batch has one.
        """
        wanted = self.settings
        draws = wanted.batch if self.interpolated else 1
        turns = torch.randint(
            len(wanted.scales), (draws,), generator=generator
        )
        scales = [
            wanted.scales[turn] for turn in turns.expand(wanted.batch).tolist()
        ]
        chosen = {
            scale: (
                torch.multinomial(
                    self.weights[scale],
                    wanted.batch,
                    replacement=True,
                    generator=generator,
                ).tolist()
            )
            for scale in sorted(set(scales))
        }
        places = torch.rand(wanted.batch, 2, generator=generator).tolist()
        ways = torch.randint(8, (wanted.batch,), generator=generator).tolist()
        inputs, targets = [], []
        for k, (scale, (u, v), way) in enumerate(
            zip(scales, places, ways, strict=True)
        ):
            factor = 1 if self.interpolated else scale
            given, target = self.pairs[scale][chosen[scale][k]]
            p = wanted.patch
            top = int(u * (given.shape[1] - p + 1))
            left = int(v * (given.shape[2] - p + 1))
            x = given[:, top : top + p, left : left + p]
            y = target[
                :,
                top * factor : (top + p) * factor,
                left * factor : (left + p) * factor,
            ]
            if way & 1:
                x, y = x.flip(-1), y.flip(-1)
            inputs.append(torch.rot90(x, way >> 1, (-2, -1)))
            targets.append(torch.rot90(y, way >> 1, (-2, -1)))
        return torch.stack(inputs), torch.stack(targets)


def schedule(settings: PatchSettings) -> Callable[[int], float]:
    """Return the learning rate as a function of the step."""
    return cosine(settings.learning_rate, settings.steps, settings.rise)


def eight_bit_luminance(image: Tensor, colour: str) -> Tensor:
    """Return the luminance (H, W), float64 in 0 .. 255, of an estimate (C, H, W) in [0, 1].

    The estimate, in the colours that `in_colour` names, is first rounded to 8 bits and clipped.
    """
    eight_bits = (255 * image.cpu().double()).round().clip(0, 255)
    return (
        255 * luminance(eight_bits / 255)[0]
        if colour == "rgb"
        else eight_bits[0]
    )


@torch.no_grad()
def estimates(
    network: nn.Module, pairs: list[tuple[Tensor, Tensor]], colour: str = "y"
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield estimate and reference luminance of each pair, (H, W) float64 in 0 .. 255.

    The estimate is rounded to 8 bits and clipped, as a written image would be.
    """
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    for given, target in pairs:
        estimate = network(given[None].to(device)).float().cpu()[0]
        reference = (
            eight_bit_luminance(target, colour)
            if colour == "rgb"
            else 255 * target[0].double()
        )
        yield eight_bit_luminance(estimate, colour), reference
    network.train(was_training)


def report(
    run: Run, network: nn.Module, scales: tuple[int, ...], colour: str
) -> dict[str, float]:
    """Measure a network on Set5 where it is found, otherwise on crops of the embedded photos."""
    benchmark, images = data.super_resolution_benchmark(run)
    end = run.pick(ci=64, book=None, full=None)
    prefix = "set5" if benchmark == "Set5" else "photos"
    metrics: dict[str, float] = {}
    for scale in scales:
        pairs = [
            pair(image[:end, :end], scale, bool(network.interpolated), colour)
            for image in images.values()
        ]
        values = [
            (
                psnr(x, y, peak=255.0, border=scale),
                ssim(x, y, peak=255.0, border=scale),
            )
            for x, y in estimates(network, pairs, colour)
        ]
        metrics[f"{prefix}_x{scale}_psnr_y"] = float(
            np.mean([p for p, _ in values])
        )
        metrics[f"{prefix}_x{scale}_ssim_y"] = float(
            np.mean([s for _, s in values])
        )
        for name, (value, _) in zip(images, values, strict=True):
            metrics[f"{prefix}_x{scale}_psnr_y_{name}"] = value
    return metrics


def validation(
    run: Run,
    network: nn.Module,
    images: list[NDArray[np.uint8]],
    settings: PatchSettings,
    *,
    interpolated: bool,
) -> Callable[[], dict[str, float]]:
    """Return a function that measures the network on the images set aside.

    An image of one colour, or with nothing inside the border, says nothing about a network and is
    left out; where no image is left at a scale, nothing is returned for it.
    """
    side = run.pick(ci=48, book=240, full=240)
    pairs = {}
    for scale in settings.scales:
        prepared = (
            pair(x[:side, :side], scale, interpolated, settings.colour)
            for x in images
            if min(x.shape[:2]) >= 3 * scale  # more than the borders
        )
        inside = slice(scale, -scale)
        pairs[scale] = [
            (given, target)
            for given, target in prepared
            if np.ptp(target[0, inside, inside].numpy()) > 0
        ]

    def evaluate() -> dict[str, float]:
        measured = {}
        for scale in settings.scales:
            values = [
                # An estimate without any error has an infinite PSNR.
                min(psnr(x, y, peak=255.0, border=scale), _FLAWLESS)
                for x, y in estimates(network, pairs[scale], settings.colour)
            ]
            if values:
                measured[f"held_out_x{scale}_psnr_y"] = float(np.mean(values))
        return measured

    return evaluate


def evaluation_interval(settings: PatchSettings, least: int = 10) -> int:
    """Return how many steps lie between two evaluations; after the last step is one anyway."""
    if not settings.evaluations:
        return settings.steps
    return max(settings.steps // settings.evaluations, least)


def train_network(
    run: Run,
    state: Path | None,
    progress: bool,
    network: nn.Module,
    settings: Settings,
    *,
    sets: Images | None = None,
) -> Result:
    """Train a network on patches; ship the average of its weights.

    Parameters
    ----------
    run, state, progress
        As a recipe gets them; no state is kept where ``state`` is None.
    network
        Maps (N, C, H, W) to (N, C, H', W'). Parameters without a gradient stay as they are.
    settings
        The choices.
    sets
        Images to train on, 8-bit RGB or grey, instead of `training_images`.

    Raises
    ------
    ValueError
        If there is no image to train on or none that holds a patch, or the network does not take
        the settings' colour.
    DataNotFoundError
        If a set that the settings name is not there.
    """
    interpolated = bool(network.interpolated)
    first = next(m for m in network.modules() if isinstance(m, nn.Conv2d))
    channels = 1 if settings.colour == "y" else 3
    if first.in_channels != channels:
        raise ValueError(
            f"The settings got colour={settings.colour!r}, which is"
            f" {channels} channel(s); the network's first convolution takes"
            f" {first.in_channels}. Choose another colour, or build the"
            " network for this one."
        )
    kept, held_out, aside = training_and_validation(run, settings, sets)
    patches = Patches(kept, settings, interpolated=interpolated)

    fabric = run.fabric
    network = network.to(memory_format=torch.channels_last)
    average = moving_average(network, settings.averaging)
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimizer: torch.optim.Optimizer
    if settings.optimizer == "sgd":
        optimizer = torch.optim.SGD(
            parameters, lr=settings.learning_rate, momentum=0.9
        )
    else:
        optimizer = torch.optim.Adam(parameters, betas=(0.9, 0.99))
    model, optimizer = fabric.setup(network, optimizer)
    average = average.to(fabric.device)
    rate = schedule(settings)

    def step(i: int, generator: torch.Generator) -> dict[str, Tensor]:
        given, target = (fabric.to_device(x) for x in patches.draw(generator))
        error = model(given.to(memory_format=torch.channels_last)) - target
        loss = LOSSES[settings.loss](error)
        optimizer.zero_grad()
        fabric.backward(loss)
        if settings.clip_update:
            fabric.clip_gradients(
                model, optimizer, clip_val=settings.clip_update / rate(i)
            )
        elif settings.clip < float("inf"):
            fabric.clip_gradients(model, optimizer, max_norm=settings.clip)
        optimizer.step()
        average.update_parameters(network)
        return {"loss": loss.detach()}

    evaluate = validation(
        run, average, held_out, settings, interpolated=interpolated
    )
    choices = describe(settings, kept)
    history = train(
        run,
        step,
        settings.steps,
        modules={"network": model, "average": average},
        optimizers={settings.optimizer: optimizer},
        learning_rate=rate,
        evaluate=evaluate if settings.evaluations else None,
        evaluate_every=evaluation_interval(settings),
        log_every=min(200, max(1, settings.steps // 10)),
        state=state,
        settings=choices,
        save_every=run.pick(ci=0.0, book=60.0, full=60.0),
        progress=progress,
    )
    tensors = round_to_half(average.module)
    metrics = evaluate() | report(
        run, average.module, settings.scales, settings.colour
    )
    return Result(
        tensors=tensors,
        metrics=metrics,
        settings=choices | {"images": patches.images, "held_out": aside},
        data=list(kept),
        history=history,
    )


def training_and_validation(
    run: Run, settings: PatchSettings, sets: Images | None = None
) -> tuple[Images, list[NDArray[np.uint8]], dict[str, int]]:
    """Return the images to train on, those set aside, and how many these are of each set.

    Parameters
    ----------
    run, settings, sets
        As in `train_network`, whose errors these are.
    """
    sets = training_images(run) if sets is None else sets
    if not sets or not all(len(images) for images in sets.values()):
        found = {name: len(images) for name, images in sets.items()}
        raise ValueError(
            f"The training got sets of so many images: {found or 'none'}; it"
            " needs at least one set, with at least one image in each. Leave"
            " sets out to train on the sets that are found."
        )
    kept, held_out = split(sets, settings.held_out)
    aside = {name: len(sets[name]) - len(kept[name]) for name in sets}
    lacking = [name for name in settings.sets if name not in kept]
    if lacking and not isinstance(sets, StandIn):
        fetch = f"`python -m lecture_utils data fetch {lacking[0]}` gets it, or says how."
        advice = fetch if lacking[0] in data.DATASETS else "Name one of these."
        raise data.DataNotFoundError(
            f"This training takes the set {lacking[0]!r}, and found are"
            f" {', '.join(kept)}. {advice}"
        )
    wanted = [name for name in kept if name in settings.sets] or list(kept)
    kept = {name: kept[name][: settings.images] for name in wanted}
    return kept, held_out, aside


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """Return the exponential moving average of a network's weights, to be updated at each step."""
    ema = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(network, multi_avg_fn=ema)


def describe(settings: PatchSettings, sets: Images) -> dict[str, Any]:
    """Return the choices and how many images of each set were trained on, for a record."""
    content = {
        key: value
        for key, value in asdict(settings).items()
        if value != float("inf")
    }
    return content | {
        "images": {name: len(images) for name, images in sets.items()}
    }


@dataclass(frozen=True)
class Variant:
    """One of several trainings that are compared: how its network is built, and its choices."""

    build: Callable[[], nn.Module]
    settings: Settings


Variants = Callable[[Run, int], Mapping[str, Variant]]


def train_variants(
    run: Run,
    state: Path | None,
    progress: bool,
    variants: Mapping[str, Variant],
    *,
    sets: Images | None = None,
    ship: bool = False,
) -> Result:
    """Train several networks one after the other; see `lecture_utils.recipe.train_each`.

    Parameters
    ----------
    run, state, progress, sets
        As in `train_network`; the states stand beside ``state``.
    variants
        By name.
    ship
        Whether the weights are part of the result.
    """
    sets = training_images(run) if sets is None else sets

    def training(variant: Variant) -> Callable[[Path | None], Result]:
        def train(own: Path | None) -> Result:
            network = variant.build()
            return train_network(
                run, own, progress, network, variant.settings, sets=sets
            )

        return train

    trainings = {name: training(v) for name, v in variants.items()}
    return train_each(run, state, trainings, ship=ship)


def variant_tensors(
    tensors: Mapping[str, Tensor], name: str
) -> dict[str, Tensor]:
    """Return one variant's weights of all that ship, in float32; one that diverged has none."""
    prefix = f"{name}:"
    return {
        key.removeprefix(prefix): value.float()
        for key, value in tensors.items()
        if key.startswith(prefix)
    }


def ablation_settings(run: Run, steps: int) -> Settings:
    """Return the choices that the ablations of SRCNN start from."""
    return Settings(
        scales=(3,),
        steps=steps,
        batch=run.pick(ci=2, book=16, full=64),
        patch=36,
    )


def ablation(
    variants: Variants, *, book: int, ship: bool = False
) -> Callable[..., Result]:
    """Return a recipe's function: train every variant, ``book`` steps each in profile ``book``."""

    def train(run: Run, state: Path | None, progress: bool) -> Result:
        steps = run.pick(ci=10, book=book, full=20 * book)
        return train_variants(
            run, state, progress, variants(run, steps), ship=ship
        )

    return train


def start_from_scale(network: FSRCNN, name: str) -> None:
    """Start FSRCNN from the shipped one of another scale: its features, its kernels sampled anew.

    The features alone are no start: fresh kernels interpolate the first feature map, and in a
    trained network that is no longer the image.
    """
    source = load(name)
    assert isinstance(source, FSRCNN)
    network.features.load_state_dict(source.features.state_dict())
    stretch(network.enlarge, source.enlarge)
