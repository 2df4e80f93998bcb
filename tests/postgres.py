"""PostgreSQL servers for tests: real ones, each in a folder of its own, of whatever version is installed."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import NullPool, create_engine, text

USER = "grader"


def programs() -> Path | None:
    """The folder with `initdb` and `pg_ctl`; Debian has them in one for each version, which is not in PATH."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders and (folders[-1] / "pg_ctl").exists() else None


class Server:
    """A server that only programs of this machine reach, through a socket in its folder."""

    def __init__(self, folder: Path) -> None:
        """Make the server's files in `folder`, whose path must be short, and start it."""
        self._programs, self.folder = programs(), folder
        # It refuses to run as root.
        self._as: dict[str, Any] = {"user": "nobody", "group": "nogroup", "extra_groups": ()}
        if os.geteuid():
            self._as = {}
        else:
            shutil.chown(folder, "nobody", "nogroup")
        self._run("initdb", "--auth=trust", f"--username={USER}", "--encoding=UTF8", "--no-sync", "--no-locale")
        self.start()

    def url(self, database: str) -> str:
        """The address of a database, as in nbgrader_config.py."""
        return f"postgresql+psycopg2://{USER}@/{database}?host={self.folder}"

    def create(self, database: str) -> str:
        """Make an empty database; its address."""
        self.do(f"CREATE DATABASE {database}")
        return self.url(database)

    def do(self, statement: str, database: str = "postgres") -> None:
        """Have the server's owner do something in a database."""
        engine = create_engine(self.url(database), poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))

    def disconnect(self) -> None:
        """End all connections, as an administrator may, or a network."""
        self.do("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        settings = f"-c listen_addresses= -c unix_socket_directories={self.folder} -c fsync=off"
        self._run("pg_ctl", "--wait", f"--log={self.folder / 'log'}", f"--options={settings}", "start")

    def stop(self) -> None:
        """Stop it at once, as if the machine failed: what is not committed is lost."""
        self._run("pg_ctl", "--wait", "--mode=immediate", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        line = [str(self._programs / program), f"--pgdata={self.folder / 'data'}", *arguments]
        # Not through a pipe, which the server would keep open.
        with (self.folder / "said").open("w+") as said:
            done = subprocess.run(line, cwd="/", stdout=said, stderr=said, stdin=subprocess.DEVNULL, **self._as)
            said.seek(0)
            assert done.returncode == 0, said.read()


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """A server, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as name:
        running = Server(Path(name))
        try:
            yield running
        finally:
            with contextlib.suppress(AssertionError):  # a test may have stopped it
                running.stop()
