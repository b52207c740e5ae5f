"""The decoder of adaptive instance normalisation, over the book's feature network."""

from pathlib import Path

from lecture_utils.recipe import Recipe, Result
from lecture_utils.runtime import Run
from lecture_utils.style_transfer.adain_training import Settings, train_decoder


def _train(run: Run, state: Path, progress: bool) -> Result:
    settings = Settings(
        steps=run.pick(ci=4, book=6_000, full=80_000),
        batch=run.pick(ci=2, book=4, full=16),
        side=run.pick(ci=16, book=128, full=256),
        width=run.pick(ci=4, book=32, full=32),
        held_out=run.pick(ci=1, book=2, full=2),
        held_out_paintings=run.pick(
            ci=("wave",),
            book=("udnie", "vg_wheat_field"),
            full=("udnie", "vg_wheat_field"),
        ),
    )
    return train_decoder(run, state, progress, settings)


RECIPE = Recipe(
    "AdaIN: a decoder for the feature network, any image as style", _train
)
