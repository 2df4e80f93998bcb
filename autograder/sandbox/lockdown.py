"""Restrictions that a Linux process applies to itself before it runs students' code: the levels `strong` and `full`.

The warm parent applies Landlock (file system, TCP, signals, abstract sockets) once, and every worker inherits it. Each
worker applies its own system call filter: no new program or process, no socket, no access to other processes, to
permissions or to kernel interfaces that notebooks do not need. Both work without root, on x86-64 and arm64. libseccomp
resolves the names of system calls; those that an architecture or an old library does not know are left out.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4
CLONE_THREAD = 0x00010000

DENIED = """
execve execveat fork vfork
socket connect bind listen accept accept4
ptrace process_vm_readv process_vm_writev kcmp
rt_sigqueueinfo rt_tgsigqueueinfo tkill setpriority sched_setaffinity sched_setscheduler sched_setparam sched_setattr
ioprio_set setrlimit
unshare setns mount umount2 pivot_root chroot
keyctl add_key request_key bpf perf_event_open userfaultfd
chmod fchmod fchmodat chown fchown lchown fchownat utime utimes utimensat futimesat truncate
setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
memfd_create shmget shmat shmctl msgget msgsnd msgctl semget semop semctl mq_open mq_unlink
inotify_init inotify_init1 fanotify_init name_to_handle_at open_by_handle_at mknod mknodat
syslog acct swapon swapoff reboot kexec_load init_module finit_module delete_module personality quotactl vhangup
mlock mlock2 mlockall
""".split()
"""System calls that fail with EPERM: they reach beyond the process and its folder, or hold memory no limit counts."""


NEW_CALLS = range(424, 512)
"""Numbers, the same on every architecture, of calls added since Linux 5.1 and to come: none in a worker ..."""

NEW_CALLS_ALLOWED = {436, 439, 441, 449, 454, 455, 456}
"""... except close_range, faccessat2, epoll_pwait2 and those of futexes."""


class CannotLockDown(Exception):
    """This system cannot restrict a process as requested; the message says what is missing."""


def hide_memory() -> None:
    """Keep other processes of the same user from reading this one's memory, files and environment (Linux)."""
    _prctl(PR_SET_DUMPABLE, 0)


def die_with_parent(parent: int) -> None:
    """End this process when process `parent`, which made it, ends (Linux)."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def restrict_files(readable: Iterable[Path], writable: Path) -> None:
    """Restrict this process and its children to reading `readable` files and folders, and writing in `writable`.

    Raises:
        CannotLockDown: there is no Landlock here.
    """
    try:
        from landlockpy import AccessFS, LandlockError, Ruleset, Scope, abi_version
    except ImportError as error:
        raise CannotLockDown("the package landlockpy is not installed") from error
    if abi_version() < 1:
        raise CannotLockDown("this kernel has no Landlock")
    read = AccessFS.READ_FILE
    try:
        with Ruleset(scoped=Scope.SIGNAL | Scope.ABSTRACT_UNIX_SOCKET) as rules:
            for path in readable:
                rules.allow_path(path, read | AccessFS.READ_DIR if path.is_dir() else read)
            rules.allow_path("/dev/null", AccessFS.READ_FILE | AccessFS.WRITE_FILE)
            in_folder = (
                AccessFS.READ_DIR
                | AccessFS.READ_FILE
                | AccessFS.WRITE_FILE
                | AccessFS.TRUNCATE
                | AccessFS.REMOVE_DIR
                | AccessFS.REMOVE_FILE
                | AccessFS.MAKE_DIR
                | AccessFS.MAKE_REG
                | AccessFS.MAKE_SYM
                | AccessFS.REFER
            )
            rules.allow_path(writable, in_folder)
            rules.restrict()
    except (LandlockError, OSError) as error:
        raise CannotLockDown(f"Landlock refuses: {error}") from error


def system_call_filter() -> Any:
    """Rules that deny the calls in `DENIED`, and calls whose arguments concern other processes.

    The warm parent makes them once; they apply to a worker when it calls `filter_system_calls`.

    Raises:
        CannotLockDown: a library that it needs is missing.
    """
    try:
        import pyseccomp as seccomp
    except (ImportError, RuntimeError, OSError) as error:
        raise CannotLockDown(f"the package pyseccomp or the library libseccomp is missing ({error})") from error
    refuse, rules = seccomp.ERRNO(errno.EPERM), seccomp.SyscallFilter(seccomp.ALLOW)

    def deny(name: str, *arguments: seccomp.Arg) -> None:
        try:
            rules.add_rule(refuse, name, *arguments)
        except (OSError, ValueError):
            # Unknown to this architecture (arm64 has no fork) or to this version of the library.
            if name in ("execve", "clone", "socket", "ptrace"):
                raise

    for name in DENIED:
        deny(name)
    for number in set(NEW_CALLS) - NEW_CALLS_ALLOWED:
        rules.add_rule(seccomp.ERRNO(errno.ENOSYS), number)
    # Threads use clone with CLONE_THREAD; clone3, whose arguments a filter cannot see, is among the new calls.
    deny("clone", seccomp.Arg(0, seccomp.MASKED_EQ, CLONE_THREAD, 0))
    deny("prlimit64", seccomp.Arg(2, seccomp.NE, 0))  # reading one's own limits is harmless
    for option in (PR_SET_PDEATHSIG, PR_SET_DUMPABLE):
        # The kernel reads only the lower half of the argument, so the filter must, too.
        deny("prctl", seccomp.Arg(0, seccomp.MASKED_EQ, 0xFFFFFFFF, option))
    # An event loop wakes itself through a connected pair of streams, which reaches nobody else.
    deny("socketpair", seccomp.Arg(0, seccomp.NE, socket.AF_UNIX))
    deny("socketpair", seccomp.Arg(1, seccomp.MASKED_EQ, socket.SOCK_STREAM, 0))
    for bit in (2, 4, 8):
        deny("socketpair", seccomp.Arg(1, seccomp.MASKED_EQ, bit, bit))
    deny("sendto", seccomp.Arg(4, seccomp.NE, 0))
    # Before its third version, Landlock let a file that may be read be emptied by opening it so.
    emptying = os.O_TRUNC | os.O_ACCMODE
    deny("open", seccomp.Arg(1, seccomp.MASKED_EQ, emptying, os.O_TRUNC))
    deny("openat", seccomp.Arg(2, seccomp.MASKED_EQ, emptying, os.O_TRUNC))
    return rules


def filter_system_calls(rules: Any) -> None:
    """Apply `rules`, from `system_call_filter`, to this process; it may then signal only itself."""
    import pyseccomp as seccomp

    for name in ("kill", "tgkill"):
        rules.add_rule(seccomp.ERRNO(errno.EPERM), name, seccomp.Arg(0, seccomp.NE, os.getpid()))
    rules.load()


def copy_without_permissions() -> None:
    """Let `shutil` copy files although `filter_system_calls` denies setting permissions and times."""
    for name in ("copymode", "copystat"):
        setattr(shutil, name, _as_far_as_allowed(getattr(shutil, name)))


def _as_far_as_allowed(function: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> None:
        with contextlib.suppress(PermissionError):
            function(*arguments, **options)

    return call


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
