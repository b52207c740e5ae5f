"""A submission's own process: run the notebook's cells, then answer questions about its functions.

Nothing here is trusted by the grader: a submission may change all of it. There are no tests in this
process, and no points.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import json
import os
import signal
import struct
import sys
import types
from typing import Any

LONGEST = 2**26  # bytes of one message


class _Stub:
    """Stands for otter, whose checks are for the student's own screen."""

    def __init__(self, *args: Any, **options: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return _Stub

    def __repr__(self) -> str:
        return ""


def send(file: Any, message: Any) -> None:
    """Write one message: its length, then JSON."""
    data = json.dumps(message).encode()
    file.write(struct.pack(">Q", len(data)) + data)
    file.flush()


def receive(file: Any) -> Any:
    """Read one message; end the process where the grader has gone."""
    head = file.read(8)
    if len(head) < 8:
        os._exit(0)
    return json.loads(file.read(struct.unpack(">Q", head)[0]))


def sentence(error: BaseException | None) -> str:
    """Return an error's kind and what it says, in one short piece."""
    return f"{type(error).__name__}: {error}"[:400]


@contextlib.contextmanager
def limited(seconds: int) -> Any:
    """Raise a TimeoutError in what takes longer; the grader's own clock is behind it."""

    def stop(*_: Any) -> None:
        raise TimeoutError(f"it took longer than {seconds} s and was stopped")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def run_cells(shell: Any, cells: list[Any], seconds: int, tell: Any) -> None:
    """Run code cells from top to bottom; a cell that fails is named, and the next one runs."""
    for number, source in cells:
        tell({"cell": number})
        error: BaseException | None = None
        try:
            with limited(seconds):
                result = shell.run_cell(source, store_history=False)
            error = result.error_before_exec or result.error_in_exec
        except BaseException as raised:
            error = raised
        if error is not None:
            tell({"failed": number, "why": sentence(error)})


def answer(request: Any, names: dict[str, Any], seconds: int) -> Any:
    """Return the reply to one question: a value, or what went wrong."""
    from lecture_utils.assignments.values import decode, encode

    if "get" in request:
        name = request["get"]
        if name not in names:
            return {"missing": True}
        if callable(names[name]):
            return {"callable": True}
        return {"value": encode(names[name])}
    try:
        if "source" in request:
            own: dict[str, Any] = {}
            exec(request["source"], own)
            function = own[request["call"]]
        else:
            function = names[request["call"]]
        args = decode(request["args"], names)
        options = decode(request["options"], names)
        with limited(seconds):
            return {"value": encode(function(*args, **options))}
    except BaseException as error:
        return {"error": sentence(error)}


def main() -> None:
    """Serve one grader, by the two pipes whose numbers are the arguments."""
    reader = os.fdopen(int(sys.argv[1]), "rb")
    writer = os.fdopen(int(sys.argv[2]), "wb")
    stub: Any = types.ModuleType("otter")
    stub.__spec__ = importlib.machinery.ModuleSpec("otter", None)
    stub.Notebook = _Stub
    sys.modules["otter"] = stub
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    settings = receive(reader)
    seconds = settings["cell_seconds"]

    def tell(message: Any) -> None:
        send(writer, message)

    run_cells(shell, settings["cells"], seconds, tell)
    tell({"ran": True})
    while True:
        request = receive(reader)
        tell(answer(request, shell.user_ns, seconds))


if __name__ == "__main__":
    main()
