"""Isolation of students' code: the levels, and the command that starts a warm parent at each.

- `basic` (any system): a separate process and folder, a clean environment, limits. The code runs as the user who grades
  and can read and write that user's files.
- `strong` (Linux, no root): also Landlock and a system call filter (`autograder.sandbox.lockdown`): no other files, no
  network, no new processes, no access to other processes.
- `full` (Linux with bubblewrap): the warm parent is in its own namespaces, with only Python and its libraries from the
  machine, and every worker in it is also restricted as at `strong`.
"""

from __future__ import annotations

import os
import shutil
import site
import sys
import sysconfig
from enum import StrEnum
from pathlib import Path

import autograder
from autograder.sandbox.folder import MOST_BYTES

FIRST_UID = 61200
"""Workers of root run as this user or one of the next; no distribution assigns these numbers."""
_UIDS = 300

_SYSTEM = """
/lib /lib64 /usr/lib /usr/lib64 /usr/local/lib /usr/share/fonts /usr/share/zoneinfo
/etc/ld.so.cache /etc/localtime /etc/fonts /dev/urandom /dev/random /dev/zero /dev/full
""".split()


class Level(StrEnum):
    """How well a worker is isolated."""

    FULL = "full"
    STRONG = "strong"
    BASIC = "basic"


def unprivileged_uid() -> int | None:
    """The user that workers become if root starts them; None if the user does not change."""
    return FIRST_UID + os.getpid() % _UIDS if hasattr(os, "geteuid") and os.geteuid() == 0 else None


def readable_paths() -> list[Path]:
    """Files and folders that students' code may read at `strong` and `full`: Python and what it needs."""
    python = [sys.prefix, sys.base_prefix, sys.exec_prefix, *site.getsitepackages()]
    python += [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
    # Site folders of the user, the system and other environments, which a .pth file may name; no personal folders.
    python += [entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    package = Path(autograder.__file__).parent
    paths = dict.fromkeys([*map(Path, python), package, *map(Path, _SYSTEM)])
    return [path for path in paths if path.exists()]


def command(level: Level, scratch: Path, box: Path, with_proc: bool) -> list[str]:
    """The command line of a warm parent.

    Args:
        scratch: a folder it may read.
        box: the folder in it where workers may write.
        with_proc: at `full`, whether /proc is available; inside some containers it is not.

    Raises:
        FileNotFoundError: the level needs bubblewrap, which is not installed.
    """
    python = [sys.executable, "-P", "-m", "autograder.sandbox"]
    if level is not Level.FULL:
        return python
    bubblewrap = shutil.which("bwrap")
    if bubblewrap is None:
        raise FileNotFoundError("bubblewrap (the command bwrap) is not installed")
    arguments = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    arguments += ["--cap-drop", "ALL"]
    if unprivileged_uid() is None:
        arguments += ["--unshare-user"]
    else:
        arguments += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    arguments += ["--dev", "/dev", *(["--proc", "/proc"] if with_proc else [])]
    for system in ("/usr", "/bin", "/sbin", "/lib", "/lib64"):
        if os.path.islink(system):
            arguments += ["--symlink", os.readlink(system), system]
        else:
            arguments += ["--ro-bind-try", system, system]
    paths = [path for path in [*readable_paths(), scratch] if path.parts[1] not in ("usr", "lib", "lib64", "dev")]
    # Parent folders, which would otherwise be closed to other users.
    for parent in dict.fromkeys(parent for path in paths for parent in reversed(path.parents[:-1])):
        arguments += ["--perms", "0755", "--dir", str(parent)]
    for path in paths:
        arguments += ["--ro-bind", str(path), str(path)]
    arguments += ["--perms", "0777", "--size", str(MOST_BYTES), "--tmpfs", str(box), "--chdir", "/"]
    return [bubblewrap, *arguments, "--", *python]
