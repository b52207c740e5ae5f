"""What the scripts share: a named step that runs, or one sentence that says why it did not."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent


def say(message: str) -> None:
    """Print one line at once, so that it stands before what a step prints itself."""
    print(message, flush=True)


def fail(step: str, reason: str, code: int = 1) -> NoReturn:
    """End the program: which step failed, and why."""
    print(f"\nThe step '{step}' failed: {reason}", file=sys.stderr, flush=True)
    sys.exit(code or 1)


def run_step(
    step: str,
    command: list[str],
    advice: str | Callable[[str], str],
    *,
    env: dict[str, str] | None = None,
) -> float:
    """Run one command in the book's folder and return its seconds; on failure end the program.

    ``advice`` is the sentence that follows when the command fails: what to look at or to do. Where
    it is a function, it gets what the command has written to stderr, which is shown all the same.
    """
    say(f"== {step}")
    start = time.monotonic()
    written: list[str] = []
    pipe = subprocess.PIPE if callable(advice) else None
    try:
        with subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **(env or {})}, stderr=pipe
        ) as process:
            for line in process.stderr or ():
                sys.stderr.buffer.write(line)
                sys.stderr.flush()
                written.append(line.decode(errors="replace"))
        code = process.returncode
    except OSError as error:
        fail(step, f"the program {command[0]!r} does not run here ({error.strerror}).")
    except KeyboardInterrupt:
        fail(step, "it was interrupted. Run the same command again; it picks up from here.", 130)
    if code != 0:
        sentence = advice("".join(written)) if callable(advice) else advice
        fail(step, f"{Path(command[0]).name} ended with code {code}. {sentence}", code)
    return time.monotonic() - start


def digest(*paths: Path, extra: str = "") -> str:
    """Return a short hash over the contents of these files, in this order, and ``extra``."""
    sha = hashlib.sha256(extra.encode())
    for path in paths:
        sha.update(hashlib.sha256(path.read_bytes()).digest())
    return sha.hexdigest()[:16]
