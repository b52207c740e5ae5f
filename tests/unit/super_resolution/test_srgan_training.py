"""The choices of SRGAN's training."""

import pytest

from lecture_utils import start
from lecture_utils.super_resolution.srgan_training import (
    AdversarialSettings,
    srgan_settings,
)


@pytest.fixture
def run():
    return start(profile="ci", device="cpu", quiet=True)


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"content": "relu6_1"}, "content='relu6_1'; it must be one of mse, conv1_1"),
        ({"content": "relu5_4", "depth": 16}, "content='relu5_4'; it must be one of mse, conv1_1"),
        ({"depth": 12}, "depth=12; it must be 16 or 19"),
        ({"content_weight": -1}, "content_weight=-1"),
        ({"width": 0}, "width=0"),
        ({"colour": "y"}, "colour='y'; it must be one of rgb"),
    ],
)
def test_choices_are_checked_when_they_are_made(choice, words):
    with pytest.raises(ValueError, match=words):
        AdversarialSettings(**({"scales": (4,), "steps": 2} | choice))


def test_the_recipes_choose_what_the_page_says(run):
    settings = srgan_settings(run, "relu2_2", 100)
    assert (settings.content, settings.content_weight, settings.scales) == ("relu2_2", 100, (4,))
    assert settings.depth == 19
    assert srgan_settings(run, "relu5_3", 100, depth=16).depth == 16
