"""Make the lecture's figures again: run the notebooks that own them, and keep a record of each.

``book/figures.csv`` lists the figures; its column ``section`` names the notebook that makes them.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any, get_args

from lecture_utils.files import check_writable, write_atomically
from lecture_utils.kernels import own_settings
from lecture_utils.runtime import Profile
from lecture_utils.show import FORMATS, chosen_formats

_LIST = "figures.csv"
_ELSEWHERE = "Choose a folder that you may write to with --out"


class FigureError(RuntimeError):
    """A notebook failed, or did not make a figure that it owns."""


@dataclass(frozen=True)
class Entry:
    """A line of ``book/figures.csv``.

    Attributes
    ----------
    id
        The figure's name, such as ``gaussian/mean``.
    section
        The notebook that owns it: its path below ``book`` without the ending.
    slide
        The slide of the lecture that it belongs to.
    shows
        What it shows, in a few words.
    made
        Whether the notebook is there and names the figure in its code.
    """

    id: str
    section: str
    slide: str
    shows: str
    made: bool


def book_folder(start: Path | str | None = None) -> Path:
    """Return the folder that holds ``figures.csv``.

    Looked for as ``book`` in the working directory (or ``start``) and in the folders above it, then
    in those above this package.

    Raises
    ------
    FileNotFoundError
        If there is none, as where the package was installed without the book.
    """
    here = Path(start or Path.cwd()).resolve()
    for folder in (here, *here.parents, *Path(__file__).resolve().parents):
        for book in (folder, folder / "book"):
            if (book / _LIST).is_file():
                return book
    raise FileNotFoundError(
        f"No book/{_LIST} was found in {here}, above it or above the package."
        " Figures are made from the book's sources: clone the book, change"
        " into its folder and try again."
    )


def list_figures(book: Path | str | None = None) -> list[Entry]:
    """Return the lecture's figures in the order of ``figures.csv``.

    Parameters
    ----------
    book
        The folder that holds ``figures.csv``; without it `book_folder` finds it.

    Raises
    ------
    FileNotFoundError
        If the book is not here.
    ValueError
        If a notebook is not one.
    """
    book = Path(book or book_folder())
    code: dict[str, str] = {}
    entries = []
    with (book / _LIST).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            section = row["section"]
            if section not in code:
                code[section] = _code(book / f"{section}.ipynb")
            made = (
                re.search(
                    rf"""(["']){re.escape(row["id"])}\1""", code[section]
                )
                is not None
            )
            entries.append(
                Entry(row["id"], section, row["slide"], row["shows"], made)
            )
    return entries


def _code(notebook: Path) -> str:
    """Return the source of a notebook's code cells, nothing where there is no notebook."""
    if not notebook.is_file():
        return ""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        return "\n".join(
            "".join(c["source"]) for c in cells if c["cell_type"] == "code"
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{notebook} is not a notebook that can be read ({error}). Restore"
            " it from the repository."
        ) from error


def export(
    which: Sequence[str],
    out: str | Path,
    *,
    formats: str | Sequence[str] = FORMATS,
    profile: str | None = None,
    progress: bool = False,
    book: Path | str | None = None,
) -> dict[str, Any]:
    """Run the notebooks that own these figures and write each figure with a record of its making.

    A figure ``gaussian/mean`` becomes ``<out>/gaussian/mean.pdf`` and so on, and ``manifest.json``
    describes all figures in the folder. Files appear when their notebook has run to its end, each
    in one step; if a notebook fails, what was there before stays.

    Parameters
    ----------
    which
        Ids, sections such as ``generation/gaussian_model``, or ``all``: every figure that is made
        so far.
    out
        Folder for the files; made if need be.
    formats
        Any of ``pdf``, ``svg`` and ``png``, in capitals or not, as a list or separated by commas.
    profile
        ``ci``, ``book`` or ``full`` for the notebooks; without it ``LECTURE_PROFILE``, and without
        that ``book``.
    progress
        Whether to show a progress bar.
    book
        The folder that holds ``figures.csv``; without it `book_folder` finds it.

    Returns
    -------
    dict
        The manifest: ``{"figures": [...]}``, for each figure ``id``, ``slide``, ``notebook``,
        ``profile``, ``data`` (the data sets that had been loaded when it was drawn), ``files`` (the
        SHA-256 of each) and ``versions``. It holds no dates: the same run writes the same bytes.

    Raises
    ------
    FileNotFoundError
        If the book is not here.
    ValueError
        If an id, format or profile is unknown, a figure is not made yet, or the manifest in ``out``
        is damaged.
    FigureError
        If a notebook fails (with its traceback), or ends without having made its figure.
    OSError
        If a file cannot be written.
    """
    book, out = Path(book or book_folder()).resolve(), Path(out)
    profile = chosen_profile(profile)
    formats = chosen_formats(formats)
    entries = list_figures(book)
    chosen = choose(which, entries)
    records = _read_manifest(out / "manifest.json")
    check_writable(out, _ELSEWHERE)

    for made in make(chosen, book, formats, profile, progress=progress):
        for figure in made:
            id = figure.entry.id
            files = {f"{id}.{ext}": data for ext, data in figure.files.items()}
            for name, data in files.items():
                write_atomically(out / name, data)
            records[id] = {
                "id": id,
                "slide": figure.entry.slide,
                "notebook": f"{book.name}/{figure.entry.section}.ipynb",
                "profile": profile,
                "data": figure.data,
                "files": {
                    n: hashlib.sha256(d).hexdigest()
                    for n, d in sorted(files.items())
                },
                "versions": figure.versions,
            }
        order = {entry.id: position for position, entry in enumerate(entries)}
        manifest = {
            "figures": sorted(
                records.values(),
                key=lambda r: (order.get(r["id"], len(order)), r["id"]),
            )
        }
        text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
        write_atomically(out / "manifest.json", text.encode())
    return manifest


@dataclass(frozen=True)
class Made:
    """A figure as its notebook made it.

    Attributes
    ----------
    entry
        Its line of ``book/figures.csv``.
    files
        The contents of its files by format.
    caption, alt
        What the page says below it, and to someone who cannot see it.
    data
        Names of the data sets that had been loaded when it was drawn.
    versions
        Versions of Python and of the packages that it depends on.
    """

    entry: Entry
    files: dict[str, bytes]
    caption: str
    alt: str
    data: list[str]
    versions: dict[str, str]


def make(
    chosen: Sequence[Entry],
    book: Path,
    formats: Sequence[str],
    profile: str,
    *,
    progress: bool = False,
) -> Iterator[list[Made]]:
    """Run the notebooks that own these figures; yield the figures of one after the other.

    Raises
    ------
    FigureError
        If a notebook fails, or ends without having made a figure that it owns.
    """
    from tqdm import tqdm

    sections = list(dict.fromkeys(entry.section for entry in chosen))
    for section in tqdm(sections, unit="notebook", disable=not progress):
        owned = [entry for entry in chosen if entry.section == section]
        with tempfile.TemporaryDirectory(prefix="figures-") as staging:
            ids = [entry.id for entry in owned]
            folder = Path(staging)
            seen = _run(book, section, folder, ids, formats, profile)
            made = []
            for entry in owned:
                if entry.id not in seen:
                    raise FigureError(
                        f"{section}.ipynb ran to its end without making the"
                        f" figure {entry.id!r} in profile {profile}. Look for"
                        f" figure({entry.id!r}, ...) in it."
                    )
                record = seen[entry.id]
                made.append(
                    Made(
                        entry,
                        {
                            ext: (folder / f"{entry.id}.{ext}").read_bytes()
                            for ext in formats
                        },
                        record.get("caption", ""),
                        record.get("alt", ""),
                        record["data"],
                        record["versions"],
                    )
                )
        yield made


def chosen_profile(profile: str | None) -> str:
    """Return the profile to run notebooks in: this one, ``LECTURE_PROFILE``, or ``book``.

    Raises
    ------
    ValueError
        If there is no such profile.
    """
    profile = profile or os.environ.get("LECTURE_PROFILE") or "book"
    if profile not in get_args(Profile):
        raise ValueError(
            f"The profile is {profile!r}; it must be one of 'ci', 'book' or"
            " 'full'."
        )
    return profile


def choose(which: Sequence[str], entries: list[Entry]) -> list[Entry]:
    """Return the figures that these names stand for, each once, in the list's order."""
    wanted: set[str] = set()
    for name in which:
        if name == "all":
            group = [entry for entry in entries if entry.made]
        else:
            group = [
                entry for entry in entries if name in (entry.id, entry.section)
            ]
            if not group:
                known = [
                    *(e.id for e in entries),
                    *(e.section for e in entries),
                ]
                near = difflib.get_close_matches(name, known, 1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise ValueError(
                    f"There is no figure and no section {name!r} in"
                    f" book/{_LIST}.{hint} `python -m lecture_utils figures"
                    " list` lists them."
                )
            if len(group) > 1 and any(entry.made for entry in group):
                group = [
                    entry for entry in group if entry.made
                ]  # a section, so far as it goes
        for entry in group:
            if not entry.made:
                raise ValueError(
                    f"The figure {entry.id!r} is not made yet:"
                    f" book/{entry.section}.ipynb does not exist or does not"
                    " make it. `python -m lecture_utils figures list` says"
                    " which figures are."
                )
        wanted |= {entry.id for entry in group}
    if not wanted:
        raise ValueError("No figure was chosen; give ids, sections or 'all'.")
    return [entry for entry in entries if entry.id in wanted]


def _read_manifest(path: Path) -> dict[str, dict[str, Any]]:
    """Return the records of the figures that the folder already holds."""
    if not path.is_file():
        return {}
    try:
        return {
            r["id"]: r
            for r in json.loads(path.read_text(encoding="utf-8"))["figures"]
        }
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged ({error}). Delete it, or choose another folder"
            " with --out; the figures beside it have not been touched."
        ) from error


def _run(
    book: Path,
    section: str,
    staging: Path,
    ids: Iterable[str],
    formats: Sequence[str],
    profile: str,
) -> Mapping[str, dict[str, Any]]:
    """Run a notebook, which writes its figures below ``staging``; return what it says of each."""
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError, DeadKernelError
    except ImportError as error:
        raise FigureError(
            "Running notebooks needs nbclient and ipykernel; install them with"
            " `python -m pip install nbclient ipykernel`."
        ) from error

    path = book / f"{section}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    environment = {
        "LECTURE_PROFILE": profile,
        "LECTURE_FIGURES_OUT": str(staging),
        "LECTURE_FIGURES_ONLY": ",".join(ids),
        "LECTURE_FIGURES_FORMATS": ",".join(formats),
    }
    try:
        with own_settings(book.parent / ".cache" / "matplotlib") as empty:
            NotebookClient(
                notebook,
                timeout=None,
                kernel_name="python3",
                resources={"metadata": {"path": str(empty)}},
            ).execute(env=os.environ | environment)
    except (CellExecutionError, DeadKernelError) as error:
        trace = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
        raise FigureError(
            f"{path} failed in profile {profile}; the figures made before stay"
            f" as they were.\n{trace}"
        ) from error
    return {
        output["metadata"]["lecture_figure"]["id"]: (
            output["metadata"]["lecture_figure"]
            | _said(output["data"]["text/html"])
        )
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "lecture_figure" in output.get("metadata", {})
    }


def _said(html: str) -> dict[str, str]:
    """Return caption and text alternative from the HTML that `show.figure` displays."""
    caption = re.search(r"<figcaption[^>]*>(.*?)</figcaption>", html, re.S)
    alt = re.search(r'<img[^>]* alt="([^"]*)"', html)
    return {
        "caption": unescape(caption[1]).strip() if caption else "",
        "alt": unescape(alt[1]) if alt else "",
    }
