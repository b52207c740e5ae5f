"""Run notebooks in profile ci and keep what is compared: the text of cells tagged for nbval.

All other outputs, execution counts and metadata are removed, so that a committed notebook shows
what was written and not who ran it. A notebook in which a cell fails stays as it was.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from steps import ROOT, fail, say

from lecture_utils.data import DataNotFoundError
from lecture_utils.files import write_atomically
from lecture_utils.kernels import own_settings

CHECKED_TAG = "nbval-check-output"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def plain(notebook: nbformat.NotebookNode) -> None:
    """Keep the outputs of the compared cells, and nothing else that a run leaves behind."""
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    )
    for cell in notebook.cells:
        kept = {key: value for key, value in cell.metadata.items() if key in {"tags", "mystnb"}}
        cell.metadata = nbformat.from_dict(kept)
        if cell.cell_type != "code":
            continue
        compared = CHECKED_TAG in cell.metadata.get("tags", [])
        # nbval compares a cell only if it has a count; which one does not matter.
        cell.execution_count = 1 if compared else None
        cell.outputs = cell.outputs if compared else []
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = 1


def write(path: Path, notebook: nbformat.NotebookNode) -> None:
    """Write a plain notebook in Jupyter's own form, with a final newline."""
    plain(notebook)
    write_atomically(path, (nbformat.writes(notebook).rstrip("\n") + "\n").encode())


def store(path: Path) -> None:
    """Run one notebook and write it back."""
    notebook = nbformat.read(path, as_version=4)
    try:
        with own_settings(ROOT / ".cache" / "matplotlib") as empty:
            NotebookClient(
                notebook,
                timeout=1800,  # a cell that hangs
                kernel_name="python3",
                resources={"metadata": {"path": str(empty)}},
            ).execute()
    except DataNotFoundError as error:
        fail(f"run {path}", str(error))
    except CellExecutionError as error:
        fail(f"run {path}", f"a cell failed, and the notebook was left as it is.\n{error}")
    write(path, notebook)
    say(f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}: stored.")


def main() -> None:
    """Read the names of notebooks and store each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--no-run", action="store_true", help="only remove what is not compared")
    options = parser.parse_args()
    os.environ["LECTURE_PROFILE"] = "ci"
    for path in options.notebooks:
        if not path.is_file():
            fail("store outputs", f"{path} is not a file. Give notebooks below book/.")
        if options.no_run:
            notebook = nbformat.read(path, as_version=4)
            write(path, notebook)
        else:
            store(path.resolve())


if __name__ == "__main__":
    main()
