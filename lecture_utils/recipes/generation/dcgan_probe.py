"""What the discriminator of faces has learned: its features under a linear classifier.

Beside them, raw pixels and the same discriminator before any training. The tasks are three
attributes of held-out faces and, as in the paper, CIFAR-10's ten classes, whose photographs the
network has never seen. Nothing is trained but the linear classifiers, in closed form.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lecture_utils import checkpoints, data
from lecture_utils.checkpoints import CheckpointError
from lecture_utils.generation.attributes import ATTRIBUTES
from lecture_utils.generation.dcgan import Discriminator
from lecture_utils.generation.training import eight_bit_faces, load_players
from lecture_utils.recipe import Recipe, Result
from lecture_utils.runtime import Run

STRENGTHS = np.logspace(0, 5, 11)  # of the ridge, chosen by cross-validation


def discriminators(run: Run) -> tuple[Discriminator, Discriminator]:
    """Return the shipped discriminator and one of the same size before training."""
    try:
        tensors, record = checkpoints.load("dcgan_faces")
    except CheckpointError:
        if run.profile != "ci":
            raise
        learned, width = Discriminator(width=2).eval(), 2
    else:
        _, learned = load_players(tensors, record.settings)
        width = record.settings["d_width"] or record.settings["width"]
    torch.manual_seed(run.seed)
    return learned, Discriminator(width=width, normalised=False).eval()


def accuracy(
    known: tuple[Tensor, Tensor], unknown: tuple[Tensor, Tensor]
) -> float:
    """Return the balanced accuracy of a ridge classifier: the mean over the classes.

    Parameters
    ----------
    known, unknown
        Features (N, d) and classes (N,) to fit on, and to measure on.
    """
    from sklearn.linear_model import RidgeClassifierCV
    from sklearn.metrics import balanced_accuracy_score

    mean, spread = known[0].mean(0), known[0].std(0) + 1e-6
    x, new = (((f - mean) / spread).numpy() for f, _ in (known, unknown))
    fit = RidgeClassifierCV(STRENGTHS, class_weight="balanced")
    fit.fit(x, known[1].numpy())
    return float(balanced_accuracy_score(unknown[1].numpy(), fit.predict(new)))


def train(run: Run, state: Path, progress: bool) -> Result:
    """Measure; ``state`` and ``progress`` have no use in closed forms."""
    learned, random = discriminators(run)
    representations: dict[str, Callable[[Tensor], Tensor]] = {
        "pixels": lambda x: x.flatten(1),
        "random": random.features,
        "discriminator": learned.features,
    }
    training, held_out = eight_bit_faces(run)
    names, table = data.celeba_10k_attributes(run=run)
    truth = torch.from_numpy(table).long()
    count = run.pick(ci=60, book=3000, full=9000)
    faces = training[:count], held_out
    labels = truth[:count], truth[len(training) :][: len(held_out)]

    photos, classes = data.cifar10(
        run.pick(ci=200, book=10_000, full=50_000), run=run
    )
    small = torch.from_numpy(photos).permute(0, 3, 1, 2)
    few = len(small) * 3 // 5, len(small) * 4 // 5
    parts = small[: few[0]], small[few[1] :]
    kinds = torch.from_numpy(classes)

    metrics = {}
    for name, function in representations.items():

        def features(
            images: Tensor,
            function: Callable[[Tensor], Tensor] = function,
        ) -> Tensor:
            found = []
            for part in torch.split(images, 250):
                x = part.float() / 255
                if x.shape[-1] != 64:
                    x = F.interpolate(x, (64, 64), mode="bilinear")
                found.append(function(x))
            return torch.cat(found)

        fit, judged = (features(x) for x in faces)
        for attribute in ATTRIBUTES:
            k = names.index(attribute)
            metrics[f"{name}_{attribute}"] = accuracy(
                (fit, labels[0][:, k]), (judged, labels[1][:, k])
            )
        fit, judged = (features(x) for x in parts)
        metrics[f"{name}_cifar10"] = accuracy(
            (fit, kinds[: few[0]]), (judged, kinds[few[1] :])
        )
    settings = {
        "discriminator": "dcgan_faces",
        "images": {"celeba_10k": count, "cifar10": few[0]},
        "held_out": {
            "celeba_10k": len(held_out),
            "cifar10": len(parts[1]),
        },
    }
    return Result({}, metrics, settings, ["celeba_10k", "cifar10"])


RECIPE = Recipe("Linear classifiers on the discriminator's features", train)
