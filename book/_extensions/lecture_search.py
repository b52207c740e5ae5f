"""Search finds figures by their captions and formulas by their names.

Sphinx' search looks for words in whole pages, and for the names of objects, to which it leads
directly. So each numbered figure becomes an object that is named by its caption, and each numbered
formula one that is named by its label and the heading above it: the label `eq-gaussian-density`
below "Maximum likelihood" is found as "Formula 1.1, gaussian density: Maximum likelihood".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from docutils import nodes
from sphinx.domains import Domain, ObjType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

# The last of Sphinx' ranks: figures and formulas come after the pages that have a word in title or text.
RANK = 2
FONT = re.compile(r"\\(?:boldsymbol|math\w+|text\w*|hat|bar|tilde)\b ?")


class Named(NamedTuple):
    """A figure or formula of a page: its kind, its anchor, and its name without its number."""

    kind: str
    anchor: str
    name: str


def plain(node: nodes.Node) -> str:
    """Return the text of a caption or a heading, formulas as they are read."""
    words = [
        re.sub(r"[\\{}]", "", FONT.sub("", text.astext()))
        if isinstance(text.parent, nodes.math)
        else text.astext()
        for text in node.findall(nodes.Text)
    ]
    return " ".join("".join(words).split())


def named(document: nodes.document) -> list[Named]:
    """Return the figures and formulas of a page that carry a number."""
    found = []
    for figure in document.findall(nodes.figure):
        caption = next(iter(figure.findall(nodes.caption)), None)
        if caption is not None and figure["ids"]:
            # Sphinx takes what stands behind the last full stop for the name.
            name = re.sub(r"\.\s+", "; ", plain(caption).rstrip(". "))
            found.append(Named("figure", figure["ids"][0], name))
    for formula in document.findall(nodes.math_block):
        label = formula.get("label")
        if label and formula.get("number"):
            words = str(label).removeprefix("eq-").replace("-", " ")
            anchor = nodes.make_id(f"equation-{label}")
            found.append(
                Named("formula", anchor, f"{words}: {heading(formula)}")
            )
    return found


def heading(node: nodes.Node) -> str:
    """Return the heading below which a node stands."""
    while node.parent is not None:
        node = node.parent
        if isinstance(node, nodes.section):
            return plain(node[0])
    return ""


class Lecture(Domain):
    """The figures and formulas of all pages, as Sphinx' search asks for them."""

    name = "lecture"
    label = "Lecture"
    object_types: ClassVar = {
        kind: ObjType(kind) for kind in ("figure", "formula")
    }
    initial_data: ClassVar = {"named": {}}

    def get_type_name(self, type: ObjType, primary: bool = False) -> str:
        """Return what a result is called: a figure, and not a lecture's."""
        return type.lname

    def clear_doc(self, docname: str) -> None:
        """Forget a page that is read again, or is gone."""
        self.data["named"].pop(docname, None)

    def merge_domaindata(
        self, docnames: set[str], otherdata: dict[str, Any]
    ) -> None:
        """Take over what another process has read."""
        mine = {
            k: v for k, v in otherdata["named"].items() if k in set(docnames)
        }
        self.data["named"].update(mine)

    def process_doc(
        self, env: BuildEnvironment, docname: str, document: nodes.document
    ) -> None:
        """Remember what a page has."""
        self.data["named"][docname] = named(document)

    def get_objects(self) -> Iterable[tuple[str, str, str, str, str, int]]:
        """Yield name, shown name, kind, page, anchor and rank of each."""
        kinds = {"figure": "figure", "formula": "displaymath"}
        for docname, found in self.data["named"].items():
            numbers = self.env.toc_fignumbers.get(docname, {})
            for kind, anchor, name in found:
                number = numbers.get(kinds[kind], {}).get(anchor, ())
                counted = " ".join(
                    [kind.capitalize(), ".".join(map(str, number))]
                ).strip()
                between = ": " if kind == "figure" else ", "
                shown = f"{counted}{between}{name}"
                yield shown, shown, kind, docname, anchor, RANK


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_domain(Lecture)
    return {
        "version": "1",
        "env_version": 1,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
