"""The one place that says what an image is, and what is kept of sizes seen before."""

from decimal import Decimal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lecture_utils import images
from lecture_utils.kept import Kept

REFUSED = (True, np.bool_(True), 2.5, "2", None, float("nan"), float("inf"), [2], Decimal(2))


@pytest.mark.parametrize("two", [2, np.int8(2), np.uint64(2), 2.0, np.float32(2), torch.tensor(2)])
def test_whole_numbers_of_any_kind(two):
    assert images.whole_number(two, "n") == 2
    assert type(images.whole_number(two, "n")) is int


@pytest.mark.parametrize("value", REFUSED)
def test_what_is_no_whole_number_is_a_sentence(value):
    with pytest.raises(ValueError, match=r"^n is .*; it must be a whole number of at least 1\.$"):
        images.whole_number(value, "n")


def test_a_whole_number_has_its_least_value():
    assert images.whole_number(0, "n", least=0) == 0
    with pytest.raises(ValueError, match="at least 0"):
        images.whole_number(-1, "n", least=0)


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    leading=st.lists(st.sampled_from([1, 3]), max_size=2),
)
def test_tensors_with_channels_before_the_rows_are_images(height, width, leading):
    image = torch.zeros(*leading, height, width)
    assert images.rows_and_columns(image, "it") == (height, width)
    assert images.floating(image, "it") is image


@given(height=st.integers(5, 40), width=st.integers(5, 40), channels=st.sampled_from([1, 3, 4]))
def test_channels_in_the_wrong_place_are_refused(height, width, channels):
    with pytest.raises(ValueError, match=r"it got a tensor.*movedim"):
        images.rows_and_columns(torch.zeros(height, width, channels), "it")
    with pytest.raises(ValueError, match=r"it got an array.*moveaxis"):
        images.rows_and_columns(np.zeros((channels, height, width)), "it")


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.int64])
def test_what_a_fourier_transform_does_not_take(kind):
    image = torch.zeros(4, 4, dtype=kind)
    with pytest.raises(TypeError, match=r"float32 or float64.*image\.float\(\)"):
        images.floating(image, "it", transforms=True)


def test_results_are_kept_by_size_and_dropped_by_bytes():
    kept, made = Kept(limit=1000), []

    def result(size, name="a", entries=50):
        made.append((size, name))
        return np.zeros(entries)  # 400 bytes

    first = kept("one", "a", lambda: result("one"))
    assert kept("one", "a", lambda: result("one")) is first
    kept("two", "a", lambda: result("two"))
    kept("one", "a", lambda: result("one"))  # so that "two" is the older one
    kept("three", "a", lambda: result("three"))
    assert made == [("one", "a"), ("two", "a"), ("three", "a")]
    assert kept.nbytes == 800
    assert kept("one", "a", lambda: result("one")) is first
    kept("two", "a", lambda: result("two"))
    assert made[-1] == ("two", "a")
    for name in "abcd":  # of the size in use everything stays
        kept("large", name, lambda: torch.zeros(1000))
    assert len(kept) == 1
    assert kept.nbytes == 16_000
