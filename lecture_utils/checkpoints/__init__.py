"""The weights that the book ships: one safetensors file each, with the record of its training.

Each checkpoint ``NAME`` is two files, ``NAME.safetensors`` and ``NAME.json``, in the folder of its part
of the lecture. A recipe (``python -m lecture_utils train NAME``) makes them; the record says with
which data, seed, steps and hardware, and what was measured.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from torch import Tensor

from lecture_utils.files import write_atomically

FOLDER = Path(__file__).parent


class CheckpointError(Exception):
    """A checkpoint is missing, damaged or not what its record says."""


@dataclass(frozen=True)
class Record:
    """Where a checkpoint comes from and what was measured on it.

    Attributes
    ----------
    name, recipe
        The checkpoint's name and the recipe that made it.
    commit
        The commit of the book's sources at the start of the training, or ``unknown``.
    profile, seed, steps, seconds
        How it was trained; ``seconds`` is the wall-clock time of the training.
    data
        Names of the data sets that it was trained on (``python -m lecture_utils data list``).
    hardware
        Processor or accelerator, and how many cores or devices.
    versions
        Versions of Python and of the libraries that matter.
    settings
        The recipe's choices: optimiser, schedule, batch, patch and so on.
    metrics
        Measurements under flat names, such as ``set5_x3_psnr_y`` in dB.
    history
        The curves of the training: for each name a list of (step, value).
    sha256
        The SHA-256 of the safetensors file.
    """

    name: str
    recipe: str
    commit: str
    profile: str
    data: list[str]
    seed: int
    steps: int
    seconds: float
    hardware: str
    versions: dict[str, str]
    settings: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    history: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    sha256: str = ""


def names(folder: Path | str = FOLDER) -> list[str]:
    """Return the names of the checkpoints in a folder and in the folders in it, sorted."""
    return sorted(path.stem for path in Path(folder).rglob("*.json"))


def _record_file(name: str, folder: Path | str) -> Path | None:
    """Return the record of this name; names are unique over all parts, so the first is the one."""
    return next(
        (path for path in Path(folder).rglob("*.json") if path.stem == name),
        None,
    )


def record(name: str, folder: Path | str = FOLDER) -> Record:
    """Read the record of a checkpoint.

    Raises
    ------
    CheckpointError
        If there is no such checkpoint, or its record cannot be read.
    """
    path = _record_file(name, folder)
    if path is None:
        raise CheckpointError(
            f"There is no checkpoint {name!r}; there are:"
            f" {', '.join(names(folder)) or 'none'}. `python -m lecture_utils"
            f" train {name} --out FOLDER` makes one where a recipe of that"
            " name exists."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        known = {entry.name for entry in fields(Record)}
        return Record(
            **{key: value for key, value in content.items() if key in known}
        )
    except (
        json.JSONDecodeError,
        UnicodeDecodeError,
        TypeError,
        AttributeError,
    ) as error:
        raise CheckpointError(
            f"The record {path} cannot be read ({error}). Get the file again"
            " from the book's sources."
        ) from error


def verify(name: str, folder: Path | str = FOLDER) -> Path:
    """Check that a checkpoint's weights are those that its record describes; return their path.

    Raises
    ------
    CheckpointError
        If the weights are missing, or their SHA-256 is not the recorded one.
    """
    expected = record(name, folder).sha256
    description = _record_file(name, folder)
    assert description is not None  # it was read just now
    path = description.with_suffix(".safetensors")
    if not path.exists():
        raise CheckpointError(
            f"The record of {name!r} is there, but {path} is not. Get the file"
            " again from the book's sources, or train it anew."
        )
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise CheckpointError(
            f"{path} has the SHA-256 {found}, and its record says {expected}:"
            " the file is damaged, incomplete or another version. Get both"
            " files again from the book's sources."
        )
    return path


def load(
    name: str, folder: Path | str = FOLDER
) -> tuple[dict[str, Tensor], Record]:
    """Return a checkpoint's tensors, as float32 where they are stored as float16, and its record.

    The file's SHA-256 is compared with the record first, so a damaged file is never used.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = verify(name, folder)
    try:
        tensors = load_file(str(path))
    except SafetensorError as error:
        raise CheckpointError(
            f"{path} is not a safetensors file ({error})."
        ) from error
    return (
        {
            key: t.float() if t.is_floating_point() else t
            for key, t in tensors.items()
        },
        record(name, folder),
    )


def save(
    tensors: Mapping[str, Tensor], description: Record, folder: Path | str
) -> Record:
    """Write a checkpoint's two files atomically; return the record with the hash filled in."""
    from safetensors.torch import save as to_bytes

    folder = Path(folder)
    content = to_bytes(
        {
            key: t.detach().cpu().clone().contiguous()
            for key, t in tensors.items()
        }
    )
    entries = asdict(description) | {
        "sha256": hashlib.sha256(content).hexdigest()
    }
    text = (
        json.dumps(entries, indent=1, ensure_ascii=False, allow_nan=False)
        + "\n"
    )
    write_atomically(folder / f"{description.name}.safetensors", content)
    write_atomically(folder / f"{description.name}.json", text.encode())
    return record(description.name, folder)
