"""The directive ``{assignment-table}``: the assignments, with their notebooks to download.

The students' notebooks are made here, of the masters, so that no page offers an old one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import nbformat
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx


class AssignmentTable(SphinxDirective):
    """Builds the students' notebooks, and writes a table with links to them."""

    def run(self) -> list[nodes.Node]:
        """Return the table; the page is read again when a master changes."""
        from lecture_utils.assignments import build

        out = build.MASTERS.parent / "_build" / "assignments"
        lines = [
            "| Assignment | What it trains | After | Time | Notebook |",
            "|---|---|---|---|---|",
        ]
        for name in build.names():
            entry = build.about(name)
            for file in sorted((build.MASTERS / name).iterdir()):
                self.env.note_dependency(str(file))
            student = build.build(name, out).student
            path = os.path.relpath(student, self.env.srcdir)
            lines.append(
                f"| {entry['number']}. {entry['title']} | {entry['trains']} "
                f"| {self.section(entry['section'])} "
                f"| about {entry['minutes']} minutes "
                f"| {{download}}`Download <{path}>` |"
            )
        table = nodes.container(classes=["data-table"])
        self.state.nested_parse(
            StringList(lines, source=str(build.MASTERS)), 0, table
        )
        return [table]

    def section(self, name: str) -> str:
        """Return a link to a section, or the title of one that is a draft."""
        from lecture_utils.assignments import build

        if name in self.env.found_docs:
            return f"{{doc}}`/{name}`"
        draft = build.MASTERS.parent / "drafts" / f"{name}.ipynb"
        # The draft goes when it becomes a section, and then there is a link.
        self.env.note_dependency(str(draft))
        first = nbformat.read(draft, as_version=4).cells[0].source
        title = first.splitlines()[0].removeprefix("# ")
        return f"{title} *(to come)*"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_directive("assignment-table", AssignmentTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
