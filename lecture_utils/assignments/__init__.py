"""Assignments: what a test uses, and what builds and grades them.

A submission is the code of someone else. It runs in a process of its own (`worker`), which has no
tests in it; the tests run in the grader's process and ask the submission's functions by a pipe on
which only plain values travel (`values`). So no code of a submission ever runs where points are
given, and nothing that is unpickled comes from it. On a student's machine, in their own notebook,
the same tests call the same functions directly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lecture_utils.assignments.session import Remote


def ask(
    function: Callable[..., Any] | None, *args: Any, **options: Any
) -> Any:
    """Call a function of the submission, wherever it lives, and return what it returns.

    Where ``function`` is one of the test's own and gets a function of the submission among its
    arguments, it is a *probe*: it runs beside the submission, where objects that cannot travel
    (networks, gradients) are, and returns plain values for the test to judge. A probe uses nothing
    but its arguments and what it imports itself.

    Parameters
    ----------
    function
        A function of the submission, or a probe.
    *args, **options
        Numbers, strings, arrays, tensors, random generators (by value: the caller's own does not
        move on), lists, tuples and dictionaries of these, and functions of the submission.

    Raises
    ------
    AssertionError
        If the function is not there, or returns nothing.
    """
    if function is None or any(value is None for value in args):
        raise AssertionError(
            "The function is not defined. Run the cell that defines it, and"
            " see that it ends without an error."
        )
    remote = next((a for a in args if isinstance(a, Remote)), None)
    if remote is not None and not isinstance(function, Remote):
        result = remote.session.probe(function, args, options)
    else:
        result = function(*args, **options)
    if result is None:
        name = getattr(function, "__name__", "The function")
        raise AssertionError(
            f"{name} returned nothing. It must `return` its result."
        )
    return result
