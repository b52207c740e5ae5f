"""One transform network for six paintings, by conditional instance normalisation."""

from pathlib import Path

from lecture_utils.recipe import Recipe, Result
from lecture_utils.runtime import Run
from lecture_utils.style_transfer.networks import SHARED
from lecture_utils.style_transfer.training import fast_style, train_style


def _train(run: Run, state: Path, progress: bool) -> Result:
    settings = fast_style(
        run, *SHARED, optimised=run.pick(ci=1, book=6, full=6)
    )
    return train_style(run, state, progress, settings)


RECIPE = Recipe("fast style: one network for six paintings", _train)
