"""Notebooks run on this environment's own kernel, and none of the reader's own settings bear on them.

A matplotlibrc with a dark style, another kernel of the name ``python3``, start-up files of IPython,
a home folder that is missing or cannot be written to: each has changed or ended a build. So a
notebook that the project runs gets settings of its own, and an empty folder to run in.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lecture_utils.data import absolute_folders

# What a reader may have set for work of their own. PYTEST_CURRENT_TEST keeps
# a kernel from passing on what libraries write to stderr.
_READERS = (
    "IPYTHONDIR",
    "JUPYTER_CONFIG_PATH",
    "JUPYTER_PREFER_ENV_PATH",
    "MATPLOTLIBRC",
    "MPLBACKEND",
    "PYTEST_CURRENT_TEST",
    "PYTHONDEVMODE",
    "PYTHONINSPECT",
    "PYTHONIOENCODING",
    "PYTHONSTARTUP",
    "PYTHONWARNINGS",
)
# Kernels talk to this machine only; their warning about it would be taken for
# an output. Without a history, two kernels do not wait for one database.
_IPYTHON = """\
c = get_config()
c.IPKernelApp.log_level = "ERROR"
c.HistoryManager.enabled = False
"""


@contextmanager
def own_settings(matplotlib: Path | None = None) -> Iterator[Path]:
    """Run notebooks without the reader's settings; give an empty folder for them to run in.

    Kernels that are started in the block, by this process or by one that it starts, are those of
    this environment. Matplotlib has its defaults and IPython no start-up files. The settings of
    this process are as before afterwards.

    Parameters
    ----------
    matplotlib
        A folder for matplotlib's list of fonts, which takes seconds to make; without it, and where
        it cannot be written to, the list is made anew.

    Raises
    ------
    ImportError
        If ipykernel is not installed.
    DataNotFoundError
        If it cannot be told which folder of data is meant.
    OSError
        If there is no folder for temporary files.
    """
    from ipykernel.kernelspec import get_kernel_dict

    with tempfile.TemporaryDirectory(
        prefix="lecture-", ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        kernel = folder / "jupyter" / "kernels" / "python3" / "kernel.json"
        ipython = (
            folder / "ipython" / "profile_default" / "ipython_kernel_config.py"
        )
        empty = folder / "empty"
        for made in (kernel.parent, ipython.parent, empty):
            made.mkdir(parents=True)
        kernel.write_text(json.dumps(get_kernel_dict()), encoding="utf-8")
        ipython.write_text(_IPYTHON, encoding="utf-8")
        fonts = _writable(matplotlib) or folder / "matplotlib"
        settings = {
            "IPYTHONDIR": folder / "ipython",
            "JUPYTER_CONFIG_DIR": folder / "jupyter-config",
            "JUPYTER_DATA_DIR": folder / "jupyter",
            "JUPYTER_PATH": folder / "jupyter",
            "JUPYTER_RUNTIME_DIR": folder / "jupyter-runtime",
            "MPLCONFIGDIR": fonts,
            **absolute_folders(),
        }
        touched = {*_READERS, *settings}
        before = {key: os.environ.get(key) for key in touched}
        try:
            for key in touched:
                os.environ.pop(key, None)
            os.environ.update(
                {key: str(value) for key, value in settings.items()}
            )
            _list_fonts(fonts)
            yield empty
        finally:
            for key, value in before.items():
                os.environ.pop(key, None)
                if value is not None:
                    os.environ[key] = value


def _writable(folder: Path | None) -> Path | None:
    """Return the folder, made if need be, or None where nothing can be written to it."""
    if folder is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder.absolute()
    except OSError:
        return None


def _list_fonts(folder: Path) -> None:
    """Let matplotlib list the fonts now, or it would say in a notebook that it does."""
    if not any(folder.glob("fontlist-*.json")):
        folder.mkdir(exist_ok=True)
        # Whatever is wrong with it will show in the notebook.
        subprocess.run(
            [sys.executable, "-c", "import matplotlib.font_manager"],
            capture_output=True,
            check=False,
            cwd=folder,
        )
