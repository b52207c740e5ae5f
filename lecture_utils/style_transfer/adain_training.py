"""How the decoder of adaptive instance normalisation is trained: the choices, the step, the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lecture_utils import data
from lecture_utils.feature_network import (
    LAYERS,
    FeatureNetwork,
    load_feature_network,
)
from lecture_utils.losses import feature_distance
from lecture_utils.recipe import Result
from lecture_utils.runtime import Run
from lecture_utils.settings import check_known, check_number, check_whole
from lecture_utils.style_transfer.adain import (
    Decoder,
    adaptive_instance_norm,
    repaint,
)
from lecture_utils.style_transfer.distillation import (
    Crops,
    as_tensor,
    photographs,
    set_aside,
)
from lecture_utils.style_transfer.neural_style import Network
from lecture_utils.training import cosine, round_to_half, train

if TYPE_CHECKING:
    from lightning_fabric import Fabric

# First layers of the four blocks, as in the paper.
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")


@dataclass(frozen=True)
class Settings:
    """What the training of the decoder chooses. It is checked here, before anything is trained.

    Attributes
    ----------
    steps, batch, side
        Optimisation steps; pairs of a photograph and a style in each, a whole multiple of 2; and
        the width of their crops in pixels.
    layer, width
        The features that are decoded, and the decoder's feature maps at the image's own size.
    style_layers
        Whose means and standard deviations the painted image should have.
    beta
        Weight of the style beside that of the features that were asked for.
    learning_rate, rise
        Peak of the schedule, and the part of the steps over which the rate rises to it.
    held_out
        Photographs of each set that are set aside.
    held_out_paintings
        Paintings that no training sees.
    evaluations
        How often the decoder is measured during the training; 0 for only after it.
    """

    steps: int
    batch: int = 4
    side: int = 128
    layer: str = "relu4_1"
    width: int = 32
    style_layers: tuple[str, ...] = STYLE_LAYERS
    beta: float = 10.0
    learning_rate: float = 1e-3
    rise: float = 0.02
    held_out: int = 2
    held_out_paintings: tuple[str, ...] = ("vg_wheat_field",)
    evaluations: int = 10

    def __post_init__(self) -> None:
        for name, least in (
            ("steps", 1),
            ("batch", 2),
            ("side", 16),
            ("width", 1),
            ("held_out", 1),
            ("evaluations", 0),
        ):
            self._set(name, check_whole(name, getattr(self, name), least))
        if self.batch % 2 or self.side % 8:
            raise ValueError(
                f"The settings got batch={self.batch} and side={self.side};"
                " they need a whole multiple of 2 and one of 8."
            )
        beta = check_number(
            "beta", self.beta, "of at least 0", lambda x: 0 <= x < inf
        )
        rate = check_number(
            "learning_rate",
            self.learning_rate,
            "above 0",
            lambda x: 0 < x < inf,
        )
        self._set("beta", beta)
        self._set("learning_rate", rate)
        rise = check_number(
            "rise", self.rise, "in 0 .. 1", lambda x: 0 <= x <= 1
        )
        self._set("rise", rise)
        for name in ("style_layers", "held_out_paintings"):
            names = getattr(self, name)
            if isinstance(names, str) or not names:
                raise ValueError(
                    f"The settings got {name}={names!r}; they need a tuple of"
                    " names."
                )
            self._set(name, tuple(names))
        for name in (self.layer, *self.style_layers):
            check_known("layers", name, LAYERS)

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)


def moments(features: Tensor) -> Tensor:
    """Return each channel's mean and standard deviation of features (N, C, H, W): (N, 2 C)."""
    variance, mean = torch.var_mean(features, dim=(2, 3), correction=0)
    return torch.cat([mean, (variance + 1e-5).sqrt()], dim=1)


def moments_distance(
    features: Mapping[str, Tensor], wanted: Mapping[str, Tensor]
) -> Tensor:
    """Return the style term: how far means and standard deviations are from others, a scalar.

    For each layer it is the squared distance over the squared length of the wanted ones, as
    `lecture_utils.losses.feature_distance` has it, and the mean of the layers.

    Parameters
    ----------
    features, wanted
        Features by layer, (N, C, H, W) and (N, C, H', W').
    """
    return torch.stack(
        [
            feature_distance(moments(features[name]), moments(wanted[name]))
            for name in wanted
        ]
    ).mean()


@dataclass(frozen=True)
class Lesson:
    """The decoder, and the losses by which it learns to paint in any style.

    Source: X. Huang and S. Belongie, "Arbitrary style transfer in real-time with adaptive instance
    normalization", ICCV 2017, equations (11) to (13). The distances are relative ones.

    Attributes
    ----------
    fabric
        Computes gradients, in the run's precision and over all processes.
    decoder, optimizer
        The decoder, as Fabric has set it up, and Adam.
    encoder
        Maps images to features by layer; never changed.
    settings
        The layers and weights.
    """

    fabric: Fabric
    decoder: nn.Module
    optimizer: torch.optim.Optimizer
    encoder: Network
    settings: Settings

    def step(self, photographs: Tensor, styles: Tensor) -> dict[str, Tensor]:
        """Paint photographs in the styles of other images, both (N, 3, H, W) in [0, 1]."""
        chosen = self.settings
        with torch.no_grad(), self.fabric.autocast():
            content = self.encoder(photographs)[chosen.layer].float()
            style = {k: h.float() for k, h in self.encoder(styles).items()}
        wanted = adaptive_instance_norm(content, style[chosen.layer])
        painted = self.decoder(wanted)
        with self.fabric.autocast():
            found = self.encoder(painted)
        found = {name: h.float() for name, h in found.items()}
        kept = feature_distance(found[chosen.layer], wanted)
        style = {name: style[name] for name in chosen.style_layers}
        styled = moments_distance(found, style)
        self.optimizer.zero_grad()
        self.fabric.backward(kept + chosen.beta * styled)
        self.optimizer.step()
        return {"content": kept.detach(), "style": styled.detach()}


def train_decoder(
    run: Run, state: Path | None, progress: bool, settings: Settings
) -> Result:
    """Train a decoder for the book's feature network.

    Half of the styles are crops of paintings, and half are other photographs: the paintings alone
    are few.

    Parameters
    ----------
    run, state, progress
        As a recipe gets them; no state is kept where ``state`` is None.
    settings
        The choices.

    Raises
    ------
    CheckpointError
        If the feature network is missing or damaged.
    DataNotFoundError
        If the paintings are not there.
    """
    torch.manual_seed(run.seed)
    layers = tuple(dict.fromkeys((settings.layer, *settings.style_layers)))
    encoder = _encoder(layers, run).to(memory_format=torch.channels_last)
    kept, aside = set_aside(photographs(run), settings.held_out)
    paintings, unseen = _paintings(run, settings)
    crops = Crops(kept, settings.side)
    strokes = Crops({"paintings": paintings}, settings.side)
    decoder = Decoder(settings.layer, settings.width)
    decoder = decoder.to(memory_format=torch.channels_last)
    side = 2 * settings.side
    examples = [as_tensor(x[:side, :side]).to(run.device) for x in aside]
    styles = [as_tensor(x).to(run.device) for x in unseen]
    with torch.no_grad():
        squares = [
            encoder(x)[settings.layer].square().mean() for x in examples
        ]
        decoder.unit.copy_(torch.stack(squares).mean().sqrt())
    model, optimizer = run.fabric.setup(
        decoder, torch.optim.Adam(decoder.parameters())
    )
    lesson = Lesson(run.fabric, model, optimizer, encoder, settings)

    def step(i: int, random: torch.Generator) -> dict[str, Tensor]:
        half = settings.batch // 2
        drawn = (
            crops.draw(settings.batch + half, random, change=False),
            strokes.draw(half, random, change=False),
        )
        batch = run.fabric.to_device(torch.cat(drawn))
        batch = batch.contiguous(memory_format=torch.channels_last)
        return lesson.step(batch[: settings.batch], batch[settings.batch :])

    def evaluate() -> dict[str, float]:
        return held_out(encoder, decoder, examples, styles, settings)

    choices = asdict(settings) | {
        "features": encoder.source,
        "images": {name: len(images) for name, images in kept.items()}
        | {"paintings": len(paintings)},
    }
    history = train(
        run,
        step,
        settings.steps,
        modules={"decoder": model},
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
    tensors = round_to_half(decoder)  # what is shipped is what is measured
    return Result(
        tensors=tensors,
        metrics=evaluate(),
        settings=choices,
        data=[*kept, "paintings"],
        history=history,
    )


def _encoder(layers: Sequence[str], run: Run) -> FeatureNetwork:
    """Return the shipped feature network; in profile ``ci`` a tiny one that was not trained."""
    if run.profile == "ci":
        return FeatureNetwork(layers, widths=(4, 4, 4, 4)).to(run.device)
    return load_feature_network(layers, run)


def _paintings(
    run: Run, settings: Settings
) -> tuple[list[NDArray[np.uint8]], list[NDArray[np.uint8]]]:
    """Return the paintings to train with, and those set aside."""
    if run.profile != "ci":
        data.locate("paintings", run)  # the embedded ones are too few
    found = data.paintings(run=run)
    unknown = [x for x in settings.held_out_paintings if x not in found]
    if unknown:
        raise ValueError(
            f"The settings got held_out_paintings={unknown!r}; they must be"
            f" of the data set paintings: {', '.join(sorted(found))}."
        )
    aside = [found.pop(name) for name in settings.held_out_paintings]
    return list(found.values()), aside


@torch.no_grad()
def held_out(
    encoder: Network,
    decoder: nn.Module,
    photographs: Sequence[Tensor],
    styles: Sequence[Tensor],
    settings: Settings,
) -> dict[str, float]:
    """Measure on photographs and paintings that were set aside, and what it was before.

    Returns
    -------
    ``held_out_style`` is the distance of means and standard deviations of the painted photographs
    to the painting's, and ``held_out_style_before`` that of the photographs themselves;
    ``held_out_content`` is how far the photograph's features at `Settings.layer` have moved.
    """
    rows = []
    for image in photographs:
        own = encoder(image)
        for style in styles:
            wanted = encoder(style)
            wanted = {name: wanted[name] for name in settings.style_layers}
            painted = encoder(
                repaint(encoder, decoder, image, style, layer=settings.layer)
            )
            rows.append(
                (
                    moments_distance(painted, wanted),
                    moments_distance(own, wanted),
                    feature_distance(
                        painted[settings.layer], own[settings.layer]
                    ),
                )
            )
    names = ("style", "style_before", "content")
    means = torch.tensor(rows).mean(dim=0).tolist()
    return {
        f"held_out_{name}": value
        for name, value in zip(names, means, strict=True)
    }
