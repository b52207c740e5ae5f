"""What the pages need that the theme and the other extensions do not do.

- Launch buttons appear when `_config.yml` names the repository, and not before: Colab reads
  repositories on GitHub only, Binder any. The theme knows neither hosts that it cannot guess nor
  groups of groups.
- The foot of each page says which edition it is of, and, where the repository is named, links a report
  that names page and edition. The edition is written by `scripts/build_book.py` at the end: a page that
  has not changed is not built again for a new commit.
- What is folded away is a native ``<details>``: no script, and a screen reader knows it.
- The summary of a folded code cell is named by its own text.
- No id stands twice on a page: sphinx-exercise gives the content of every exercise the same.
- The list of references is a list to screen readers: Sphinx marks its entries with a role that
  ARIA has withdrawn.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from bs4 import BeautifulSoup
from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx_design.dropdown import dropdown_main, dropdown_title

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.util.docutils import SphinxTranslator

# What the theme can write links to sources for. A host of one's own may be any of them;
# `repository_provider` in the theme's options says which.
PROVIDERS = ("github", "bitbucket", "gitlab")

# What stands for the edition until the pages are published.
EDITION = {
    "version": "EDITION_VERSION",
    "date": "EDITION_DATE",
    "commit": "EDITION_COMMIT",
}

ICONS = {"Binder": "svg", "Colab": "png"}  # the theme's


def repository_provider(app: Sphinx, config: Config) -> None:
    """Tell the theme what kind of host the repository is on, where it ends the build otherwise."""
    options = config.html_theme_options
    host = urlsplit(options.get("repository_url", "")).hostname or ""
    known = [name for name in PROVIDERS if name in host]
    if host and not options.get("repository_provider"):
        options["repository_provider"] = known[0] if known else PROVIDERS[-1]


def launch_links(address: str, branch: str, path: str) -> dict[str, str]:
    """Return where a notebook of a repository can be run, by the name of the service.

    ``path`` is the notebook's in the repository.
    """
    parts = urlsplit(address)
    host, name = parts.netloc, parts.path.strip("/")
    links = {}
    if host == "github.com":
        links["Colab"] = (
            f"https://colab.research.google.com/github/{name}/blob/{branch}/{path}"
        )
        spec = f"gh/{name}"
    elif host == "gitlab.com":
        spec = f"gl/{quote(name, safe='')}"
    else:
        spec = f"git/{quote(address, safe='')}"
    links["Binder"] = (
        f"https://mybinder.org/v2/{spec}/{quote(branch, safe='')}?urlpath=lab/tree/{path}"
    )
    return links


def launch_buttons(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: Any,
) -> None:
    """Offer these links on the page of a notebook."""
    options = app.config.html_theme_options
    source = app.env.doc2path(pagename, base=False)
    if not options.get("repository_url") or not source.endswith(".ipynb"):
        return
    folder = options.get("path_to_docs", "").strip("/")
    links = launch_links(
        options["repository_url"].strip("/"),
        options.get("repository_branch") or "main",
        f"{folder}/{source}".strip("/"),
    )
    buttons = [
        {
            "type": "link",
            "url": url,
            "text": service,
            "tooltip": f"Run this notebook on {service}",
            "icon": f"_static/images/logo_{service.lower()}.{ICONS[service]}",
        }
        for service, url in links.items()
    ]
    context["header_buttons"].append(
        {
            "type": "group",
            "tooltip": "Run this notebook",
            "icon": "fas fa-rocket",
            "buttons": buttons,
            "label": "launch-buttons",
        }
    )


def report_link(address: str, provider: str, pagename: str, title: str) -> str:
    """Return where a reader reports something about a page, with what is known filled in."""
    subject = f"{title}: "
    text = (
        f"Page: {pagename} ({title})\n"
        f"Edition: {EDITION['version']} of {EDITION['date']}, commit {EDITION['commit']}\n\n"
        "What the page says or does:\n\nWhat it should say or do:\n"
    )
    if provider == "bitbucket":  # which takes no text from a link
        return f"{address}/issues/new"
    if provider == "gitlab":
        names = {"issue[title]": subject, "issue[description]": text}
        return f"{address}/-/issues/new?{urlencode(names, quote_via=quote)}"
    names = {"title": subject, "body": text}
    return f"{address}/issues/new?{urlencode(names, quote_via=quote)}"


def foot_of_page(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: Any,
) -> None:
    """Give `_templates/edition.html` what it shows."""
    context["edition"] = EDITION
    options = app.config.html_theme_options
    address = options.get("repository_url", "").strip("/")
    if address and doctree is not None:
        title = BeautifulSoup(context.get("title", ""), "html.parser")
        context["report_link"] = report_link(
            address,
            options.get("repository_provider", ""),
            pagename,
            title.get_text(),
        )


class FoldDropdowns(SphinxPostTransform):
    """Make ``:class: dropdown`` of admonitions and solutions a ``<details>``."""

    default_priority = (
        250  # after the titles of exercises and solutions are known
    )
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Go through one page."""
        for box in list(self.document.findall(nodes.Admonition)):
            if "dropdown" not in box["classes"] or not box.children:
                continue
            title, *content = box.children
            classes = [name for name in box["classes"] if name != "dropdown"]
            # The title's text only: a link inside a summary could not be reached by keyboard.
            summary = dropdown_title(
                "", title.astext(), classes=["admonition-title"]
            )
            body = nodes.container(
                "", *content, is_div=True, classes=["folded-body"]
            )
            folded = dropdown_main(
                "",
                summary,
                body,
                ids=box["ids"],
                classes=["admonition", "folded", *classes],
            )
            box.replace_self(folded)


class DropRepeatedIds(SphinxPostTransform):
    """Take away the ids that sphinx-exercise gives to the contents of all its boxes alike."""

    default_priority = 260
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Go through one page."""
        for section in self.document.findall(nodes.section):
            if section["ids"] in (["exercise-content"], ["solution-content"]):
                section["ids"] = []


def open_code_cell(
    translator: SphinxTranslator, node: HideCodeCellNode
) -> None:
    """Open a folded code cell, as myst-nb does but for the label that hid the summary's text."""
    classes = " ".join(["admonition", "hide", *node["classes"]])
    translator.body.append(
        f'<details class="{classes}"><summary>'
        f'<p class="collapsed admonition-title">{escape(node["prompt_show"])}</p>'
        f'<p class="expanded admonition-title">{escape(node["prompt_hide"])}</p></summary>\n'
    )


def close_code_cell(
    translator: SphinxTranslator, node: HideCodeCellNode
) -> None:
    """Close a folded code cell."""
    translator.body.append("</details>\n")


def list_of_references(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: Any,
) -> None:
    """Give the entries of a list of references the role that goes with the list's."""
    if 'class="citation-list"' in context.get("body", ""):
        context["body"] = context["body"].replace(
            'role="doc-biblioentry"', 'role="listitem"'
        )


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.setup_extension("myst_nb")
    app.setup_extension("sphinx_design")
    app.connect("config-inited", repository_provider)
    # After the theme has made the empty list, and before its own buttons.
    app.connect("html-page-context", launch_buttons, priority=501)
    app.connect("html-page-context", list_of_references)
    app.connect("html-page-context", foot_of_page)
    app.add_node(
        HideCodeCellNode, html=(open_code_cell, close_code_cell), override=True
    )
    app.add_post_transform(FoldDropdowns)
    app.add_post_transform(DropRepeatedIds)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
