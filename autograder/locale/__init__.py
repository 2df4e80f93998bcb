"""The language of messages: gettext catalogues in `locale/`, English in the source.

The first of these decides: what `choose_language` or `speaking` set (`--lang`, or the language of the submissions being
graded), the environment variable `AUTOGRADER_LANG`, what `use_language` set (a notebook's edition), and the locale:
Japanese if that is Japanese, otherwise English.
"""

from __future__ import annotations

import contextlib
import gettext
import locale
import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

LANGUAGES = ("ja", "en")
_LOCALE_DIR = Path(__file__).parent
_chosen: str | None = None
_edition: str | None = None


def choose_language(language: str | None) -> None:
    """Use `language` ("ja" or "en") from now on, before all other settings; None resets it.

    Raises:
        ValueError: there is no catalogue for `language`.
    """
    global _chosen
    _chosen = _known(language)


def use_language(language: str | None) -> None:
    """Use `language` for messages in this notebook; None resets it. `--lang` and `AUTOGRADER_LANG` take precedence.

    Args:
        language: "en", "ja" or None.

    Raises:
        ValueError: there is no catalogue for `language`.

    >>> use_language("en")
    """
    global _edition
    _edition = _known(language)


def current_language() -> str:
    """The current language of messages."""
    return _chosen or language_named(os.environ.get("AUTOGRADER_LANG", "")) or _edition or _language_of_locale()


@contextlib.contextmanager
def speaking(language: str | None) -> Iterator[None]:
    """Use `language` inside a `with` block, as `choose_language` does; None changes nothing."""
    before = _chosen
    if language is not None:
        choose_language(language)
    try:
        yield
    finally:
        choose_language(before)


def _(message: str | None) -> str:
    """The translation of `message`; `message` itself if there is none, and "" for None."""
    return _catalogue(current_language()).gettext(message) if message else ""


@cache
def language_named(name: str) -> str | None:
    """The language of a locale such as "ja_JP.UTF-8", "ja" or "C", which is English; None if the kit lacks it."""
    language = re.split("[_.@-]", locale.normalize(name), maxsplit=1)[0].lower()
    if language in ("c", "posix"):
        return "en"
    return language if language in LANGUAGES else None


def language_in(arguments: list[str] | None) -> str | None:
    """The language of `--lang` in a command line, read first because the parser's help uses that language."""
    import argparse

    alone = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    alone.add_argument("--lang", choices=LANGUAGES)
    with contextlib.suppress(argparse.ArgumentError):  # the parser will report it
        return alone.parse_known_args(arguments)[0].lang
    return None


def _known(language: str | None) -> str | None:
    if language is not None and language not in LANGUAGES:
        raise ValueError(f"unknown language {language!r}: choose one of {', '.join(LANGUAGES)}")
    return language


def _language_of_locale() -> str:
    """The first language of the locale that the kit speaks, found as gettext does it; English if there is none."""
    for variable in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        names = os.environ.get(variable)
        if names:
            break
    else:
        names = _names_of_system()
    return next(filter(None, map(language_named, names.split(":"))), "en")


@cache
def _names_of_system() -> str:
    """The languages of the user interface, which Windows and macOS keep outside environment variables."""
    if sys.platform == "win32":
        import ctypes

        return locale.windows_locale.get(ctypes.windll.kernel32.GetUserDefaultUILanguage(), "")
    if sys.platform == "darwin":
        import subprocess

        with contextlib.suppress(OSError, subprocess.SubprocessError):
            line = ["/usr/bin/defaults", "read", "-g", "AppleLanguages"]
            done = subprocess.run(line, capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=5)
            return ":".join(re.findall(r"[\w-]+", done.stdout))
    return ""


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    # English is the language of the source, so its catalogue may be missing.
    return gettext.translation("autograder", _LOCALE_DIR, languages=[language], fallback=True)
