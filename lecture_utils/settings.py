"""Checks of a training's choices, made when they are made: each says what was got and what is needed."""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from operator import index
from typing import Any


def check_whole(name: str, value: Any, least: int) -> int:
    """Return a number as a plain int, or say that it is no whole number or too small."""
    try:
        whole = index(value)
    except TypeError:
        whole = least - 1
    if whole < least:
        raise ValueError(
            f"The settings got {name}={value!r}; it must be a whole number"
            f" of at least {least}."
        )
    return whole


def check_number(
    name: str, value: Any, words: str, holds: Callable[[float], bool]
) -> float:
    """Return a number as a plain float, or say in which range it must be."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = nan
    if not holds(number):
        raise ValueError(
            f"The settings got {name}={value!r}; it must be a number {words}."
        )
    return number


def check_known(name: str, value: str, known: tuple[str, ...]) -> None:
    """Say which words there are where a value is none of them."""
    if value not in known:
        raise ValueError(
            f"The settings got {name}={value!r}; it must be one of"
            f" {', '.join(known)}."
        )
