"""Write files so that a reader never meets half of one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


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
        # mkstemp makes files for their owner only; a published file is for
        # everyone to read.
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
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
