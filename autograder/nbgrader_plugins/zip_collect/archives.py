"""Unpacks what a class handed in: only plain files, only inside one folder, and only up to a limit.

A refused entry is reported in one line, and unpacking continues; nothing is ever overwritten.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import lzma
import os
import re
import stat
import tarfile
import time
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath, PurePosixPath
from typing import IO

from autograder.locale import _
from autograder.notebooks.file_names import is_device
from autograder.notebooks.load import folded

MB = 2**20
RATIO = 200
"""The largest compression ratio of an archive. Notebooks shrink to a tenth, deflated zeros to a thousandth."""

NO_TIME = 3653 * 86400
"""When the calendar of zip files begins, the first of January 1980, and one more day for time zones."""

MAKING = 600
"""The most seconds that a system takes to make an archive."""

UNREADABLE = (
    *(OSError, EOFError, RuntimeError, NotImplementedError, ValueError),
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
)
"""The errors of the standard library for archives that are broken, encrypted or packed in an unknown way."""


class Refused(Exception):
    """An entry or an archive is left out; the message is a sentence that says why."""


@dataclass(frozen=True)
class Entry:
    """One file in an archive.

    Attributes:
        name: as in the archive.
        most_bytes: the most that it may contain when unpacked.
        modified: seconds since 1970, or None.
        refused: why it cannot be unpacked at all, or "".
    """

    name: str
    most_bytes: int
    modified: float | None
    refused: str
    open: Callable[[], IO[bytes] | None]


@dataclass(frozen=True)
class Packed:
    """What an archive knows about the time of a file.

    Attributes:
        folder: where the archive was unpacked to, relative to the root.
        time: seconds since 1970.
    """

    folder: PurePosixPath
    time: float


@dataclass
class Budget:
    """The number of files and bytes that may still be written; `take` also takes from the parent."""

    files: int
    size: int
    parent: Budget | None = None

    @property
    def spent(self) -> bool:
        """Whether more was requested than there was."""
        return self.files < 0 or self.size < 0

    def take(self, files: int = 0, size: int = 0) -> None:
        """Count `files` and `size` bytes.

        Raises:
            Refused: it is more than may be written.
        """
        self.files -= files
        self.size -= size
        if self.spent:
            raise Refused(_("It is over the size limit for unpacking; only the part within the limit was unpacked."))
        if self.parent:
            self.parent.take(files, size)


@dataclass
class Unpacker:
    """Fills one folder from files and archives.

    Attributes:
        root: the folder.
        report: takes one line for each entry or archive that is left out.
        is_archive: recognises an archive by its name.
        budget: for everything.
        inner: makes the budget of an archive inside an archive, which belongs to one student.
        file_bytes: the largest size of a file.
        packed: file -> what its archive says about it; for an archive inside an archive, what the outer one says.
        taken: path, folded -> as it is written.
    """

    root: Path
    report: Callable[[str], None]
    is_archive: Callable[[str], bool]
    budget: Budget
    inner: Callable[[Budget], Budget]
    file_bytes: int
    packed: dict[Path, Packed] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)

    def add(self, source: Path, name: str) -> None:
        """Unpack the archive, or copy the file, `source`; `name` is its path relative to the root."""
        try:
            path = safe_path(name)
            if self.is_archive(source.name):
                others, self.packed = self.packed, {}
                try:
                    self._unpack(source, path.parent, self.budget, nested=False)
                finally:
                    self.packed = others | _telling(self.packed)
            else:
                modified = source.stat().st_mtime
                entry = Entry(name, self.file_bytes, modified, "", lambda: source.open("rb"))
                self.budget.take(files=1)
                self._write(entry, path, self.budget)
        except Refused as refused:
            self.report(_("{name} could not be collected. {reason}").format(name=shown(name), reason=refused))

    def _unpack(
        self, archive: Path, folder: PurePosixPath, budget: Budget, nested: bool, outer: Packed | None = None
    ) -> None:
        folder = self._folder_for(archive.name, folder)
        made = archive.stat().st_mtime
        done = 0
        try:
            for entry in entries(archive, self.file_bytes):
                try:
                    if entry.refused:
                        raise Refused(entry.refused)
                    path = safe_path(entry.name)
                    if is_junk(path):
                        continue
                    budget.take(files=1)
                    written = self._write(entry, folder / path, budget)
                    done += 1
                    packed = outer
                    if not nested and entry.modified is not None and _is_known(entry.modified, made):
                        packed = Packed(folder, entry.modified)
                    if packed:
                        self.packed[written] = packed
                    if self.is_archive(path.name):
                        self._unpack_inner(written, (folder / path).parent, budget, nested, packed)
                except Refused as refused:
                    if budget.spent:
                        raise
                    self.report(
                        _("{entry} in {archive} could not be collected. {reason}").format(
                            entry=shown(entry.name), archive=shown(archive.name), reason=refused
                        )
                    )
        except UNREADABLE as error:
            raise Refused(
                _("It is not a readable archive: {reason}. {n} of its files were unpacked.").format(
                    reason=str(error)[:100] or type(error).__name__, n=done
                )
            ) from error

    def _unpack_inner(
        self, archive: Path, folder: PurePosixPath, budget: Budget, nested: bool, packed: Packed | None
    ) -> None:
        if nested:
            raise Refused(_("Only one level of archives inside archives is unpacked."))
        self._unpack(archive, folder, self.inner(budget), nested=True, outer=packed)
        archive.unlink()  # the original stays in the folder of downloads

    def _folder_for(self, name: str, folder: PurePosixPath) -> PurePosixPath:
        """The folder for the content of the archive `name`; two archives never share one."""
        safe = safe_path(name)
        stem = re.sub(r"(\.tar)?\.[^.]+$", "", safe.name, flags=re.IGNORECASE)
        wanted = folder / safe_path(stem or safe.name)
        return wanted / safe if folded(wanted) in self.taken else wanted

    def _write(self, entry: Entry, path: PurePosixPath, budget: Budget) -> Path:
        self._claim(path)
        target = self.root / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                try:
                    _copy(entry, file, budget)
                except BaseException:
                    file.close()
                    target.unlink()
                    raise
        except UNREADABLE as error:
            raise Refused(_("It cannot be unpacked: {reason}.").format(reason=str(error)[:100])) from error
        if entry.modified is not None:
            with contextlib.suppress(OSError, OverflowError, ValueError):  # a date from nowhere: now is as good
                os.utime(target, (entry.modified, entry.modified))
        return target

    def _claim(self, path: PurePosixPath) -> None:
        """Reserve a path that means the same file on every system: some treat A and a, or two forms of é, as equal."""
        folders = [parent for parent in path.parents if parent.parts]
        if folded(path) in self.taken:
            raise Refused(_("Another file already has this name: {path}.").format(path=self.taken[folded(path)]))
        for folder in folders:
            if self.taken.get(folded(folder), f"{folder}/") != f"{folder}/":
                taken = self.taken[folded(folder)]
                raise Refused(_("Some systems cannot tell its folder from {path}.").format(path=taken))
        self.taken |= {folded(folder): f"{folder}/" for folder in folders} | {folded(path): str(path)}


def _is_known(modified: float, made: float) -> bool:
    """Whether an entry's time is a submission time, in an archive made at the time `made`.

    Current versions of Moodle write the time of the download, which is also the archive's own (moodle/moodle,
    lib/classes/content/export/zipwriter.php). 1980 means no time.
    """
    return NO_TIME < modified < made - MAKING


def _telling(packed: dict[Path, Packed]) -> dict[Path, Packed]:
    """`packed`, or nothing if all times in an archive are about the same: that of the download.

    The archive's own date may differ from it, if it was copied or comes from a server in another time zone.
    """
    times = [entry.time for entry in packed.values()]
    return packed if times and max(times) - min(times) > MAKING else {}


def _copy(entry: Entry, file: IO[bytes], budget: Budget) -> None:
    left = entry.most_bytes
    with entry.open() or io.BytesIO() as content:
        while chunk := content.read(MB):
            left -= len(chunk)
            if left < 0:
                raise Refused(_("It is too large when unpacked."))
            budget.take(size=len(chunk))
            file.write(chunk)


# --- names ------------------------------------------------------------------------------------------------------------


def safe_path(name: str) -> PurePosixPath:
    """The relative path for an entry called `name`, valid on every file system.

    Raises:
        Refused: it would be elsewhere, or its name cannot be typed.
    """
    name = unicodedata.normalize("NFC", name.replace("\\", "/"))
    if any(
        unicodedata.category(c) in ("Cc", "Cs") or c in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
        for c in name
    ):
        raise Refused(_("Its name contains control characters or cannot be decoded."))
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        raise Refused(_("Its path is absolute."))
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        raise Refused(_("Its path leads outside the folder."))
    parts = [_portable(part) for part in parts]
    if len(parts) > 20 or any(len(part.encode()) > 240 for part in parts):
        raise Refused(_("Its name is too long."))
    return PurePosixPath(*parts)


def _portable(part: str) -> str:
    """A name that is valid on Windows, too, and still a notebook's if a browser added an extension."""
    part = re.sub(r'[<>:"|?*]', "_", part).rstrip(". ") or "_"
    part = re.sub(r"\.ipynb(\.(json|txt))?$", ".ipynb", part, flags=re.IGNORECASE)
    return f"_{part}" if is_device(part) else part


def is_junk(path: PurePath) -> bool:
    """Whether a system or Jupyter made this file, not a student."""
    return (
        any(part in ("__MACOSX", ".ipynb_checkpoints") for part in path.parts)
        or path.name in (".DS_Store", "Thumbs.db", "desktop.ini")
        or path.name.startswith("._")
    )


def shown(name: str) -> str:
    """`name` on one line, with control characters made visible."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name[:150])


def _decoded(raw: bytes) -> str:
    """A name without a declared encoding: UTF-8 (macOS), Shift-JIS (Windows in Japan), or CP437 (the norm)."""
    for encoding in ("utf-8", "cp932"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("cp437")


# --- what is in an archive --------------------------------------------------------------------------------------------


def entries(archive: Path, file_bytes: int) -> Iterator[Entry]:
    """The files in the archive, without folders."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            yield from _zip_entries(opened, file_bytes)
    else:
        with archive.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            plain = gzip.GzipFile(fileobj=file) if packed else file
            most = 10 * MB + RATIO * archive.stat().st_size
            with tarfile.open(fileobj=_AtMost(plain, most), mode="r|") as opened:
                yield from _tar_entries(opened, file_bytes)


def _zip_entries(archive: zipfile.ZipFile, file_bytes: int) -> Iterable[Entry]:
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        refused = ""
        if info.flag_bits & 0x1:
            refused = _("It is encrypted.")
        elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            refused = _("It is a link or a device, not a file.")
        # The original name: `filename` is cut off at a null character.
        name = info.orig_filename
        if not info.flag_bits & 0x800 and not name.isascii():
            name = _decoded(name.encode("cp437"))
        if not (info.is_dir() or name.endswith("\\") or kind == stat.S_IFDIR):
            most = min(file_bytes, MB + RATIO * info.compress_size)
            yield Entry(name, most, _zip_time(info), refused, partial(archive.open, info))


def _zip_time(info: zipfile.ZipInfo) -> float | None:
    try:
        return time.mktime((*info.date_time, 0, 0, -1))
    except (ValueError, OverflowError):
        return None


def _tar_entries(archive: tarfile.TarFile, file_bytes: int) -> Iterable[Entry]:
    for member in archive:
        refused = "" if member.isfile() else _("It is a link or a device, not a file.")
        name = member.name
        if not name.isprintable():  # bytes that are not UTF-8 appear as surrogates
            name = _decoded(name.encode("utf-8", "surrogateescape"))
        if not member.isdir():
            yield Entry(name, file_bytes, member.mtime, refused, partial(archive.extractfile, member))


class _AtMost(io.RawIOBase):
    """A stream that raises an error if more comes out of it than an archive of its size may contain."""

    def __init__(self, stream: io.BufferedIOBase, most: int) -> None:
        super().__init__()
        self._stream, self._left = stream, most

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise tarfile.ReadError("it is too large when unpacked")
        return data
