"""The transform network in the style of Composition VII (Wassily Kandinsky, 1913)."""

from pathlib import Path

from lecture_utils.recipe import Recipe, Result
from lecture_utils.runtime import Run
from lecture_utils.style_transfer.training import own_style, train_style


def _train(run: Run, state: Path, progress: bool) -> Result:
    settings = own_style(run, "composition_vii")
    return train_style(run, state, progress, settings)


RECIPE = Recipe("fast style: Composition VII", _train)
