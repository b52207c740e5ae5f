"""Plain values as JSON: all that travels between the grader and a submission.

JSON and not pickle, since whoever reads a pickle runs what is in it.
"""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np


class Opaque:
    """What stands for an object that cannot travel: its type's name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<an object of type {self.name}>"


def encode(value: Any) -> Any:
    """Return a value as JSON has them; what is no plain value by its type's name only."""
    import torch

    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, torch.Tensor):
        plain = value.detach().cpu()
        if plain.dtype in (torch.bfloat16, torch.float16):
            plain = plain.float()
        return {"tensor": encode(plain.resolve_conj().numpy())}
    if isinstance(value, np.generic):
        return encode(value.item())
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return {
            "array": base64.b64encode(value.tobytes()).decode(),
            "dtype": value.dtype.str,
            "shape": list(value.shape),
        }
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(k), encode(v)] for k, v in value.items()]}
    if isinstance(value, torch.Generator):
        return {"torch_generator": encode(value.get_state())}
    if isinstance(value, np.random.Generator):
        return {"numpy_generator": value.bit_generator.state}
    name = getattr(value, "asked_by", None)  # a function of the submission
    if isinstance(name, str):
        return {"function": name}
    return {"opaque": type(value).__name__[:100]}


def decode(value: Any, functions: dict[str, Any] | None = None) -> Any:
    """Return the value of what `encode` gave; a ValueError for anything else.

    Parameters
    ----------
    value
        What was read from JSON.
    functions
        What the names of functions mean; only a submission's own process has some.
    """
    import torch

    if not isinstance(value, list | dict):
        return value
    if isinstance(value, list):
        return [decode(item, functions) for item in value]
    kind = next(iter(value), None)
    inner: Any = value.get(kind)
    if kind == "tensor":
        return torch.from_numpy(decode(inner))
    if kind == "array":
        dtype, shape = np.dtype(value["dtype"]), tuple(value["shape"])
        data = base64.b64decode(inner)
        size = dtype.itemsize * math.prod(shape)
        if dtype.kind not in "biufc" or len(data) != size:
            raise ValueError("an array's size does not fit its shape")
        return np.frombuffer(data, dtype).reshape(shape).copy()
    if kind == "tuple":
        return tuple(decode(item, functions) for item in inner)
    if kind == "dict":
        return {decode(k): decode(v, functions) for k, v in inner}
    if kind == "torch_generator":
        generator = torch.Generator()
        generator.set_state(decode(inner))
        return generator
    if kind == "numpy_generator":
        bits = np.random.PCG64()
        bits.state = inner
        return np.random.Generator(bits)
    if kind == "function" and functions is not None:
        return functions[inner]
    if kind == "opaque":
        return Opaque(str(inner)[:100])
    raise ValueError(f"there is no kind of value {str(kind)[:30]!r}")
