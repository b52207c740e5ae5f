"""What the fast-style recipes share: the choices, the step, and the comparison with optimisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lecture_utils import data
from lecture_utils.losses import feature_distance
from lecture_utils.recipe import Result
from lecture_utils.runtime import Run
from lecture_utils.settings import check_known, check_number, check_whole
from lecture_utils.style_transfer.distillation import (
    STYLE_LAYERS,
    Crops,
    as_tensor,
    photographs,
    set_aside,
)
from lecture_utils.style_transfer.fast_style import TransformNetwork
from lecture_utils.style_transfer.neural_style import (
    Network,
    Objective,
    minimise,
    total_variation,
)
from lecture_utils.style_transfer.texture import gram_matrix, style_distance
from lecture_utils.training import cosine, round_to_half, train
from lecture_utils.vgg import layer_names, load_vgg, random_vgg

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class Settings:
    """What a training of the transform network chooses. It is checked here, before anything is trained.

    Attributes
    ----------
    painting
        The name of the painting, whose style it is, in the data set `paintings`.
    steps, batch, side
        Optimisation steps, photographs in each, and the width of their crops in pixels.
    stroke
        The painting's shorter side in pixels. The larger it is, the larger are the strokes.
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
        How many of these are painted by optimisation, too, and in how many iterations.
    evaluations
        How often the network is measured during the training; 0 for only after it.
    """

    painting: str
    steps: int
    batch: int = 2
    side: int = 256
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
        rise = check_number(
            "rise", self.rise, "in 0 .. 1", lambda x: 0 <= x <= 1
        )
        self._set("rise", rise)
        check_known("upsampling", self.upsampling, ("nearest", "transposed"))
        check_known("content_layer", self.content_layer, layer_names(16))
        if isinstance(self.style_layers, str) or not self.style_layers:
            raise ValueError(
                f"The settings got style_layers={self.style_layers!r}; they"
                " need a tuple of names, such as ('relu2_2', 'relu3_3')."
            )
        for name in self.style_layers:
            check_known("style_layers", name, layer_names(16))
        self._set("style_layers", tuple(self.style_layers))
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


def fast_style(run: Run, painting: str, **changes: Any) -> Settings:
    """Return the choices of the shipped styles, by profile; ``changes`` are one style's own."""
    chosen: dict[str, Any] = {
        "steps": run.pick(ci=2, book=4_000, full=40_000),
        "batch": run.pick(ci=1, book=2, full=8),
        "side": run.pick(ci=32, book=256, full=256),
        "stroke": run.pick(ci=32, book=320, full=320),
        "width": run.pick(ci=4, book=16, full=16),
        "optimised": run.pick(ci=1, book=3, full=6),
        "iterations": run.pick(ci=2, book=50, full=50),
    }
    return Settings(painting, **(chosen | changes))


@dataclass(frozen=True)
class Lesson:
    """The transform network, and the losses by which it learns to paint in one style.

    Source: J. Johnson, A. Alahi and L. Fei-Fei, "Perceptual losses for real-time style transfer and
    super-resolution", ECCV 2016, section 3.

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
        The painting's Gram matrices by layer.
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

    def step(self, photographs: Tensor) -> dict[str, Tensor]:
        """Paint photographs (N, 3, H, W) in [0, 1], and change the network by how they came out."""
        chosen = self.settings
        y = self.network(photographs)
        with torch.no_grad(), self.fabric.autocast():
            wanted = self.content(photographs)[chosen.content_layer]
        with self.fabric.autocast():
            found = self.style(y)
        # Gram matrices of bfloat16 would be rounded before they are compared.
        found = {name: h.float() for name, h in found.items()}
        content = feature_distance(found[chosen.content_layer], wanted.float())
        style = style_distance(found, self.grams, chosen.shares)
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


def train_style(
    run: Run, state: Path | None, progress: bool, settings: Settings
) -> Result:
    """Train a transform network to paint photographs in the style of one painting.

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
    ValueError
        If there is no such painting, or no photograph holds a crop.
    """
    torch.manual_seed(run.seed)
    target = painting(settings.painting, run, settings.stroke)
    find = run.pick(ci=random_vgg, book=load_vgg, full=load_vgg)
    layers = tuple(
        dict.fromkeys((settings.content_layer, *settings.style_layers))
    )
    vgg = find(layers, run, depth=16).to(memory_format=torch.channels_last)
    shallow = find([settings.content_layer], run, depth=16)
    kept, aside = set_aside(photographs(run), settings.held_out)
    crops = Crops(kept, settings.side)
    with torch.no_grad():
        features = vgg(target)
    network = TransformNetwork(settings.width, upsampling=settings.upsampling)
    network = network.to(memory_format=torch.channels_last)
    model, optimizer = run.fabric.setup(
        network, torch.optim.Adam(network.parameters())
    )
    lesson = Lesson(
        fabric=run.fabric,
        network=model,
        optimizer=optimizer,
        content=shallow.to(memory_format=torch.channels_last),
        style=vgg,
        grams={x: gram_matrix(features[x]) for x in settings.style_layers},
        settings=settings,
    )

    def step(i: int, random: torch.Generator) -> dict[str, Tensor]:
        batch = crops.draw(settings.batch, random, change=False)
        batch = run.fabric.to_device(batch)
        return lesson.step(batch.to(memory_format=torch.channels_last))

    examples = [
        as_tensor(x[: settings.side, : settings.side])
        .to(run.device)
        .contiguous(memory_format=torch.channels_last)
        for x in aside
    ]
    objectives = [objective(vgg, x, target, settings) for x in examples]

    def evaluate() -> dict[str, float]:
        return held_out(network, objectives, examples)

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
    n = settings.optimised
    metrics = evaluate() | compare(
        network, objectives[:n], examples[:n], settings.iterations
    )
    return Result(
        tensors=tensors,
        metrics=metrics,
        settings=choices,
        data=list(kept),
        history=history,
    )


def objective(
    network: Network, photograph: Tensor, target: Tensor, settings: Settings
) -> Objective:
    """Return what the network is trained to lower, for one photograph."""
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
def held_out(
    network: nn.Module, objectives: list[Objective], examples: list[Tensor]
) -> dict[str, float]:
    """Return the mean objective at the network's outputs, and its parts without their weights.

    Parameters
    ----------
    network
        Maps (1, 3, H, W) in [0, 1] to the same.
    objectives, examples
        For each photograph its objective, and the photograph itself.
    """
    rows = []
    for goal, photograph in zip(objectives, examples, strict=True):
        painted = network(photograph)
        parts = goal.losses(painted)
        whole = (
            goal.alpha * parts.content
            + goal.beta * parts.style
            + goal.gamma * parts.variation
        )
        rows.append([whole, parts.content, parts.style, parts.variation])
    means = torch.tensor(rows).mean(dim=0).tolist()
    names = ("objective", "content", "style", "variation")
    return {
        f"held_out_{name}": value
        for name, value in zip(names, means, strict=True)
    }


def compare(
    network: nn.Module,
    objectives: list[Objective],
    examples: list[Tensor],
    iterations: int,
) -> dict[str, float]:
    """Return the mean objective at the network's outputs beside that after some iterations of L-BFGS.

    The optimisation starts from the photograph. Its image may leave [0, 1], and the least
    objective that it met is taken: both are to its advantage.
    """
    own = held_out(network, objectives, examples)["held_out_objective"]
    reached = [
        min(value for _, value, _ in minimise(goal, photograph, iterations))
        for goal, photograph in zip(objectives, examples, strict=True)
    ]
    return {
        "compared_network_objective": own,
        f"compared_objective_after_{iterations}_iterations": sum(reached)
        / len(reached),
    }
