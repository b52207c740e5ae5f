"""Find the files of a data set, and download them when asked to."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lecture_utils.data.records import DataSet, File, get
from lecture_utils.files import give_usual_rights, obstacle
from lecture_utils.runtime import Run

IMAGE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".ppm"),
    *(".webp", ".tif", ".tiff"),
)
FOLDER_VARIABLES = ("LECTURE_DATA_DIR", "LECTURE_CACHE_DIR")
_USED: set[str] = set()


class DataNotFoundError(FileNotFoundError):
    """A data set, or a folder named for it, is not there."""


class DataCorruptError(ValueError):
    """A file of a data set is not what its record says, or is damaged."""


class DataUnreadableError(OSError):
    """A file of a data set is there, but the system does not let it be read."""


class DownloadError(ConnectionError):
    """A download did not succeed; nothing of the unfinished file is left."""


def data_folder() -> Path | None:
    """Return the folder that ``LECTURE_DATA_DIR`` names, or None where it is not set.

    A relative path starts at the folder of this process. A notebook refuses it: there it would
    start at the folder of the notebook, and not where it was set.

    Raises
    ------
    DataNotFoundError
        If it is set and there is no such folder, or it cannot be told which one is meant.
    """
    folder = _named_folder("LECTURE_DATA_DIR")
    if folder is None:
        return None
    named = os.environ["LECTURE_DATA_DIR"]
    means = "" if named == str(folder) else f", which is {folder}"
    if sentence := obstacle(folder / "a file"):
        raise DataNotFoundError(
            f"LECTURE_DATA_DIR is {named!r}{means}. {sentence}"
        )
    if not folder.is_dir():
        raise DataNotFoundError(
            f"LECTURE_DATA_DIR is {named!r}{means}, and there is no such"
            " folder. Set it to the folder that holds the data sets, or unset"
            " it."
        )
    return folder


def cache_folder() -> Path:
    """Return the folder of downloads: ``LECTURE_CACHE_DIR``, or pooch's cache for this package.

    Raises
    ------
    DataNotFoundError
        If the variable is not set and this account has no home folder, or it cannot be told which
        folder is meant; see `data_folder`.
    """
    folder = _cache()
    if folder is None:
        raise DataNotFoundError(
            "This account has no home folder, and so no place for downloads."
            " Set LECTURE_CACHE_DIR to a folder that you may write to."
        )
    return folder


def absolute_folders() -> dict[str, str]:
    """Return ``LECTURE_DATA_DIR`` and ``LECTURE_CACHE_DIR``, as far as set, as absolute paths.

    Whoever starts notebooks puts these into their environment: a notebook's process starts in its
    own folder, where a relative path means another place.
    """
    folders = {name: _named_folder(name) for name in FOLDER_VARIABLES}
    return {name: str(path) for name, path in folders.items() if path}


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
    places = _places(record)
    looked = "; ".join(_absence(record, folder) for folder in places)
    looked = looked or "there is no folder to look in"
    unset = "" if data_folder() else " LECTURE_DATA_DIR is not set."
    if _cache() is None:
        unset += (
            " LECTURE_CACHE_DIR is not set, and this account has no home"
            " folder for a cache."
        )
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
    DataUnreadableError
        If a file is in the cache already, and this account may not read it.
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
    with reading(path), path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever reading a file raises into one sentence that names the file and the reason.

    Raises
    ------
    DataUnreadableError
        If the system refuses: rights, a folder in the file's place, a failing disk.
    DataCorruptError
        If the file's bytes are not what they should be, or a picture is larger than can be read.
    """
    try:
        yield
    except (DataCorruptError, DataUnreadableError, MemoryError):
        raise
    except Exception as error:  # decoders raise nearly anything
        # What the system refuses has a number. Pillow's own errors are of the
        # same class and have none.
        if isinstance(error, OSError) and error.errno is not None:
            raise DataUnreadableError(
                obstacle(path)
                or f"{path} cannot be read ({error.strerror}). Check the disk"
                " or the network drive that it lies on, and try again."
            ) from error
        raise DataCorruptError(
            f"{path} cannot be read ({type(error).__name__}: {error}). It is"
            " damaged or cut off; replace it by a good copy, or delete it and"
            " fetch it again."
        ) from error


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
    images = IMAGE_SUFFIXES if path.suffix in IMAGE_SUFFIXES else ()
    for candidate in (path, *(path.with_suffix(suffix) for suffix in images)):
        # Path.is_file raises where a folder on the way may not be read.
        if os.path.isfile(candidate):  # noqa: PTH113
            return candidate
    return None


def _download(file: File, target: Path, *, progress: bool) -> None:
    import pooch
    import requests

    assert file.url is not None
    if os.path.lexists(target) and (sentence := obstacle(target)):
        raise DataUnreadableError(sentence)
    http = pooch.HTTPDownloader(
        progressbar=progress, chunk_size=2**16, timeout=60
    )

    def download(url: str, temporary: str, caller: object) -> None:
        http(url, temporary, caller)
        give_usual_rights(temporary)  # several accounts may share a cache

    try:
        pooch.retrieve(
            url=file.url,
            known_hash=f"sha256:{file.sha256}",
            fname=target.name,
            path=target.parent,
            downloader=download,
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
    cache = _cache()
    return [*here, cache / record.name] if cache else here


def _named_folder(variable: str) -> Path | None:
    """Return the folder that an environment variable names, absolute, or None where it is not set."""
    named = os.environ.get(variable)
    if not named:
        return None
    try:
        folder = Path(named).expanduser()
    except RuntimeError as error:
        raise DataNotFoundError(
            f"{variable} is {named!r}, and its ~ stands for no home folder"
            " here. Give the whole path."
        ) from error
    if not folder.is_absolute() and _in_notebook():
        raise DataNotFoundError(
            f"{variable} is {named!r}. In a notebook a relative path would"
            " start at the notebook's folder, and not where the variable was"
            f" set. Give the whole path, such as {folder.absolute()}."
        )
    return folder.absolute()


def _cache() -> Path | None:
    """Return the folder of downloads, or None for an account without a home folder."""
    named = _named_folder("LECTURE_CACHE_DIR")
    if named:
        return named
    import pooch

    try:
        folder = Path(pooch.os_cache("lecture_utils"))
    except RuntimeError:  # so do newer platformdirs; older ones keep the ~
        return None
    return folder if folder.is_absolute() else None


def _in_notebook() -> bool:
    """Say whether this process is a notebook's kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


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


def _absence(record: DataSet, folder: Path) -> str:
    """Say why a data set does not count as found in a folder."""
    missing = _missing(record, folder)
    if sentence := obstacle(folder / missing[0]):
        return sentence.rstrip(".")
    if not folder.is_dir():
        return f"{folder} does not exist"
    return f"{folder} lacks {_few(missing)}"


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
