"""The first steps of a submission's process: close what it must not reach, set limits, go on.

Run as a file, by the programs of util-linux that `session` names: `unshare` has made namespaces of
its own for it, in which it is root. It makes every disk read-only, lays empty folders over those
that hold solutions, tests and other submissions, gives itself one small folder in memory, and
hands over to the submission's worker without a privilege left.
"""

import ctypes
import json
import os
import resource
import subprocess
import sys

MOUNT_SETATTR = 442  # the same number on every processor
READ_ONLY, NO_SETUID, RECURSIVE, HERE = 1, 2, 0x8000, -100


def close(work: str, hidden: list[str]) -> None:
    """Make all disks read-only, hide folders, and give the work folder some memory."""
    libc = ctypes.CDLL(None, use_errno=True)
    attributes = (ctypes.c_uint64 * 4)(READ_ONLY | NO_SETUID, 0, 0, 0)
    if libc.syscall(
        MOUNT_SETATTR,
        HERE,
        b"/",
        RECURSIVE,
        ctypes.byref(attributes),
        ctypes.sizeof(attributes),
    ):
        raise OSError(ctypes.get_errno(), "disks stay writable")
    for folder in hidden:
        mount(folder, "mode=000,size=4k,ro")
    mount(work, "mode=777,size=128m")


def mount(folder: str, options: str) -> None:
    """Lay an empty folder, in memory, over this one."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True
    )


def main() -> None:
    """Do as the settings say, and become the worker."""
    settings = json.loads(sys.argv[1])
    command = settings["command"]
    if settings["closed"]:
        close(settings["work"], settings["hidden"])
        command = [
            "setpriv",
            "--no-new-privs",
            "--bounding-set=-all",
            "--inh-caps=-all",
            *settings["user"],
            *command,
        ]
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: settings["seconds"] + 10,
        resource.RLIMIT_DATA: settings["memory"],
        resource.RLIMIT_FSIZE: 64 * 2**20,
        resource.RLIMIT_NOFILE: 256,
    }
    if settings["user"]:  # whose processes are these alone
        limits[resource.RLIMIT_NPROC] = 128
    for limit, value in limits.items():
        hard = resource.getrlimit(limit)[1]
        lowest = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (lowest, lowest))
    os.chdir(settings["work"])
    os.umask(0o022)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
