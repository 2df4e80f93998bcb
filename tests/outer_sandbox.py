"""Runs a command of the tests where nothing on this machine can be harmed, whatever the command lets loose.

In bubblewrap: the machine read-only, no network, no other processes, empty folders for scratch, and one folder to write
in. What runs here is an unprivileged user, or root with what it takes to become one and to read closed folders, as in a
container; students' code is an unprivileged user in both. Hostile notebooks are graded in here, so that a hole in the
kit's own isolation shows as a failed test and not as a damaged machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

UID = 61_000
COURSE = Path(__file__).resolve().parents[1]
OF_ROOT = ("SETUID", "SETGID", "CHOWN", "KILL", "DAC_OVERRIDE", "DAC_READ_SEARCH")
"""The capabilities that root has in here; none of them reaches beyond the sandbox."""


@cache
def why_not() -> str:
    """Why there is no outer sandbox here; "" if there is."""
    if sys.platform != "linux" or shutil.which("bwrap") is None:
        return "bubblewrap is not installed (Linux, command bwrap)"
    done = subprocess.run([*_prefix(COURSE), "/bin/true"], capture_output=True, text=True)
    return f"bubblewrap does not work here: {done.stderr.strip()}" if done.returncode else ""


def run(line: list[str], writable: Path, seconds: float, as_root: bool = False) -> subprocess.CompletedProcess[str]:
    """Run `line` in the sandbox with only `writable` to write in; everything in it ends with it.

    With `as_root`, which only root may ask for, what root's home holds of Python stays closed to others.
    """
    if os.geteuid() == 0 and not as_root:
        subprocess.run(["chown", "-R", f"{UID}:{UID}", str(writable)], check=True)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(writable),
        "AUTOGRADER_LANG": "en",
        "PYTHONPATH": str(COURSE),
        "PYTHONDONTWRITEBYTECODE": "1",  # a byte-code file that appears was not made by us
    }
    return subprocess.run(
        [*_prefix(writable, as_root), *line],
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
        cwd="/",
    )


def _prefix(writable: Path, as_root: bool = False) -> list[str]:
    root = os.geteuid() == 0
    line = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--die-with-parent", "--new-session"]
    line += ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    for folder in ("/tmp", "/dev/shm"):
        line += ["--perms", "1777", "--size", str(2 * 2**30), "--tmpfs", folder]
    if root:
        line += ["--perms", "0700" if as_root else "0755", "--tmpfs", "/root"]
    seen = [sys.prefix, sys.base_prefix, str(COURSE)]
    for option, folder in [*(("--ro-bind", Path(folder)) for folder in seen), ("--bind", writable)]:
        # Those of them that root's home or /tmp hold are put back, with a way to them for a user who is not root.
        if folder.parts[1] in ("root", "tmp") or option == "--bind":
            for parent in reversed(folder.parents[:-2] if len(folder.parents) > 2 else []):
                line += ["--perms", "0755", "--dir", str(parent)] if folder.parts[1] in ("root", "tmp") else []
            line += [option, str(folder), str(folder)]
    if as_root:
        line += ["--cap-drop", "ALL", *(part for name in OF_ROOT for part in ("--cap-add", f"CAP_{name}"))]
    elif root:
        line += ["--", "setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--no-new-privs"]
    return line
