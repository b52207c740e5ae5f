"""What the fast-style recipes share: the choices, the step, and the comparison with optimisation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from lecture_utils import checkpoints, data
from lecture_utils.losses import feature_distance
from lecture_utils.recipe import Result
from lecture_utils.runtime import Run
from lecture_utils.settings import check_known, check_number, check_whole
from lecture_utils.style_transfer.distillation import (
    STYLE_LAYERS,
    Crops,
    as_tensor,
    gram,
    photographs,
    set_aside,
)
from lecture_utils.style_transfer.fast_style import TransformNetwork
from lecture_utils.style_transfer.networks import MANY
from lecture_utils.style_transfer.neural_style import (
    Network,
    Objective,
    minimise,
    total_variation,
)
from lecture_utils.training import History, cosine, round_to_half, train
from lecture_utils.vgg import VGG, layer_names, load_vgg, random_vgg

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class Settings:
    """What a training of the transform network chooses. It is checked here, before anything is trained.

    Attributes
    ----------
    paintings
        The paintings, whose styles they are, by their names in the data set `paintings`.
    steps, batch, side
        Optimisation steps, photographs in each, and the width of their crops in pixels.
    early, early_batch, early_side
        The part of the steps that comes first, with its photographs and their width. Small crops
        show more photographs in the same time, and strokes have the painting's size in both.
    start
        The checkpoint whose weights are the first ones, of a network that has these paintings
        among its own; without it they are drawn.
    stroke
        The paintings' shorter side in pixels. The larger it is, the larger are the strokes.
    width, upsampling
        Of `lecture_utils.style_transfer.fast_style.TransformNetwork`.
    content_layer, style_layers, style_weights
        Layers of VGG16; the content's, and the style's with the weight of each.
    alpha, beta, gamma
        Weights of content, style and total variation. Content and style are relative distances.
    learning_rate, rise
        Peak of the schedule, and the part of the steps over which the rate rises to it.
    held_out
        Photographs of each set that are set aside.
    optimised, iterations
        How many of the held-out cases are painted by optimisation, too, and in how many iterations.
    evaluations
        How often the network is measured during the training; 0 for only after it.
    """

    paintings: tuple[str, ...]
    steps: int
    batch: int = 1
    side: int = 256
    early: float = 0.75
    early_batch: int = 2
    early_side: int = 128
    start: str = ""
    stroke: int = 320
    width: int = 16
    upsampling: str = "nearest"
    content_layer: str = "relu3_3"
    style_layers: tuple[str, ...] = STYLE_LAYERS
    style_weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    alpha: float = 1.0
    beta: float = 10.0
    gamma: float = 0.5
    learning_rate: float = 2e-3
    rise: float = 0.02
    held_out: int = 2
    optimised: int = 3
    iterations: int = 50
    evaluations: int = 10

    def __post_init__(self) -> None:
        for name, least in (
            ("steps", 1),
            ("batch", 1),
            ("side", 16),
            ("early_batch", 1),
            ("early_side", 16),
            ("stroke", 16),
            ("width", 1),
            ("held_out", 1),
            ("optimised", 1),
            ("iterations", 1),
            ("evaluations", 0),
        ):
            self._set(name, check_whole(name, getattr(self, name), least))
        for name in ("alpha", "beta", "gamma"):
            value = check_number(
                name,
                getattr(self, name),
                "of at least 0",
                lambda x: 0 <= x < inf,
            )
            self._set(name, value)
        rate = check_number(
            "learning_rate",
            self.learning_rate,
            "above 0",
            lambda x: 0 < x < inf,
        )
        self._set("learning_rate", rate)
        for name in ("early", "rise"):
            part = check_number(
                name, getattr(self, name), "in 0 .. 1", lambda x: 0 <= x <= 1
            )
            self._set(name, part)
        check_known("upsampling", self.upsampling, ("nearest", "transposed"))
        check_known("content_layer", self.content_layer, layer_names(16))
        for name, example in (
            ("paintings", "('starry_night', 'wave')"),
            ("style_layers", "('relu2_2', 'relu3_3')"),
        ):
            value = getattr(self, name)
            if isinstance(value, str) or not value:
                raise ValueError(
                    f"The settings got {name}={value!r}; they need a tuple of"
                    f" names, such as {example}."
                )
            self._set(name, tuple(value))
        for name in self.style_layers:
            check_known("style_layers", name, layer_names(16))
        weights = tuple(
            check_number(
                "style_weights", x, "of at least 0", lambda x: 0 <= x < inf
            )
            for x in self.style_weights
        )
        if len(weights) != len(self.style_layers) or not sum(weights):
            raise ValueError(
                f"The settings got style_weights={weights!r} for"
                f" {len(self.style_layers)} layers; they need one weight a"
                " layer, and one that is not 0."
            )
        self._set("style_weights", weights)

    def _set(self, name: str, value: Any) -> None:
        """Keep a value as it will stand in a record: plain numbers, tuples."""
        object.__setattr__(self, name, value)

    @property
    def shares(self) -> dict[str, float]:
        """The weight of each of the style's layers."""
        return dict(zip(self.style_layers, self.style_weights, strict=True))

    def crops(self, i: int) -> tuple[int, int]:
        """Return how many photographs step i sees, and the width of their crops."""
        if i < round(self.early * self.steps):
            return self.early_batch, self.early_side
        return self.batch, self.side


def fast_style(run: Run, *paintings: str, **changes: Any) -> Settings:
    """Return the choices that all recipes start from, by profile; ``changes`` are one's own."""
    chosen: dict[str, Any] = {
        "steps": run.pick(ci=4, book=8_000, full=40_000),
        "batch": run.pick(ci=1, book=1, full=8),
        "side": run.pick(ci=32, book=256, full=256),
        "early_batch": run.pick(ci=2, book=2, full=16),
        "early_side": run.pick(ci=16, book=128, full=128),
        "stroke": run.pick(ci=32, book=320, full=320),
        "width": run.pick(ci=4, book=16, full=16),
        "optimised": run.pick(ci=1, book=3, full=6),
        "iterations": run.pick(ci=2, book=50, full=50),
    }
    return Settings(paintings, **(chosen | changes))


def own_style(run: Run, painting: str, **changes: Any) -> Settings:
    """Return the choices of a network for one painting, which starts from that for several."""
    chosen: dict[str, Any] = {
        "start": run.pick(ci="", book=MANY, full=MANY),
        "steps": run.pick(ci=4, book=2_000, full=20_000),
        "early": 0.5,
        "learning_rate": 1e-3,
        "evaluations": 5,
    }
    return fast_style(run, painting, **(chosen | changes))


def style_distances(
    features: Mapping[str, Tensor],
    grams: Mapping[str, Tensor],
    shares: Mapping[str, float],
) -> Tensor:
    """Return for each image how far its Gram matrices are from others: the style term, (N,).

    It is `lecture_utils.style_transfer.texture.style_distance` of one image after the other. The
    products are summed in the features' own precision, which takes half the time in bfloat16.

    Parameters
    ----------
    features
        Features by layer, (N, C, H, W).
    grams
        The Gram matrices that are wanted, (N, C, C).
    shares
        The weight of each layer.
    """
    total = sum(shares.values())
    distances = []
    for name, share in shares.items():
        error = (gram(features[name]) - grams[name]).square().sum((1, 2))
        distances.append(
            share / total * error / grams[name].square().sum((1, 2))
        )
    return torch.stack(distances).sum(dim=0)


@dataclass(frozen=True)
class Lesson:
    """The transform network, and the losses by which it learns to paint.

    Sources: J. Johnson, A. Alahi and L. Fei-Fei, "Perceptual losses for real-time style transfer
    and super-resolution", ECCV 2016, section 3; for several styles V. Dumoulin, J. Shlens and
    M. Kudlur, "A learned representation for artistic style", ICLR 2017, section 2.2.

    Attributes
    ----------
    fabric
        Computes gradients, in the run's precision and over all processes.
    network, optimizer
        The transform network, as Fabric has set it up, and Adam.
    content, style
        VGG16 up to the content's layer and up to the style's deepest one: two, since the
        photograph itself is needed less deep.
    grams
        The S paintings' Gram matrices by layer, (S, C, C).
    settings
        The weights and layers.
    """

    fabric: Fabric
    network: nn.Module
    optimizer: torch.optim.Optimizer
    content: Network
    style: Network
    grams: Mapping[str, Tensor]
    settings: Settings

    def step(self, photographs: Tensor, which: Tensor) -> dict[str, Tensor]:
        """Paint photographs (N, 3, H, W) in the styles ``which`` (N,); learn from how they came out."""
        chosen = self.settings
        mix = F.one_hot(which, len(chosen.paintings)).to(photographs)
        y = self.network(photographs, mix)
        with torch.no_grad(), self.fabric.autocast():
            wanted = self.content(photographs)[chosen.content_layer].float()
        with self.fabric.autocast():
            found = self.style(y)
        content = feature_distance(found[chosen.content_layer].float(), wanted)
        grams = {name: each[which] for name, each in self.grams.items()}
        style = style_distances(found, grams, chosen.shares).mean()
        variation = total_variation(y)
        self.optimizer.zero_grad()
        self.fabric.backward(
            chosen.alpha * content
            + chosen.beta * style
            + chosen.gamma * variation
        )
        self.optimizer.step()
        parts = {"content": content, "style": style, "variation": variation}
        return {name: part.detach() for name, part in parts.items()}


def painting(name: str, run: Run, shorter: int) -> Tensor:
    """Return a painting, (1, 3, H, W) in [0, 1], with a shorter side of so many pixels.

    The embedded paintings are too small to train with; they do in profile ``ci``.

    Raises
    ------
    DataNotFoundError
        If the data set `paintings` is not there.
    ValueError
        If it is none of them.
    """
    if run.profile != "ci":
        data.locate("paintings", run)
    images = data.paintings(run=run)
    if name not in images:
        raise ValueError(
            f"The painting is {name!r}; it must be one of the data set"
            f" paintings: {', '.join(sorted(images))}."
        )
    image = images[name]
    factor = shorter / min(image.shape[:2])
    height, width = (round(factor * n) for n in image.shape[:2])
    return F.interpolate(
        as_tensor(image), (height, width), mode="bilinear", antialias=True
    ).to(run.device)


def first_weights(
    settings: Settings, folder: Path | str = checkpoints.FOLDER
) -> TransformNetwork:
    """Return the network as the training starts: drawn at random, or from a checkpoint.

    Of the checkpoint's styles those that are trained are taken, with all that styles share.

    Raises
    ------
    CheckpointError
        If the checkpoint is missing or damaged.
    ValueError
        If it is another network's, or lacks one of the paintings.
    """
    styles = len(settings.paintings)
    network = TransformNetwork(
        settings.width, styles, upsampling=settings.upsampling
    )
    if not settings.start:
        return network
    tensors, record = checkpoints.load(settings.start, folder)
    own = record.settings
    for name in ("width", "upsampling"):
        if own[name] != getattr(settings, name):
            raise ValueError(
                f"The training is to start from {settings.start}, whose"
                f" {name} is {own[name]!r}, with {getattr(settings, name)!r}."
                " Take the same."
            )
    lacking = [x for x in settings.paintings if x not in own["paintings"]]
    if lacking:
        raise ValueError(
            f"The training is to start from {settings.start}, which has no"
            f" style {', '.join(lacking)}; it has"
            f" {', '.join(own['paintings'])}. Start without it."
        )
    rows = [own["paintings"].index(x) for x in settings.paintings]
    network.load_state_dict(
        {
            key: value[rows] if key.endswith(("scale", "shift")) else value
            for key, value in tensors.items()
        }
    )
    return network


def train_style(
    run: Run, state: Path | None, progress: bool, settings: Settings
) -> Result:
    """Train a transform network to paint photographs in the style of one painting, or of several.

    Parameters
    ----------
    run, state, progress
        As a recipe gets them; no state is kept where ``state`` is None.
    settings
        The choices.

    Raises
    ------
    DataNotFoundError
        If the paintings or the weights of VGG16 are not there.
    CheckpointError
        If the training starts from a checkpoint that is not there.
    ValueError
        If there is no such painting, no photograph holds a crop, or the start does not fit.
    """
    torch.manual_seed(run.seed)
    network = first_weights(settings).to(memory_format=torch.channels_last)
    targets = [
        painting(name, run, settings.stroke) for name in settings.paintings
    ]
    find = run.pick(ci=random_vgg, book=load_vgg, full=load_vgg)
    layers = tuple(
        dict.fromkeys((settings.content_layer, *settings.style_layers))
    )
    vgg = find(layers, run, depth=16).to(memory_format=torch.channels_last)
    shallow = find([settings.content_layer], run, depth=16)
    kept, aside = set_aside(photographs(run), settings.held_out)
    crops = {
        side: Crops(kept, side)
        for side in (settings.early_side, settings.side)
    }
    model, optimizer = run.fabric.setup(
        network, torch.optim.Adam(network.parameters())
    )
    lesson = Lesson(
        fabric=run.fabric,
        network=model,
        optimizer=optimizer,
        content=shallow.to(memory_format=torch.channels_last),
        style=vgg,
        grams=gram_matrices(vgg, targets, settings.style_layers),
        settings=settings,
    )

    def step(i: int, random: torch.Generator) -> dict[str, Tensor]:
        count, side = settings.crops(i)
        batch = crops[side].draw(count, random, change=False)
        batch = run.fabric.to_device(batch)
        which = torch.randint(len(targets), (count,), generator=random)
        return lesson.step(
            batch.to(memory_format=torch.channels_last),
            run.fabric.to_device(which),
        )

    cases = held_out_cases(vgg, aside, targets, run, settings)

    def evaluate() -> dict[str, float]:
        return held_out(network, cases)

    choices = asdict(settings) | {
        "features": vgg.source,
        "images": {name: len(images) for name, images in kept.items()},
    }
    history = train(
        run,
        step,
        settings.steps,
        modules={"network": model},
        optimizers={"adam": optimizer},
        learning_rate=cosine(
            settings.learning_rate, settings.steps, settings.rise
        ),
        evaluate=evaluate if settings.evaluations else None,
        evaluate_every=max(1, settings.steps // max(1, settings.evaluations)),
        log_every=min(50, max(1, settings.steps // 4)),
        state=state,
        settings=choices,
        save_every=run.pick(ci=0.0, book=60.0, full=60.0),
        progress=progress,
    )
    tensors = round_to_half(network)  # what is shipped is what is measured
    metrics = evaluate() | compare(
        network, cases[: settings.optimised], settings.iterations
    )
    return Result(
        tensors=tensors,
        metrics=metrics,
        settings=choices,
        data=[*kept, "paintings"],
        history=history,
    )


def train_variants(
    run: Run,
    state: Path | None,
    progress: bool,
    variants: Mapping[str, Settings],
) -> Result:
    """Train networks with different choices one after the other, each with a state of its own.

    Names of tensors are ``VARIANT:NAME``, those of curves and metrics ``VARIANT: NAME``.
    """
    history, results = History(), {}
    for name, settings in variants.items():
        own = state and state.with_name(f"{state.stem}-{name}{state.suffix}")
        result = train_style(run, own, progress, settings)
        assert result.history is not None
        history.steps += result.history.steps
        history.seconds += result.history.seconds
        for key, curve in result.history.curves.items():
            history.curves[f"{name}: {key}"] = curve
        results[name] = result
    return Result(
        tensors={
            f"{name}:{key}": value
            for name, result in results.items()
            for key, value in result.tensors.items()
        },
        metrics={
            f"{name}: {key}": value
            for name, result in results.items()
            for key, value in result.metrics.items()
        },
        settings={name: r.settings for name, r in results.items()},
        data=next(iter(results.values())).data,
        history=history,
    )


@torch.no_grad()
def gram_matrices(
    network: Network, paintings: Iterable[Tensor], layers: Sequence[str]
) -> dict[str, Tensor]:
    """Return the Gram matrices of S paintings (1, 3, H, W) of any sizes by layer, (S, C, C)."""
    found = [network(image) for image in paintings]
    return {
        name: torch.cat([gram(features[name]) for features in found])
        for name in layers
    }


@dataclass(frozen=True)
class Case:
    """A photograph that was set aside and a style to paint it in.

    Attributes
    ----------
    painting
        The painting's name.
    mix
        The style in the network, (1, S).
    photograph
        (1, 3, H, W) in [0, 1].
    objective
        What the painted photograph should make small.
    """

    painting: str
    mix: Tensor
    photograph: Tensor
    objective: Objective


def held_out_cases(
    network: VGG,
    aside: Sequence[NDArray[np.uint8]],
    targets: Sequence[Tensor],
    run: Run,
    settings: Settings,
) -> list[Case]:
    """Return all photographs in the one style, or each of several styles with two photographs."""
    count = len(targets)
    rounds = len(aside) if count == 1 else 2
    cases = []
    for j in range(rounds):
        for k, (name, target) in enumerate(
            zip(settings.paintings, targets, strict=True)
        ):
            image = aside[(j + k * rounds) % len(aside)]
            photograph = (
                as_tensor(image[: settings.side, : settings.side])
                .to(run.device)
                .contiguous(memory_format=torch.channels_last)
            )
            mix = F.one_hot(torch.tensor([k]), count).to(photograph)
            goal = objective(network, photograph, target, settings)
            cases.append(Case(name, mix, photograph, goal))
    return cases


def objective(
    network: Network, photograph: Tensor, target: Tensor, settings: Settings
) -> Objective:
    """Return what the network is trained to lower, for one photograph and one painting."""
    return Objective(
        network,
        photograph,
        target,
        content_layer=settings.content_layer,
        style_layers=settings.shares,
        alpha=settings.alpha,
        beta=settings.beta,
        gamma=settings.gamma,
    )


@torch.no_grad()
def held_out(network: nn.Module, cases: Sequence[Case]) -> dict[str, float]:
    """Return the mean objective at the network's outputs, and its parts without their weights.

    Where the cases have several paintings, the objective of each is there, too.

    Parameters
    ----------
    network
        Maps photographs (1, 3, H, W) in [0, 1] and a mixture of styles (1, S) to the same.
    cases
        What is painted, and how it is judged.
    """
    rows = []
    for case in cases:
        goal = case.objective
        painted = network(case.photograph, case.mix)
        parts = goal.losses(painted)
        whole = (
            goal.alpha * parts.content
            + goal.beta * parts.style
            + goal.gamma * parts.variation
        )
        rows.append([whole, parts.content, parts.style, parts.variation])
    values = torch.tensor(rows)
    names = ("objective", "content", "style", "variation")
    found = {
        f"held_out_{name}": value
        for name, value in zip(names, values.mean(dim=0).tolist(), strict=True)
    }
    paintings = dict.fromkeys(case.painting for case in cases)
    if len(paintings) > 1:
        for name in paintings:
            own = torch.tensor([case.painting == name for case in cases])
            found[f"held_out_objective_{name}"] = float(values[own, 0].mean())
    return found


def compare(
    network: nn.Module, cases: Sequence[Case], iterations: int
) -> dict[str, float]:
    """Return the mean objective at the network's outputs beside that after some iterations of L-BFGS.

    The optimisation starts from the photograph. Its image may leave [0, 1], and the least
    objective that it met is taken: both are to its advantage.
    """
    own = held_out(network, cases)["held_out_objective"]
    reached = [
        min(
            value
            for _, value, _ in minimise(
                case.objective, case.photograph, iterations
            )
        )
        for case in cases
    ]
    return {
        "compared_network_objective": own,
        f"compared_objective_after_{iterations}_iterations": sum(reached)
        / len(reached),
    }
