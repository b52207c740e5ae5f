"""Keep what was computed for the last few sizes, in so many bytes and no more."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


class Kept:
    """Results by size and name; the sizes that were used least recently are dropped.

    All results of the size in use stay, whatever they take: an iteration that alternates between
    two of them would otherwise compute both anew in every step.

    Parameters
    ----------
    limit
        Bytes of all results together.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._sizes: dict[Hashable, dict[Hashable, Any]] = {}

    def __call__(
        self, size: Hashable, name: Hashable, make: Callable[[], T]
    ) -> T:
        """Return the result of this size and name, made now if it is not there."""
        results = self._sizes.pop(size, {})
        self._sizes[size] = results  # now it is the last one
        if name not in results:
            results[name] = make()
            while len(self._sizes) > 1 and self.nbytes > self.limit:
                self._sizes.pop(next(iter(self._sizes)), None)
        result: T = results[name]
        return result

    def __len__(self) -> int:
        """Return how many sizes are kept."""
        return len(self._sizes)

    @property
    def nbytes(self) -> int:
        """How many bytes the results take."""
        return _bytes([list(r.values()) for r in list(self._sizes.values())])


def _bytes(result: Any) -> int:
    if isinstance(result, Iterable) and not hasattr(result, "nbytes"):
        return sum(map(_bytes, result))
    return int(getattr(result, "nbytes", 0))
