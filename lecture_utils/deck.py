"""The figures of the book as slides, for whoever teaches with it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lecture_utils import figures
from lecture_utils.data import DATASETS
from lecture_utils.files import check_writable, write_atomically

if TYPE_CHECKING:
    from lecture_utils.figures import Entry, Made

# Inches, of a slide of 16 to 9.
_WIDTH, _HEIGHT, _EDGE = 40 / 3, 7.5, 0.5
_TITLE, _CREDIT = 0.9, 0.5
_POINTS = {"title": 28, "credit": 11, "long credit": 8}
_LONG = 350  # characters, of which two lines of credit hold no more
# What figures.csv says of figures that no slide of the lecture has.
_BEYOND = "Beyond the slides"


def deck(
    sections: Sequence[str],
    out: Path | str,
    *,
    profile: str | None = None,
    progress: bool = False,
    book: Path | str | None = None,
) -> int:
    """Write a deck with a slide for each figure of these sections.

    A slide has the title of the lecture's slide, or, where the lecture has none, what the figure
    shows; the figure as large as it fits, with its text alternative; and a line of credit: the
    book, and the data sets that are shown with their licences. The notes
    hold the caption, and what the owners of the data allow.

    Parameters
    ----------
    sections
        Names of sections, such as ``super_resolution/srcnn`` or ``srcnn``, or ids of figures.
    out
        The deck, a file that ends in ``.pptx``; one that is there is replaced.
    profile, progress, book
        As for `figures.export`.

    Returns
    -------
    int
        The number of slides.

    Raises
    ------
    ValueError
        If a section or the profile is unknown, a figure is not made yet, or the deck's ending is
        another.
    figures.FigureError
        If a notebook fails, or python-pptx is not installed.
    OSError
        If the deck cannot be written.
    """
    out = Path(out)
    if out.suffix.lower() != ".pptx":
        raise ValueError(
            f"The deck is {str(out)!r}; it must be a file that ends in .pptx."
            " Name one with --out, such as --out deck.pptx."
        )
    try:
        import pptx
    except ImportError as error:
        raise figures.FigureError(
            "A deck of slides needs python-pptx; install it with `python -m"
            " pip install python-pptx`."
        ) from error
    book = Path(book or figures.book_folder()).resolve()
    profile = figures.chosen_profile(profile)
    entries = figures.list_figures(book)
    chosen = figures.choose(_full(sections, entries), entries)
    check_writable(out.parent, "Choose another place with --out.")

    slides = pptx.Presentation()
    slides.slide_width = pptx.util.Inches(_WIDTH)
    slides.slide_height = pptx.util.Inches(_HEIGHT)
    title = _title(book)
    slides.core_properties.title = f"Figures: {', '.join(sections)}"
    slides.core_properties.author = title
    for made in figures.make(
        chosen, book, ("png",), profile, progress=progress
    ):
        for figure in made:
            _add(slides, figure, title)
    file = io.BytesIO()
    slides.save(file)
    write_atomically(out, file.getvalue())
    return len(chosen)


def credit(id: str, data: Iterable[str], title: str) -> str:
    """Return the line that a slide with this figure needs: the book, and whose images it shows."""
    shown = [
        f"{DATASETS[name].title} ({DATASETS[name].licence})"
        for name in data
        if name in DATASETS
    ]
    line = f"Figure {id} of “{title}”, CC BY 4.0."
    return (
        f"{line} Data, under their own terms: {'; '.join(shown)}."
        if shown
        else line
    )


def _full(names: Sequence[str], entries: Sequence[Entry]) -> list[str]:
    """Return sections by their whole names: `srcnn` is `super_resolution/srcnn`."""
    whole = {
        entry.section.rpartition("/")[2]: entry.section for entry in entries
    }
    return [whole.get(name, name) for name in names]


def _title(book: Path) -> str:
    """Return the title of the book, which a fork may have changed."""
    settings = book.parent / "_config.yml"
    text = settings.read_text("utf-8") if settings.is_file() else ""
    found = re.search(r"^title: *[\"']?(.*?)[\"']?$", text, re.MULTILINE)
    return found[1] if found else book.parent.name


def _add(slides: Any, figure: Made, title: str) -> None:
    """Add the slide of one figure."""
    from PIL import Image
    from pptx.util import Inches, Pt

    slide = slides.slides.add_slide(slides.slide_layouts[5])  # title only
    head = slide.shapes.title
    head.left, head.top = Inches(_EDGE), Inches(_EDGE / 2)
    head.width, head.height = Inches(_WIDTH - 2 * _EDGE), Inches(_TITLE)
    shows = figure.entry.shows
    beyond = figure.entry.slide == _BEYOND
    head.text_frame.text = (
        shows[:1].upper() + shows[1:] if beyond else figure.entry.slide
    )
    head.text_frame.paragraphs[0].runs[0].font.size = Pt(_POINTS["title"])

    picture = figure.files["png"]
    with Image.open(io.BytesIO(picture)) as image:
        ratio = image.height / image.width
    top = 0.75 * _EDGE + _TITLE
    room = _HEIGHT - top - _CREDIT - 0.5 * _EDGE
    width = min(_WIDTH - 2 * _EDGE, room / ratio)
    shape = slide.shapes.add_picture(
        io.BytesIO(picture),
        Inches((_WIDTH - width) / 2),
        Inches(top + (room - width * ratio) / 2),
        width=Inches(width),
    )
    # A screen reader speaks it; python-pptx has no name for it.
    shape._element.nvPicPr.cNvPr.set("descr", figure.alt)

    line = credit(figure.entry.id, figure.data, title)
    foot = slide.shapes.add_textbox(
        Inches(_EDGE),
        Inches(_HEIGHT - _CREDIT - _EDGE / 4),
        Inches(_WIDTH - 2 * _EDGE),
        Inches(_CREDIT),
    ).text_frame
    foot.word_wrap = True
    foot.text = line
    foot.paragraphs[0].runs[0].font.size = Pt(
        _POINTS["long credit" if len(line) > _LONG else "credit"]
    )

    notes = [figure.caption, line]
    limited = [
        DATASETS[name].title
        for name in figure.data
        if name in DATASETS and DATASETS[name].research_only
    ]
    if limited:
        notes.append(
            f"Before it is shown in public: the owners of {', '.join(limited)}"
            " allow research only, or have said nothing that would allow more."
        )
    slide.notes_slide.notes_text_frame.text = "\n\n".join(filter(None, notes))
