"""A plugin for nbval: keep what the notebook showed, so that pages can be made of the same run.

nbval executes a notebook, compares what is stored, and forgets the rest. With this plugin, and
``--executed FILE``, it also writes the notebook with all outputs, as nbclient would have.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import nbval.plugin
import pytest
from ipykernel.ipkernel import IPythonKernel

PATIENCE = 600  # seconds in which a kernel starts, and in which a slow machine passes on an output


class Kernel(nbval.plugin.RunningKernel):
    """A kernel that takes what libraries write to stderr, which under pytest it would not."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        os.environ.pop("PYTEST_CURRENT_TEST", None)
        super().__init__(*args, **kwargs)


nbval.plugin.RunningKernel = Kernel


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--executed", type=Path, help="where the notebook with its outputs goes")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.output_timeout = PATIENCE  # nbval's own are 5 s


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not session.items:
        return
    for number, item in enumerate(session.items, start=1):
        item.cell.outputs = item.test_outputs or []
        item.cell.execution_count = number
    notebook = session.items[0].parent.nb
    notebook.metadata.language_info = nbformat.from_dict(IPythonKernel.language_info)
    nbformat.write(notebook, session.config.option.executed)
