"""Find the files of a data set, and download them when asked to."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from pathlib import Path

from lecture_utils.data.records import DataSet, File, get
from lecture_utils.runtime import Run

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".pgm")
_USED: set[str] = set()


class DataNotFoundError(FileNotFoundError):
    """A data set, or a folder named for it, is not there."""


class DataCorruptError(ValueError):
    """A file of a data set is not what its record says, or cannot be read."""


class DownloadError(ConnectionError):
    """A download did not succeed; nothing of the unfinished file is left."""


def data_folder() -> Path | None:
    """Return the folder that ``LECTURE_DATA_DIR`` names, or None where it is not set.

    Raises
    ------
    DataNotFoundError
        If it is set and there is no such folder.
    """
    named = os.environ.get("LECTURE_DATA_DIR")
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise DataNotFoundError(
            f"LECTURE_DATA_DIR is {named!r}, and there is no such folder. "
            "Set it to the folder that holds the data sets, or unset it."
        )
    return folder


def cache_folder() -> Path:
    """Return the folder of downloads: ``LECTURE_CACHE_DIR``, or pooch's cache for this package."""
    named = os.environ.get("LECTURE_CACHE_DIR")
    if named:
        return Path(named).expanduser()
    import pooch

    return Path(pooch.os_cache("lecture_utils"))


def find(name: str) -> Path | None:
    """Return the folder that holds a data set, or None; never opens a connection.

    ``LECTURE_DATA_DIR`` is looked at first, then the cache. A folder counts only when nothing of the
    data set is missing in it. Of an embedded data set it is the folder of its first file.

    Raises
    ------
    ValueError
        If there is no data set of this name.
    DataNotFoundError
        If ``LECTURE_DATA_DIR`` names a folder that does not exist, or a package that ships an
        embedded data set is not installed.
    """
    record = get(name)
    if record.embedded:
        return embedded_file(record.files[0].name).parent
    for folder in _places(record):
        if not _missing(record, folder):
            return folder
    return None


def locate(name: str, run: Run | None = None) -> Path:
    """Return the folder that holds a data set; download it first where the run's profile is full.

    Raises
    ------
    ValueError
        If there is no data set of this name.
    DataNotFoundError
        If it is neither in the folder nor in the cache and may not, or cannot, be downloaded; the
        message says where was looked, what is missing and what to do.
    DownloadError, DataCorruptError
        As `fetch`.
    """
    found = find(name)
    record = get(name)
    if (
        found is None
        and record.remote
        and run is not None
        and run.profile == "full"
    ):
        found = fetch(name)
    if found is not None:
        _USED.add(name)
        return found
    looked = "; ".join(
        (
            f"{folder} lacks {_few(_missing(record, folder))}"
            if folder.is_dir()
            else f"{folder} does not exist"
        )
        for folder in _places(record)
    )
    unset = "" if data_folder() else " LECTURE_DATA_DIR is not set."
    raise DataNotFoundError(
        f"{record.title} ({name!r}) was not found: {looked}.{unset}"
        f" {_advice(record)}"
    )


def used() -> frozenset[str]:
    """Return the names of the data sets that this process has located, which is before loading.

    The record of an exported figure lists them.
    """
    return frozenset(_USED)


def fetch(name: str, *, progress: bool = True) -> Path:
    """Download what the cache lacks of a data set, check every file's SHA-256, return the folder.

    A file gets its name only after its hash was found right, so that a download that breaks off
    leaves no half file; what is already there and right is not downloaded again.

    Parameters
    ----------
    name
        Name of a data set. An embedded one is there already.
    progress
        Show a progress bar: of bytes for one file, of files for several.

    Raises
    ------
    ValueError
        If there is no data set of this name.
    DataNotFoundError
        If this data set cannot be downloaded; the message says how to get it.
    DownloadError
        If the connection fails.
    DataCorruptError
        If a downloaded file has another hash than its record; the file is deleted.
    OSError
        If the cache cannot be written.
    """
    import pooch
    from tqdm.auto import tqdm

    record = get(name)
    if record.embedded:
        return embedded_file(record.files[0].name).parent
    if not record.remote:
        raise DataNotFoundError(
            f"{record.title} ({name!r}) cannot be downloaded."
            f" {_advice(record)}"
        )
    folder = cache_folder() / name
    pooch.get_logger().setLevel("WARNING")  # the bar says what is going on
    several = len(record.remote) > 1
    for file in tqdm(
        record.remote,
        desc=name,
        unit="file",
        disable=not (progress and several),
    ):
        _download(file, folder / file.name, progress=progress and not several)
    return folder


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def embedded_file(name: str) -> Path:
    """Return where a file that a package ships lies; ``name`` starts with the package.

    The file is taken from the installed package rather than through the package's own loader:
    scikit-image's opens a connection when the file is not what it expects.

    Raises
    ------
    DataNotFoundError
        If the package or the file is not installed.
    """
    package = name.partition("/")[0]
    spec = importlib.util.find_spec(package)
    for root in (spec.submodule_search_locations or []) if spec else []:
        path = Path(root).parent / name
        if path.is_file():
            return path
    raise DataNotFoundError(
        f"The embedded file {name} is not installed. Install this book's"
        " requirements again: `python -m pip install -r requirements.txt`."
    )


def file_in(folder: Path, name: str) -> Path | None:
    """Return the file of this name in a folder, or the image that differs only in its format.

    T91, for instance, is published as BMP and passed on as PNG with the same pixels.
    """
    path = folder / name
    if path.is_file():
        return path
    if path.suffix in IMAGE_SUFFIXES:
        for suffix in IMAGE_SUFFIXES:
            if path.with_suffix(suffix).is_file():
                return path.with_suffix(suffix)
    return None


def _download(file: File, target: Path, *, progress: bool) -> None:
    import pooch
    import requests

    assert file.url is not None
    try:
        pooch.retrieve(
            url=file.url,
            known_hash=f"sha256:{file.sha256}",
            fname=target.name,
            path=target.parent,
            downloader=pooch.HTTPDownloader(
                progressbar=progress, chunk_size=2**16, timeout=60
            ),
        )
    except requests.exceptions.RequestException as error:
        raise DownloadError(
            f"{file.url} could not be downloaded ({error}). What was complete"
            " before is kept. Check the network and try again, or put the"
            " data set into LECTURE_DATA_DIR."
        ) from error
    except OSError as error:
        raise OSError(
            error.errno,
            f"{target} could not be written ({error.strerror or error}). Free"
            " some space, or set LECTURE_CACHE_DIR to a folder that you may"
            " write to, and try again",
        ) from error
    except ValueError as error:  # pooch's word for a hash that differs; it has deleted the file
        raise DataCorruptError(
            f"What was downloaded from {file.url} is not the file of the"
            f" record: {error} Try again; if it stays so, the file was changed"
            " by those who publish it."
        ) from error


def _places(record: DataSet) -> list[Path]:
    folder = data_folder()
    here = [folder / record.folder] if folder else []
    return [*here, cache_folder() / record.name]


def _missing(record: DataSet, folder: Path) -> list[str]:
    """Return what a folder lacks of the downloaded layout, or of its own, whichever is nearer."""
    lacks: list[list[str]] = []
    if record.remote:
        lacks.append(
            [f.name for f in record.remote if file_in(folder, f.name) is None]
        )
    if record.layout:
        lacks.append(
            [
                pattern
                for pattern in record.layout
                if not any(folder.glob(pattern))
            ]
        )
    return min(lacks, key=len)


def _few(names: list[str]) -> str:
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + rest


def _advice(record: DataSet) -> str:
    folder = f"the folder {record.folder} below LECTURE_DATA_DIR"
    if record.remote:
        return (
            "Download it with `python -m lecture_utils data fetch"
            f" {record.name}`, or put its files into {folder}."
        )
    return (
        f"To get it, {record.obtain} ({record.source}); the place is {folder}."
    )
