"""The language in which the kit speaks: gettext catalogues in `locale/`, English in the source.

The language is, in this order: what `use_language` set (a notebook edition, `--lang`), the environment variable
`AUTOGRADER_LANG`, the locale (`LC_ALL`, `LC_MESSAGES`, `LANG`), and Japanese, the lesson's own language.
"""

from __future__ import annotations

import gettext
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

LANGUAGES = ("ja", "en")
_LOCALE_DIR = Path(__file__).parent / "locale"
_chosen: str | None = None


def use_language(language: str | None) -> None:
    """Speak `language` ("ja" or "en") from now on; None goes back to what the environment asks for.

    Raises ValueError for a language without a catalogue.
    """
    global _chosen
    if language is not None and language not in LANGUAGES:
        raise ValueError(f"unknown language {language!r}: choose one of {', '.join(LANGUAGES)}")
    _chosen = language


def current_language() -> str:
    """The language messages come in now."""
    return _chosen or _language_of_environment()


@contextmanager
def speaking(language: str | None) -> Iterator[None]:
    """Speak `language` inside a `with` block; None leaves the language as it is."""
    before = _chosen
    if language is not None:
        use_language(language)
    try:
        yield
    finally:
        use_language(before)


def _(message: str) -> str:
    """The translation of `message`; the message itself where there is none."""
    return _catalogue(current_language()).gettext(message) if message else ""


def _language_of_environment() -> str:
    for variable in ("AUTOGRADER_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        prefix = os.environ.get(variable, "")[:2].lower()
        if prefix in LANGUAGES:
            return prefix
    return LANGUAGES[0]


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    # English is the language of the source, so its catalogue may be missing.
    return gettext.translation("autograder", _LOCALE_DIR, languages=[language], fallback=True)
