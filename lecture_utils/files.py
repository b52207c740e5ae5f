"""Write files so that a reader never meets half of one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def give_usual_rights(path: str | Path) -> None:
    """Give a temporary file the rights that any new file of this account has.

    Temporary files are made for their owner only; what is published or shared is for others, too.
    """
    umask = os.umask(0)
    os.umask(umask)
    Path(path).chmod(0o666 & ~umask)


def obstacle(path: Path) -> str | None:
    """Say in a sentence why the file at ``path`` cannot be read, or None where nothing is in the way.

    A file that is simply missing is no obstacle.
    """

    def allowed(place: Path, what: int) -> bool:
        effective = os.access in os.supports_effective_ids
        return os.access(place, what, effective_ids=effective)

    rights = (
        "may not be read by this account. Ask its owner to make it readable"
        " (`chmod -R a+rX`), or take another folder."
    )
    for folder in reversed(path.parents):
        if not os.path.lexists(folder):
            return None
        if not folder.is_dir():
            return (
                f"{folder} is no folder, and one is needed there. Rename it,"
                " or take another folder."
            )
        if not allowed(folder, os.X_OK):
            return f"{folder} {rights}"
    if path.is_dir():
        return (
            f"{path} is a folder, and a file is needed there. Rename or"
            " remove it."
        )
    if path.exists() and not allowed(path, os.R_OK):
        return f"{path} {rights}"
    return None


def check_writable(folder: Path, advice: str) -> None:
    """Find out before minutes of work whether files can be written to a folder; make it if need be.

    Parameters
    ----------
    folder
        Where the results will go.
    advice
        The end of the error's message: what to do.

    Raises
    ------
    OSError
        If nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(
            error.errno,
            f"Nothing can be written to {folder} ({error.strerror}). {advice}",
        ) from error


def write_atomically(path: str | Path, data: bytes) -> Path:
    """Write ``data`` to ``path`` in one step, making the folder if need be; return the path.

    The bytes go to a temporary file in the same folder, which then takes the name in one operation.
    If anything fails on the way, what stood under the name before is untouched and no temporary
    file is left.

    Raises
    ------
    OSError
        If the folder is read-only, the disk is full or the name is not allowed; the message says
        which file was being written and what to do.
    """
    path = Path(path)
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}."
        )
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        give_usual_rights(temporary)
        Path(temporary).replace(path)
    except OSError as error:
        raise OSError(
            error.errno,
            f"{path} could not be written ({error.strerror}); nothing that was"
            " there before was changed. Free some space or choose a folder"
            " that you may write to, and try again",
        ) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
    return path
