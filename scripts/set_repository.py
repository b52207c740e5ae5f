"""Set the address at which the book is published, in `_config.yml` and in every notebook.

With it the pages offer Colab and Binder, and a notebook opened there can install `lecture_utils`.
An empty address takes both away again.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from steps import ROOT, fail, say

sys.path.insert(0, str(ROOT))
from lecture_utils.files import write_atomically

# A host, maybe with a port, and the path of a repository, in groups as deep as the host has them.
ADDRESS = re.compile(
    r"https://(?P<host>[a-z0-9.-]+)(?P<port>:\d{1,5})?(?P<path>(?:/[\w.~+%-]+)+)", re.A
)
# Parts of the address of a page that shows a repository, and not of the repository.
PAGE = re.compile(r"/-/|/(blob|tree)/|/src/branch/|/\.\.?/")
OWNER_AND_NAME = {"github.com", "bitbucket.org"}
SETTING = re.compile(r'^(?P<before>repository:\n(?:  .*\n)*?  url: )"(?P<url>[^"]*)"', re.MULTILINE)
CONSTANT = re.compile(r'^REPOSITORY = "(?P<address>[^"]*)"', re.MULTILINE)

# The first code cell of every notebook. pip is IPython's, which installs for the kernel that runs;
# the extra holds what a notebook uses beside the package and a kernel.
SETUP_CELL = """\
import importlib.util

# The published book's address, which `make repository URL=...` sets.
REPOSITORY = ""
if importlib.util.find_spec("lecture_utils") is None:
    if not REPOSITORY:
        raise ModuleNotFoundError(
            "This notebook needs the book's package `lecture_utils`, which is"
            " not installed here. Get the book's folder and run"
            ' `%pip install "FOLDER[notebooks]"` in a cell, with the path of'
            " that folder for FOLDER. Then run this cell again."
        )
    %pip install --quiet "lecture-utils[notebooks] @ git+{REPOSITORY}"
""".rstrip()


def checked(address: str) -> str:
    """Return the address of a repository as it is written everywhere, or nothing for nothing.

    Raises
    ------
    ValueError
        If it is not one that pip, Colab and Binder can read.
    """
    address = address.strip().rstrip("/").removesuffix(".git")
    if not address:
        return ""
    address = re.sub(r"^https://[^/]*", lambda host: host[0].lower(), address, flags=re.I)
    found = ADDRESS.fullmatch(address)
    parts = found["path"].strip("/").split("/") if found else []
    deep = bool(found) and found["host"] in OWNER_AND_NAME
    if not found or PAGE.search(f"{address}/"):
        why = "it must be the https address of a repository"
    elif len(parts) != 2 and deep:
        why = f"on {found['host']} it must have an owner and a name"
    elif len(parts) < 2 and found["host"] == "gitlab.com":
        why = "on gitlab.com it must have a group and a name"
    else:
        return address
    raise ValueError(
        f"the address is {address!r}; {why}, such as https://github.com/owner/name or "
        "https://git.example.edu:8443/group/course/name, or empty."
    )


def setup_cell(address: str) -> str:
    """Return the first code cell of a notebook for a book that is published at this address."""
    return CONSTANT.sub(f'REPOSITORY = "{address}"', SETUP_CELL)


def set_address(root: Path, address: str) -> list[Path]:
    """Write the address into the settings and the notebooks below ``root``; return what changed.

    Raises
    ------
    ValueError
        If the address, the settings or a notebook is not as it must be; nothing is changed then.
    """
    address = checked(address)
    texts: dict[Path, str] = {}
    config = root / "_config.yml"
    old = config.read_text("utf-8")
    texts[config], found = SETTING.subn(rf'\g<before>"{address}"', old)
    if found != 1:
        raise ValueError("_config.yml has no line 'url: \"...\"' under 'repository:'. Restore it.")
    pages = [*(root / "book").rglob("*.ipynb"), *(root / "assignments").rglob("*.ipynb")]
    for page in sorted(pages):
        if ".ipynb_checkpoints" in page.parts:
            continue
        notebook = json.loads(page.read_text("utf-8"))
        first = next((c for c in notebook["cells"] if c["cell_type"] == "code"), None)
        source = "".join(first["source"]) if first else ""
        if first is None or len(CONSTANT.findall(source)) != 1:
            raise ValueError(
                f"{page.relative_to(root)}: its first code cell does not set REPOSITORY. "
                "Copy that cell from another notebook of the book."
            )
        first["source"] = setup_cell(address).splitlines(keepends=True)
        # As nbformat writes notebooks, so that nothing but the address differs.
        texts[page] = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    changed = [path for path, text in texts.items() if path.read_text("utf-8") != text]
    for path in changed:
        write_atomically(path, texts[path].encode())
    return changed


def main() -> None:
    """Read the address and set it."""
    if len(sys.argv) != 2:
        fail("repository", 'give the address: make repository URL="https://github.com/owner/name"')
    try:
        changed = set_address(ROOT, sys.argv[1])
    except (OSError, ValueError) as error:
        fail("repository", str(error))
    for path in changed:
        say(f"changed {path.relative_to(ROOT)}")
    say("The address is set." if sys.argv[1].strip() else "The address is taken away.")


if __name__ == "__main__":
    main()
