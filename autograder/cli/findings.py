"""What `autograder doctor` finds: the state of one thing, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata


class State(StrEnum):
    """Whether something is in order."""

    OK = "ok"
    LOOK = "look"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """The state of one thing.

    Attributes:
        what: the thing, in a word or two.
        seen: what was found.
        advice: what to do; "" if nothing.
    """

    what: str
    state: State
    seen: str
    advice: str = ""

    def to_json(self) -> dict[str, str]:
        """The finding as written to a file."""
        return {"what": self.what, "state": self.state.value, "seen": self.seen, "advice": self.advice}


def version_of(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
