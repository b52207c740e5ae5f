"""The directives ``{data-table}`` and ``{painting-table}``: licences, from the package's records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx


class DataTable(SphinxDirective):
    """Writes the table that the package makes, with its links and citations."""

    def run(self) -> list[nodes.Node]:
        """Return the table; the page is read again when the records change."""
        from lecture_utils.data import DATASETS, records

        self.env.note_dependency(str(Path(records.__file__)))
        lines = [
            "| Data set | What it is | Licence | Reference |",
            "|---|---|---|---|",
        ]
        for record in DATASETS.values():
            embedded = " Embedded." if record.embedded else ""
            research = " **Research only.**" if record.research_only else ""
            lines.append(
                f"| [{record.title}]({record.source}), `{record.name}` "
                f"| {record.description}{embedded} "
                f"| [{record.licence}]({record.licence_url}).{research} "
                f"| {{cite:t}}`{record.citation}` |"
            )
        table = nodes.container(classes=["data-table"])
        self.state.nested_parse(
            StringList(lines, source=records.__file__), 0, table
        )
        return [table]


class PaintingTable(SphinxDirective):
    """Writes the table of the embedded paintings: what each is, whence, and why it is free."""

    def run(self) -> list[nodes.Node]:
        """Return the table; the page is read again when the records change."""
        from lecture_utils.data import PAINTINGS, records

        self.env.note_dependency(str(Path(records.__file__)))
        lines = [
            "| Picture | Artist, year | Where it is | Taken from | Public domain because |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| [{one.title}]({one.page}), `{name}` | {one.painter}, {one.made} "
            f"| {one.museum} | [repository]({one.source}) | {one.reason} |"
            for name, one in PAINTINGS.items()
        ]
        table = nodes.container(classes=["data-table"])
        self.state.nested_parse(
            StringList(lines, source=records.__file__), 0, table
        )
        return [table]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_directive("data-table", DataTable)
    app.add_directive("painting-table", PaintingTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
