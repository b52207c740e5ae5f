"""The transform network in the style of The Great Wave off Kanagawa (Katsushika Hokusai, about 1831)."""

from pathlib import Path

from lecture_utils.recipe import Recipe, Result
from lecture_utils.runtime import Run
from lecture_utils.style_transfer.training import own_style, train_style


def _train(run: Run, state: Path, progress: bool) -> Result:
    settings = own_style(run, "wave")
    return train_style(run, state, progress, settings)


RECIPE = Recipe("fast style: The Great Wave off Kanagawa", _train)
