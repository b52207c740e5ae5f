"""The grader's side of one submission: start its process, close it in, ask it, end it."""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import os
import selectors
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lecture_utils.assignments.values import decode, encode
from lecture_utils.assignments.worker import LONGEST

HERE = Path(__file__).parent
NOBODY = 65534
UNSHARE = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount"]
UNSHARE += ["--mount-proc", "--ipc", "--uts"]


class SubmissionError(Exception):
    """What went wrong in a submission, as a sentence."""


class Remote:
    """A function of a submission, which runs in the submission's process."""

    def __init__(self, session: Session, name: str) -> None:
        self.session = session
        self.asked_by = self.__name__ = name

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Call it there, and return its result if that is a plain value."""
        return self.session.request(
            {
                "call": self.asked_by,
                "args": encode(list(args)),
                "options": encode(options),
            }
        )


@functools.cache
def can_close() -> bool:
    """Whether this system gives a process a network, disks and processes of its own."""
    if sys.platform != "linux" or not shutil.which("setpriv"):
        return False
    try:
        tried = subprocess.run([*_unshare(), "true"], capture_output=True)
    except OSError:
        return False
    return tried.returncode == 0


def _unshare() -> list[str]:
    root = os.geteuid() == 0
    return UNSHARE if root else [*UNSHARE, "--map-root-user"]


def protection() -> str:
    """Say how submissions are kept from this machine, and what is left open."""
    if not can_close():
        return (
            "NOT CLOSED IN: this system has no namespaces for this account, so"
            " a submission runs as you, with limits of time and memory only."
            " It can use the network and change your files. Grade those whom"
            " you trust, or grade on Linux, or in a container."
        )
    if os.geteuid() == 0:
        return (
            "Each submission runs as the user nobody, without a network, with"
            " read-only disks, and with limits of time and memory. Solutions,"
            " tests and other submissions are out of its sight."
        )
    return (
        "Each submission runs without a network, with read-only disks, and"
        " with limits of time and memory. Solutions, tests and other"
        " submissions are out of its sight. It runs as you, not as another"
        " user, so it can read what else you can read; as root it would not."
    )


class Session:
    """One submission's process.

    Parameters
    ----------
    cells
        Code cells as pairs of a number and the source; they are run at once.
    seconds, memory
        What the whole may take, and bytes.
    closed
        Whether to close it in. A student who checks their own work need not.
    hidden
        Folders that it must not see.

    Attributes
    ----------
    failed
        For each cell that ended with an error, its number and the error.
    end
        Why the process is no more; empty while it lives.
    """

    def __init__(
        self,
        cells: list[tuple[int, str]],
        *,
        seconds: int = 600,
        memory: int = 4 * 2**30,
        closed: bool = True,
        hidden: tuple[Path, ...] = (),
    ) -> None:
        self.failed: list[tuple[int, str]] = []
        self.end = ""
        self._cell = 0
        self._seconds, self._memory = seconds, memory
        self._stop = time.monotonic() + seconds
        self._work = Path(tempfile.mkdtemp(prefix="submission-"))
        self._work.chmod(0o755)
        self._start(closed and can_close(), hidden)
        try:
            self._send({"cells": cells, "cell_seconds": max(5, seconds // 3)})
            while True:
                message = self._receive()
                if "cell" in message:
                    self._cell = int(message["cell"])
                elif "failed" in message:
                    why = str(message["why"])[:400]
                    self.failed.append((int(message["failed"]), why))
                elif "ran" in message:
                    self._cell = 0
                    return
        except (SubmissionError, KeyError, TypeError, ValueError) as error:
            self._kill(str(error))

    def _start(self, closed: bool, hidden: tuple[Path, ...]) -> None:
        to_read, to_write = os.pipe(), os.pipe()
        python = [sys.executable, "-B", "-u", "-m"]
        ends = [str(to_read[0]), str(to_write[1])]
        own = ["lecture_utils.assignments.worker", *ends]
        root = closed and os.geteuid() == 0
        ids = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        settings = {
            "command": [*python, *own],
            "work": str(self._work),
            "hidden": [str(folder) for folder in hidden if folder.is_dir()],
            "closed": closed,
            "user": ids if root else [],
            "seconds": self._seconds,
            "memory": self._memory,
        }
        command = [sys.executable, "-B", "-I", str(HERE / "confine.py")]
        kept = ("PATH", "LANG", "OMP_NUM_THREADS", "LECTURE_PROFILE")
        env = {name: os.environ[name] for name in kept if name in os.environ}
        env |= dict.fromkeys(("HOME", "TMPDIR"), str(self._work))
        env |= dict.fromkeys(
            ("IPYTHONDIR", "MPLCONFIGDIR", "LECTURE_CACHE_DIR"),
            str(self._work / "settings"),
        )
        env |= {
            "MPLBACKEND": "Agg",
            "PYTHONPATH": str(HERE.parent.parent),
            "PYTHONIOENCODING": "utf-8",
        }
        self._process = subprocess.Popen(
            [*(_unshare() if closed else []), *command, json.dumps(settings)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=env,
            cwd=self._work,
            pass_fds=(to_read[0], to_write[1]),
            start_new_session=True,
        )
        os.close(to_read[0])
        os.close(to_write[1])
        self._to, self._from = to_read[1], to_write[0]
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._kill("")
        os.close(self._to)
        os.close(self._from)
        shutil.rmtree(self._work, ignore_errors=True)

    def get(self, name: str, default: Any = None) -> Any:
        """Return what the notebook calls by this name: a value, a `Remote`, or the default."""
        try:
            reply = self._reply({"get": name})
        except SubmissionError:
            return default
        if "callable" in reply:
            return Remote(self, name)
        return decode(reply.get("value", default))

    def probe(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        options: dict[str, Any],
    ) -> Any:
        """Run one of the test's functions in the submission's process; see `ask`."""
        return self.request(
            {
                "call": function.__name__,
                "source": textwrap.dedent(inspect.getsource(function)),
                "args": encode(list(args)),
                "options": encode(options),
            }
        )

    def request(self, question: dict[str, Any]) -> Any:
        """Ask once and return the value, or raise what went wrong there."""
        reply = self._reply(question)
        if "error" in reply:
            raise SubmissionError(str(reply["error"])[:400])
        return decode(reply.get("value"))

    def _reply(self, question: dict[str, Any]) -> dict[str, Any]:
        if self.end:
            raise SubmissionError(self.end)
        try:
            self._send(question)
            return self._receive()
        except SubmissionError as error:
            self._kill(str(error))
            raise

    def _send(self, message: Any) -> None:
        data = json.dumps(message).encode()
        data = struct.pack(">Q", len(data)) + data
        while data:
            self._wait(self._to, selectors.EVENT_WRITE)
            try:
                data = data[os.write(self._to, data) :]
            except OSError as error:
                raise SubmissionError(self._gone()) from error

    def _receive(self) -> dict[str, Any]:
        length = struct.unpack(">Q", self._read(8))[0]
        if length > LONGEST:
            raise SubmissionError("It sent an answer that is too large.")
        try:
            message = json.loads(self._read(length))
        except (ValueError, RecursionError) as error:
            raise SubmissionError("It sent what is no answer.") from error
        if not isinstance(message, dict):
            raise SubmissionError("It sent what is no answer.")
        return message

    def _read(self, count: int) -> bytes:
        parts = []
        while count:
            self._wait(self._from, selectors.EVENT_READ)
            part = os.read(self._from, min(count, 2**20))
            if not part:
                raise SubmissionError(self._gone())
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _where(self) -> str:
        return f" in code cell {self._cell}" if self._cell else ""

    def _gone(self) -> str:
        if self._too_large():
            return self._too_large()
        return (
            f"The notebook ended Python{self._where()}, by itself or by a"
            " limit of memory."
        )

    def _wait(self, end: int, event: int) -> None:
        """Wait until a pipe can be used; end at the limits of time and memory."""
        with selectors.DefaultSelector() as selector:
            selector.register(end, event)
            while not selector.select(0.2):
                if time.monotonic() > self._stop:
                    raise SubmissionError(
                        f"The notebook was stopped{self._where()}: it had"
                        f" taken {self._seconds} s, the limit."
                    )
                if self._too_large():
                    raise SubmissionError(self._too_large())

    def _too_large(self) -> str:
        """Return a sentence where all its processes together need too much."""
        import psutil

        try:
            whole = psutil.Process(self._process.pid)
            family = [whole, *whole.children(recursive=True)]
            used = 0
            for process in family:
                memory = process.memory_info()
                used += memory.rss - getattr(memory, "shared", 0)
        except psutil.Error:
            return ""
        if used <= self._memory and len(family) <= 200:
            return ""
        return (
            f"The notebook was stopped{self._where()}: it had {len(family)}"
            f" processes and {used / 2**30:.1f} GiB; the limits are 200 and"
            f" {self._memory / 2**30:.1f}."
        )

    def _kill(self, why: str) -> None:
        """End the process and all that it has started."""
        self.end = self.end or why
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
