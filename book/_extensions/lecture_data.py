"""The directive ``{data-table}``: the licences of all data sets, from the package's records."""

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


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_directive("data-table", DataTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
