"""What links show before they are followed, and the links of terms to the glossary.

A page writes what it defines, terms, works, figures and numbered formulas, to `_tips/PAGE.js`. Where a
reader points at a link to one of them, `_static/tips.js` loads that file and shows the definition
beside the link. It is a script because a page that is opened from disk may not read other files.

The first use of a term in the prose of a section becomes a link to the glossary, as if its author had
written ``{term}``.
"""

from __future__ import annotations

import json
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bs4 import BeautifulSoup, Tag
from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

FOLDER = "_tips"
# Only these parts of a page are parsed: with its pictures a page has megabytes.
DEFINED = re.compile(
    r'<figure class="[^"]*\blecture-figure\b.*?</figure>'
    r'|<div class="math\b[^>]* id="equation-.*?</div>'
    r'|<dl class="[^"]*\bglossary\b.*?</dl>'
    r'|<div class="citation".*?</div>',
    re.DOTALL,
)
# Prose in which a term is no use of it, or in which a link is in the way.
NO_PROSE = (
    nodes.title,
    nodes.reference,
    nodes.figure,
    nodes.table,
    nodes.literal,
    nodes.math,
    nodes.raw,
    nodes.Admonition,  # exercises and their solutions
)


def terms(env: BuildEnvironment) -> dict[str, tuple[str, str]]:
    """Return the page and the anchor of each term of the glossary."""
    objects = env.domaindata["std"]["objects"]
    return {name: at for (kind, name), at in objects.items() if kind == "term"}


def forms(term: str) -> str:
    """Return a regular expression for a term in singular and plural, at a sentence's start, too."""
    last = {"x": r"(?:x|ces)", "y": r"(?:y|ies)"}.get(term[-1], "")
    stem = re.escape(term[:-1] if last else term) + (last or r"(?:e?s)?")
    if term[0].islower():
        stem = f"[{term[0]}{term[0].upper()}]{stem[1:]}"
    return stem.replace(r"\ ", r"\s+")


class LinkTerms(SphinxPostTransform):
    """Make the first use of each term on a section's page a link."""

    default_priority = 30  # after the links that the author wrote are resolved
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Go through one page."""
        known = terms(self.env)
        source = self.env.doc2path(self.env.docname)
        if not known or not source.endswith(".ipynb"):
            return
        # The longest first, so that "receptive field" is not found in "effective receptive field".
        names = sorted(known, key=len, reverse=True)
        found = "|".join(f"({forms(name)})" for name in names)
        pattern = re.compile(rf"(?<![\w-])(?:{found})(?![\w-])")
        anchors = {anchor: name for name, (_, anchor) in known.items()}
        seen: set[str] = set()
        for paragraph in self.document.findall(nodes.paragraph):
            join_lines(paragraph)
        for node in list(self.document.findall(is_text_or_link)):
            if isinstance(node, nodes.reference):
                anchor = node.get("refuri", "").partition("#")[2]
                seen |= {anchors[anchor]} if anchor in anchors else set()
            elif is_prose(node):
                pieces: list[nodes.Node] = []
                end = 0
                for match in pattern.finditer(node):
                    name = names[(match.lastindex or 1) - 1]
                    if name not in seen:
                        seen.add(name)
                        pieces.append(nodes.Text(node[end : match.start()]))
                        pieces.append(self.link(match[0], *known[name]))
                        end = match.end()
                if pieces:
                    node.parent.replace(
                        node, [*pieces, nodes.Text(node[end:])]
                    )

    def link(self, text: str, docname: str, anchor: str) -> nodes.reference:
        """Return a link as the role ``term`` makes it."""
        page = self.app.builder.get_relative_uri(self.env.docname, docname)
        inner = nodes.inline("", text, classes=["xref", "std", "std-term"])
        return nodes.reference(
            "", "", inner, refuri=f"{page}#{anchor}", internal=True
        )


def join_lines(paragraph: nodes.paragraph) -> None:
    """Make one text of the lines of a paragraph: a term may be broken between two."""
    joined: list[nodes.Node] = []
    for child in paragraph.children:
        if isinstance(child, nodes.Text) and isinstance(
            joined[-1] if joined else None, nodes.Text
        ):
            joined[-1] = nodes.Text(joined[-1].astext() + child.astext())
        else:
            joined.append(child)
    if len(joined) < len(paragraph.children):
        paragraph.clear()
        paragraph.extend(joined)


def is_text_or_link(node: nodes.Node) -> bool:
    """Tell whether a node is text or a link."""
    return isinstance(node, nodes.Text | nodes.reference)


def is_prose(node: nodes.Node) -> bool:
    """Tell whether a text stands in a paragraph of the section, outside what cells show."""
    paragraph = False
    while node.parent is not None:
        node = node.parent
        paragraph = paragraph or isinstance(node, nodes.paragraph)
        if isinstance(node, NO_PROSE) or (
            isinstance(node, nodes.container) and "nb_element" in node
        ):
            return False
    return paragraph


def sections_again(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Return the sections, which are written again where the glossary's terms have changed."""
    now = sorted(terms(env))
    before = getattr(env, "lecture_terms", now)
    env.lecture_terms = now  # type: ignore[attr-defined]
    if now == before:
        return []
    return [
        docname
        for docname in sorted(env.all_docs)
        if env.doc2path(docname).endswith(".ipynb")
    ]


def defined(body: str, pagename: str) -> Iterator[tuple[str, str]]:
    """Yield what a page defines: the anchor, and the HTML that shows it on any other page."""
    for match in DEFINED.finditer(body):
        part = BeautifulSoup(match[0], "html.parser").find(True)
        assert isinstance(part, Tag)  # it begins with a tag
        anchors = [str(t["id"]) for t in part.find_all(id=True)]
        anchors = [str(part["id"])] if part.get("id") else anchors
        for tag in part.select(".headerlink, .citation > .label"):
            tag.decompose()
        for link in part.find_all("a"):
            link.unwrap()
        for image in part.find_all("img"):
            # From the root of the site, and not loaded before its address is known there.
            folder = posixpath.dirname(pagename)
            source = posixpath.join(folder, str(image.attrs.pop("src")))
            image["data-src"] = posixpath.normpath(source)
            for name in ("style", "class"):
                image.attrs.pop(name, None)
        if part.name == "dl":
            for term in part.find_all("dt"):
                content = term.find_next_sibling("dd")
                anchor = str(term.attrs.pop("id"))
                yield (
                    anchor,
                    f"<p class='tip-name'>{inner(term)}</p>{inner(content)}",
                )
        elif part.name == "figure":
            image, caption = part.find("img"), part.find("figcaption")
            yield anchors[0], f"{image}{inner(caption)}"
        else:
            for tag in part.find_all(id=True):
                del tag["id"]
            del part["id"]
            math = part.name == "div" and "math" in part["class"]
            yield anchors[0], str(part) if math else inner(part)


def inner(tag: Any) -> str:
    """Return the HTML inside a tag, without ids: it stands on a page that may have them."""
    for inside in tag.find_all(id=True):
        del inside["id"]
    return str(tag.decode_contents()).strip()


def write_tips(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: Any,
) -> None:
    """Write what a page defines beside the pages; take away what it has defined before."""
    file = Path(app.outdir) / FOLDER / f"{pagename}.js"
    tips = dict(defined(context.get("body", ""), pagename))
    if not tips:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    shown = json.dumps(tips, ensure_ascii=False, indent=0)
    file.write_text(
        f"lectureTips({json.dumps(pagename)}, {shown});\n", "utf-8"
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_post_transform(LinkTerms)
    app.connect("env-updated", sections_again)
    app.connect("html-page-context", write_tips)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
