"""The lecture's figures: numbered figures from what notebooks show, and the index that lists them.

`lecture_utils.show.figure` displays HTML, which every notebook interface can show. In the book that
HTML becomes a Sphinx figure with a number and a label: the figure `gaussian/mean` is referred to as
``{numref}`fig-gaussian-mean` `` from any page. The directive ``{figure-index}`` lists all figures
of `figures.csv`, those that a page makes with a thumbnail and the others as to come.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bs4 import BeautifulSoup, Tag
from docutils import nodes
from PIL import Image
from sphinx import addnodes
from sphinx.environment.collectors import EnvironmentCollector
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

LOGGER = logging.getLogger(__name__)
LIST = "figures.csv"
PARTS = {
    "generation": "Image generation",
    "super_resolution": "Super-resolution",
    "style_transfer": "Style transfer",
}
THUMBNAIL = (
    240,
    160,
)  # pixels; shown at half of that, or in full on a phone's dense screen
INLINE = re.compile(r"(?<!\\)\$(?P<math>[^$]+?)(?<!\\)\$|`(?P<code>[^`]+)`")


class Row(NamedTuple):
    """A line of `figures.csv`."""

    id: str
    section: str
    slide: str
    shows: str


class Made(NamedTuple):
    """A figure that a page makes; the pictures' paths are relative to the source folder."""

    docname: str
    image: str
    thumbnail: str


def rows(env: BuildEnvironment) -> dict[str, Row]:
    """Return the lines of `figures.csv` by id."""
    with (Path(env.srcdir) / LIST).open(encoding="utf-8", newline="") as file:
        return {line["id"]: Row(**line) for line in csv.DictReader(file)}


def made(env: BuildEnvironment) -> dict[str, Made]:
    """Return the figures made so far by id; kept with the environment from build to build."""
    if not hasattr(env, "lecture_figures"):
        env.lecture_figures = {}  # type: ignore[attr-defined]
    figures: dict[str, Made] = env.lecture_figures  # type: ignore[attr-defined]
    return figures


def label(figure_id: str) -> str:
    """Return the label under which prose refers to a figure."""
    return "fig-" + figure_id.replace("/", "-")


def inline(text: str) -> Iterator[nodes.Node]:
    """Yield the nodes of a caption, in which $...$ is a formula and `...` is code."""
    end = 0
    for match in INLINE.finditer(text):
        if match.start() > end:
            yield nodes.Text(text[end : match.start()].replace(r"\$", "$"))
        if match["math"]:
            yield nodes.math(match["math"], match["math"])
        else:
            yield nodes.literal(match["code"], match["code"])
        end = match.end()
    if end < len(text):
        yield nodes.Text(text[end:].replace(r"\$", "$"))


class NumberFigures(SphinxTransform):
    """Replace the HTML of `show.figure` by a figure with number, label, caption and picture."""

    default_priority = 300  # before Sphinx collects images, labels and numbers

    def apply(self, **kwargs: Any) -> None:
        """Go through the outputs of a page."""
        for bundle in list(self.document.findall(nodes.container)):
            if bundle.get("nb_element") == "mime_bundle":
                for html in bundle.findall(nodes.raw):
                    if "data-figure-id" in html.astext():
                        self.replace(bundle, html.astext())
                        break

    def replace(self, bundle: nodes.container, markup: str) -> None:
        """Put a figure where the output stands; say what is wrong with it if something is."""
        element = BeautifulSoup(markup, "html.parser").find("figure")
        picture = element.find("img") if isinstance(element, Tag) else None
        caption = (
            element.find("figcaption") if isinstance(element, Tag) else None
        )
        if (
            not isinstance(element, Tag)
            or not isinstance(picture, Tag)
            or caption is None
        ):
            self.warn(
                bundle,
                "a figure's HTML has no picture or no caption; see show.figure()",
            )
            return
        figure_id = str(element.get("data-figure-id", ""))
        known = rows(self.env).get(figure_id)
        before = made(self.env).get(figure_id)
        if known is None:
            self.warn(
                bundle,
                f"figure {figure_id!r} is not in book/{LIST}: add it, or correct it",
            )
            return
        if known.section != self.env.docname:
            self.warn(
                bundle,
                f"figure {figure_id!r} belongs to {known.section} (book/{LIST})",
            )
        if before is not None:
            self.warn(
                bundle,
                f"figure {figure_id!r} is made twice, first in {before.docname}",
            )
            return
        try:
            source = str(picture["src"])
            extension = source.partition(";")[0].partition("/")[2]
            data = base64.b64decode(source.partition(",")[2], validate=True)
            image = self.write(figure_id, f".{extension}", data)
            thumbnail = self.write(figure_id, "-thumbnail.png", shrunk(data))
        except (binascii.Error, KeyError, OSError, ValueError) as error:
            self.warn(
                bundle,
                f"the picture of figure {figure_id!r} cannot be read: {error}",
            )
            return
        made(self.env)[figure_id] = Made(self.env.docname, image, thumbnail)

        here = os.path.relpath(image, Path(self.env.docname).parent)
        figure = nodes.figure(
            "",
            nodes.image(uri=here, alt=str(picture.get("alt", ""))),
            nodes.caption(caption.get_text(), "", *inline(caption.get_text())),
            names=[label(figure_id)],
            classes=["lecture-figure"],
        )
        if picture.get("width"):
            figure[0]["width"] = f"{picture['width']}px"
        figure.source, figure.line = bundle.source, bundle.line
        self.document.note_explicit_target(figure)
        bundle.replace_self(figure)

    def write(self, figure_id: str, ending: str, data: bytes) -> str:
        """Write a picture below the build folder; return its path from the source folder."""
        folder = Path(self.env.doctreedir).parent / "figures"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / (figure_id.replace("/", "-") + ending)
        file.write_bytes(data)
        return Path(os.path.relpath(file, self.env.srcdir)).as_posix()

    def warn(self, node: nodes.Node, message: str) -> None:
        """Log a warning, which ends the build of the book."""
        LOGGER.warning(message, location=node, type="figures")


def shrunk(data: bytes) -> bytes:
    """Return a PNG of the picture that fits the thumbnail's size."""
    with Image.open(io.BytesIO(data)) as picture:
        small = picture.convert("RGB")
        small.thumbnail(THUMBNAIL, Image.Resampling.LANCZOS)
        out = io.BytesIO()
        small.save(out, "PNG", optimize=True)
    return out.getvalue()


class Collector(EnvironmentCollector):
    """Keeps the record of made figures right when pages are read again or removed."""

    def clear_doc(
        self, app: Sphinx, env: BuildEnvironment, docname: str
    ) -> None:
        """Forget the figures of a page that is about to be read again, or is gone."""
        figures = made(env)
        for figure_id in [
            key for key, figure in figures.items() if figure.docname == docname
        ]:
            del figures[figure_id]

    def merge_other(
        self,
        app: Sphinx,
        env: BuildEnvironment,
        docnames: set[str],
        other: BuildEnvironment,
    ) -> None:
        """Take over the figures that another process has read."""
        made(env).update(
            {k: v for k, v in made(other).items() if v.docname in docnames}
        )

    def process_doc(self, app: Sphinx, doctree: nodes.document) -> None:
        """Do nothing: the transform has recorded the figures."""

    def get_updated_docs(
        self, app: Sphinx, env: BuildEnvironment
    ) -> list[str]:
        """Have the pages with an index written again: any page may have changed what they list."""
        return sorted(
            getattr(env, "lecture_indices", set()) & set(env.all_docs)
        )


class figure_index_rows(nodes.General, nodes.Element):
    """Stands for the rows of one part until all pages have been read."""


class FigureIndex(SphinxDirective):
    """``{figure-index}``: a section for each part of the book, with a table of its figures."""

    def run(self) -> list[nodes.Node]:
        """Return the sections; their rows are filled in when all pages have been read."""
        self.env.note_dependency(LIST)
        if not hasattr(self.env, "lecture_indices"):
            self.env.lecture_indices = set()  # type: ignore[attr-defined]
        self.env.lecture_indices.add(self.env.docname)  # type: ignore[attr-defined]
        sections: list[nodes.Node] = []
        for folder, title in PARTS.items():
            section = nodes.section(
                "", nodes.title("", title), names=[f"figures-{folder}"]
            )
            section += figure_index_rows(part=folder)
            self.state.document.note_explicit_target(section)
            sections.append(section)
        return sections


class FillIndex(SphinxPostTransform):
    """Write the index's tables, now that it is known which page makes which figure."""

    default_priority = 5  # before Sphinx resolves references

    def run(self, **kwargs: Any) -> None:
        """Replace the stand-ins of one page."""
        for place in list(self.document.findall(figure_index_rows)):
            place.replace_self(self.table(place["part"]))

    def table(self, part: str) -> nodes.Element:
        """Return the table of one part."""
        group = nodes.tgroup(
            "", *(nodes.colspec(colwidth=w) for w in (30, 40, 30)), cols=3
        )
        group += nodes.thead(
            "", self.row(*map(nodes.Text, ("Figure", "Shows", "Slide")))
        )
        body = nodes.tbody()
        for row in rows(self.env).values():
            if row.section.partition("/")[0] == part:
                body += self.row(
                    self.picture(row),
                    self.description(row),
                    nodes.Text(row.slide),
                )
        group += body
        return nodes.table("", group, classes=["figure-index"])

    def row(self, *cells: nodes.Node | list[nodes.Node]) -> nodes.row:
        """Return a row of these cells."""
        return nodes.row(
            "",
            *(
                nodes.entry(
                    "",
                    *(cell if isinstance(cell, list) else [paragraph(cell)]),
                )
                for cell in cells
            ),
        )

    def picture(self, row: Row) -> list[nodes.Node]:
        """Return the thumbnail and the number, both linked to the figure; or that it is to come."""
        figure = made(self.env).get(row.id)
        if figure is None:
            return [paragraph(nodes.emphasis("", "to come"))]
        self.env.images.add_file(self.env.docname, figure.thumbnail)
        builder = self.app.builder
        address = f"{builder.get_relative_uri(self.env.docname, figure.docname)}#{label(row.id)}"
        image = nodes.image(
            uri=figure.thumbnail,
            candidates={"*": figure.thumbnail},
            alt="",  # the link's text beside it says where it leads
            classes=["figure-thumbnail"],
        )
        # Without a number of its own a figure is not on a numbered page; its id then names it.
        number = self.env.toc_fignumbers.get(figure.docname, {}).get(
            "figure", {}
        )
        counted = number.get(label(row.id))
        name = f"Figure {'.'.join(map(str, counted))}" if counted else row.id
        link = nodes.reference(
            "",
            "",
            image,
            nodes.inline("", name),
            refuri=address,
            internal=True,
        )
        return [paragraph(link)]

    def description(self, row: Row) -> list[nodes.Node]:
        """Return what the figure shows, its id and the section that makes it."""
        section: nodes.Node = nodes.Text(
            row.section.rpartition("/")[2].replace("_", " ")
        )
        if row.section in self.env.titles:
            section = addnodes.pending_xref(
                "",
                nodes.inline("", self.env.titles[row.section].astext()),
                refdomain="std",
                reftype="doc",
                reftarget=f"/{row.section}",
                refdoc=self.env.docname,
                refexplicit=True,
                refwarn=True,
            )
        shows = nodes.paragraph(
            "", "", *inline(row.shows[:1].upper() + row.shows[1:] + ".")
        )
        below = nodes.paragraph(
            "", "", nodes.literal("", row.id), nodes.Text(" in "), section
        )
        return [shows, below]


def paragraph(content: nodes.Node) -> nodes.paragraph:
    """Return a paragraph of one node."""
    return nodes.paragraph("", "", content)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_node(figure_index_rows)
    app.add_directive("figure-index", FigureIndex)
    app.add_transform(NumberFigures)
    app.add_post_transform(FillIndex)
    app.add_env_collector(Collector)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
