"""A JupyterLab of a test's own: started in a folder, on a free port, with a token, settings and kernels of its own."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

from source.release import nbgrader_environment

PATIENCE = 120.0
"""Seconds in which whatever a test waits for must come, on a slow machine that does much else."""

NO_NEWS = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
"""JupyterLab asks at its first start whether it may fetch news; here it fetches none, and no question is in the way."""


@dataclass(frozen=True)
class Server:
    """A running server; `base` is its address, which ends with a slash."""

    base: str
    token: str

    def lab(self, notebook: str = "") -> str:
        """The address of JupyterLab, with a notebook open if one is named, for a browser that is not logged in yet.

        In a workspace of its own, so that no tab of an earlier visit comes back.
        """
        tree = f"/tree/{quote(notebook)}" if notebook else ""
        return f"{self.base}lab/workspaces/{secrets.token_hex(4)}{tree}?token={self.token}"


@contextmanager
def jupyter_lab(folder: Path, private: Path, **environment: str) -> Iterator[Server]:
    """JupyterLab in `folder`, as `jupyter lab` there would start it, until the block ends.

    Args:
        private: an empty folder for what Jupyter keeps: settings, layouts, its log.
        environment: further variables.

    Raises:
        RuntimeError: the server did not start; the message is its log.
    """
    config = private / ".jupyter" / "labconfig"
    config.mkdir(parents=True)
    (config / "page_config.json").write_text(json.dumps(NO_NEWS), encoding="utf-8")
    token = secrets.token_hex(16)
    runtime = private / "runtime"
    variables = nbgrader_environment(private) | {
        "IPYTHONDIR": str(private / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTER_TOKEN": token,
        **environment,
    }
    log = private / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(_command(), cwd=folder, env=variables, stdout=output, stderr=subprocess.STDOUT)
    try:
        base = _address(process, runtime / f"jpserver-{process.pid}.json")
        if base is None:
            raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8', errors='replace')}")
        yield Server(base, token)
    finally:
        process.terminate()  # it ends its kernels itself
        process.wait(PATIENCE)


def is_root() -> bool:
    """Whether this is Unix's root, whom Jupyter and Chromium ask for one more option."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _command() -> list[str]:
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"]
    return [*command, "--allow-root"] if is_root() else command


def _address(process: subprocess.Popen, file: Path) -> str | None:
    """Where the server answers, as it says itself in `file`; None if it ends, or does not answer in time."""
    until = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < until:
        try:
            base = json.loads(file.read_text(encoding="utf-8"))["url"]
            with urlopen(f"{base}api", timeout=5):
                return base
        except (OSError, URLError, ValueError):
            time.sleep(0.1)
    return None
