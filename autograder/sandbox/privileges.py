"""Privileges that a process of root gives up before it runs students' code (Linux capabilities, see capabilities(7)).

Workers of root become a user that owns nothing. If Python or the course is in a folder that is closed to that user (a
virtual environment below /root, which has mode 700), the process keeps one capability, to read: Landlock then decides
which files, and the system call filter denies what Landlock does not see, such as open_by_handle_at. In a container
where root may not change users, workers stay root without capabilities: like an ordinary user who owns root's files,
restricted by Landlock and the filter as all other workers are.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2
"""Capabilities by their numbers in linux/capability.h."""

PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS = 8, 38
_VERSION_3 = 0x20080522
MOST_PROCESSES = 128


def drop(uid: int, needed: Iterable[Path]) -> None:
    """Turn this root process into one of user `uid` that can read `needed`, permanently.

    It keeps at most one capability, to read any file, and only if `needed` requires it. If it may not change users, it
    stays root and keeps none.
    """
    import resource  # POSIX alone has it

    held, needed = _held(), list(needed)
    changes_users = _can(uid, [])
    reads_all: set[int] = set()
    if changes_users and not _can(uid, needed):
        # Docker's containers have the second alone; what it would let write, Landlock forbids.
        reads_all = {capability for capability in (DAC_READ_SEARCH, DAC_OVERRIDE) if capability in held}
        changes_users = bool(reads_all)
    if changes_users:
        _prctl(PR_SET_KEEPCAPS, 1)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        resource.setrlimit(resource.RLIMIT_NPROC, (MOST_PROCESSES, MOST_PROCESSES))
    _keep({max(reads_all)} if changes_users and reads_all else set())  # reading alone, where there is a choice
    _prctl(PR_SET_NO_NEW_PRIVS, 1)  # no program that it starts gets any of them back


def _can(uid: int, needed: list[Path]) -> bool:
    """Whether this process may become user `uid`, which many containers forbid, and that user can read `needed`."""
    try:
        os.setgroups([])
        os.setegid(uid)
        os.seteuid(uid)  # which puts root's capabilities aside
        for path in needed:
            os.listdir(path)
    except OSError:
        return False
    else:
        return True
    finally:
        os.seteuid(0)
        os.setegid(0)


def _held() -> set[int]:
    """The capabilities that this process may use."""
    data = ctypes.create_string_buffer(24)
    _check(ctypes.CDLL(None, use_errno=True).capget(_header(), data))
    low, high = (struct.unpack("6I", data.raw)[place] for place in (1, 4))
    return {number for number in range(64) if (low | high << 32) >> number & 1}


def _keep(capabilities: set[int]) -> None:
    """Give up all other capabilities permanently."""
    mask = sum(1 << number for number in capabilities)
    data = struct.pack("6I", mask, mask, 0, 0, 0, 0)  # effective, permitted, inheritable; numbers from 32 on: none
    _check(ctypes.CDLL(None, use_errno=True).capset(_header(), data))


def _header() -> bytes:
    return struct.pack("Ii", _VERSION_3, 0)


def _prctl(option: int, value: int) -> None:
    _check(ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0))


def _check(code: int) -> None:
    if code != 0:
        raise OSError(ctypes.get_errno(), f"root's privileges cannot be given up: {os.strerror(ctypes.get_errno())}")
