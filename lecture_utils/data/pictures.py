"""Read pictures as people have them: from phones, scanners, drawing programs, folders and archives."""

from __future__ import annotations

import warnings
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from lecture_utils.data.store import (
    IMAGE_SUFFIXES,
    DataCorruptError,
    DataNotFoundError,
    reading,
)

if TYPE_CHECKING:
    from PIL import Image

Mode = Literal["RGB", "L"]
LARGEST = (
    89_000_000  # pixels; from there on Pillow warns of decompression bombs
)


def decode(
    source: BinaryIO | Path, name: str, mode: Mode | None = "RGB"
) -> NDArray[np.uint8]:
    """Return a picture in 8 bits, upright as its camera says, and on white where it is transparent.

    16 bits are rounded to 8, palettes and CMYK become RGB, and of an animation the first picture is
    taken. Colour profiles are not applied: the published numbers are of the stored values.

    Parameters
    ----------
    source
        An open binary file, or a path.
    name
        What it is called in messages.
    mode
        ``RGB`` for (H, W, 3), ``L`` for grey (H, W); without it whichever the file is.

    Raises
    ------
    DataCorruptError
        If it is larger than can be read, or its values have no range that stands for black and white.
    Exception
        Whatever Pillow raises on damaged bytes; see `store.reading`.
    """
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            opened = Image.open(source)
        except Image.DecompressionBombError as error:
            raise DataCorruptError(
                f"{name} has more pixels than are read ({error}). Make it"
                " smaller."
            ) from error
    with opened:
        width, height = opened.size
        if width * height > LARGEST:
            raise DataCorruptError(
                f"{name} has more pixels than are read ({width} x {height};"
                f" at most {LARGEST // 1_000_000} million). Make it smaller."
            )
        ImageOps.exif_transpose(opened, in_place=True)
        grey = opened.mode in ("1", "L", "LA", "La") or opened.mode[0] == "I"
        picture = _on_white(_eight_bits(opened, name))
        return np.array(picture.convert(mode or ("L" if grey else "RGB")))


def read(path: Path | str, mode: Mode | None = "RGB") -> NDArray[np.uint8]:
    """Return the picture in a file; see `decode`.

    Raises
    ------
    DataUnreadableError
        If the system does not let it be read.
    DataCorruptError
        If it is damaged, larger than can be read, or no picture.
    """
    path = Path(path)
    with reading(path):
        return decode(path, str(path), mode)


def is_picture(name: str) -> bool:
    """Say by its name whether a file is a picture, and not what a file manager left beside one.

    macOS writes ``._photo.jpg`` beside ``photo.jpg`` on foreign disks, and a folder ``__MACOSX`` into
    archives.
    """
    place = PurePosixPath(name)
    hidden = place.name.startswith(".") or "__MACOSX" in place.parts
    return place.suffix.lower() in IMAGE_SUFFIXES and not hidden


def pictures_in(folder: Path | str) -> list[Path]:
    """Return the picture files of a folder, sorted by name.

    Raises
    ------
    DataNotFoundError
        If there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataNotFoundError(
            f"{folder} is no folder. Name the folder that holds the pictures."
        )
    with reading(folder):
        found = sorted(folder.iterdir())
    return [p for p in found if is_picture(p.name) and p.is_file()]


def read_folder(
    folder: Path | str, mode: Mode | None = "RGB"
) -> dict[str, NDArray[np.uint8]]:
    """Return the pictures of a folder by their names without the ending.

    Raises
    ------
    DataNotFoundError
        If there is no such folder.
    DataUnreadableError, DataCorruptError
        As `read`; and if two pictures differ only in the ending.
    """
    by_name: dict[str, Path] = {}
    for path in pictures_in(folder):
        if path.stem in by_name:
            raise DataCorruptError(
                f"{by_name[path.stem]} and {path.name} have one name. Rename"
                " one of them, or take it out of the folder."
            )
        by_name[path.stem] = path
    return {name: read(path, mode) for name, path in by_name.items()}


def _eight_bits(picture: Image.Image, name: str) -> Image.Image:
    """Round 16 bits of grey to 8; Pillow would cut them off at 255."""
    from PIL import Image

    if not picture.mode.startswith(("I", "F")):
        return picture
    values = np.asarray(picture)
    # "I" is 32 bits wide, and PNG and PGM put 16 into it; of a TIFF's 32 bits
    # nobody knows what white is.
    sixteen = picture.mode != "I" or picture.format != "TIFF"
    if (
        picture.mode == "F"
        or not sixteen
        or not 0 <= values.min() <= values.max() <= 65535
    ):
        raise DataCorruptError(
            f"{name} holds {'floats' if picture.mode == 'F' else '32 bits'}"
            f" from {values.min():g} to {values.max():g}; it is not said which"
            " value is white. Store it with 8 or 16 bits."
        )
    return Image.fromarray(np.rint(values / 257).astype(np.uint8))


def _on_white(picture: Image.Image) -> Image.Image:
    """Lay a transparent picture on white paper, as a page does."""
    from PIL import Image

    alpha = picture.mode in ("RGBA", "LA", "PA", "RGBa", "La")
    if not alpha and "transparency" not in picture.info:
        return picture
    if picture.mode in ("RGBa", "La"):  # multiplied by their alpha
        picture = picture.convert("RGBA" if picture.mode == "RGBa" else "LA")
    paper = Image.new("RGBA", picture.size, "white")
    paper.alpha_composite(picture.convert("RGBA"))
    return paper.convert("RGB")
