"""The transform network in the style of The Starry Night (Vincent van Gogh, 1889)."""

from pathlib import Path

from lecture_utils.recipe import Recipe, Result
from lecture_utils.runtime import Run
from lecture_utils.style_transfer.training import own_style, train_style


def _train(run: Run, state: Path, progress: bool) -> Result:
    settings = own_style(run, "starry_night")
    return train_style(run, state, progress, settings)


RECIPE = Recipe("fast style: The Starry Night", _train)
