"""Every message has a Japanese translation that fits it, and messages come in the language that was asked for."""

import ast
import ctypes
import re
import shutil
import subprocess
import sys
from collections import Counter
from string import Formatter
from types import SimpleNamespace

import numpy as np
import pytest

from autograder import locale as i18n
from autograder.exercises import every_exercise
from autograder.exercises.recorded import recorded
from autograder.locale import _, choose_language, current_language, speaking, use_language
from source import catalogue
from source.catalogue import CATALOGUE, ROOT, marked, messages, translations, update

EXERCISES = every_exercise()
MESSAGES = sorted({source.text for source in messages()})
FILES = ("autograder.po", "autograder.mo")
ASKS_SYSTEM = i18n._names_of_system.__wrapped__


def in_japanese(message):
    with speaking("ja"):
        return _(message)


def fields(text):
    """The placeholders of `text`, each with its conversion and format, as often as they stand there."""
    parts = Formatter().parse(text)
    return Counter((name, conversion, spec) for _text, name, spec, conversion in parts if name is not None)


# --- translations ----------------------------------------------------------------------------------------------------


def test_every_message_has_a_japanese_translation():
    assert [message for message in MESSAGES if in_japanese(message).isascii()] == []


def test_translations_have_the_placeholders_of_their_message():
    assert [message for message in MESSAGES if fields(in_japanese(message)) != fields(message)] == []


def test_translations_name_the_same_code():
    def code(text):
        return Counter(re.findall("`[^`]+`", text))

    assert [message for message in MESSAGES if code(in_japanese(message)) != code(message)] == []


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_sentences_and_titles_are_in_the_catalogue(exercise):
    known = translations()
    private = [case for seed in range(100, 110) for _group, case in exercise.draw(np.random.default_rng(seed))]
    public = [expectation.case for expectation in recorded(exercise)]
    wanted = {check.sentence for check in exercise.checks} | {case.title for case in private + public}
    assert sorted(text for text in wanted if not known.get(text)) == []


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_promises_are_whole_sentences_and_titles_are_not(exercise):
    """A sentence stands alone in a table; a title stands between brackets."""
    assert all(in_japanese(check.sentence).endswith("。") for check in exercise.checks)
    assert all("。" not in in_japanese(expectation.case.title) for expectation in recorded(exercise))


def test_english_is_the_text_of_the_source():
    with speaking("en"):
        assert [message for message in MESSAGES if _(message) != message] == []


@pytest.mark.parametrize("language", ["ja", "en"])
def test_no_text_stays_no_text(language):
    """gettext would give the catalogue's header for it."""
    with speaking(language):
        assert _("") == ""


# --- the files -------------------------------------------------------------------------------------------------------


def test_the_committed_files_are_what_the_script_makes(tmp_path):
    shutil.copy(CATALOGUE / "autograder.po", tmp_path)
    assert update(tmp_path) == []
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (CATALOGUE / name).read_bytes(), f"run source/catalogue.py: {name}"


@pytest.fixture
def beside_solutions(monkeypatch):
    """The words that exercises keep with their texts: none, until a test adds some."""
    words = {}
    monkeypatch.setattr(catalogue, "texts_beside_solutions", lambda _table: words)
    return words


def test_without_translations_all_messages_wait_for_one(tmp_path, beside_solutions):
    assert sorted(update(tmp_path / "new")) == MESSAGES
    once = [(tmp_path / "new" / name).read_bytes() for name in FILES]
    update(tmp_path / "new")
    assert [(tmp_path / "new" / name).read_bytes() for name in FILES] == once


def test_translations_stay_those_of_an_exercises_own_texts_come_and_what_is_gone_goes(tmp_path, beside_solutions):
    kept, own, gone = MESSAGES[0], MESSAGES[1], "no such message any more"
    beside_solutions |= {own: "語", "of no message": "無"}
    assert gone not in MESSAGES
    entries = "".join(f'msgid {text}\nmsgstr "訳"\n\n' for text in (_quoted(kept), _quoted(gone)))
    (tmp_path / "autograder.po").write_text(entries, encoding="utf-8")
    update(tmp_path)
    assert {message: text for message, text in translations(tmp_path).items() if text} == {kept: "訳", own: "語"}
    assert gone not in (tmp_path / "autograder.po").read_text(encoding="utf-8")


def _quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def test_the_catalogue_tells_nothing_of_when_and_where_it_was_made():
    text = (CATALOGUE / "autograder.po").read_text(encoding="utf-8")
    assert str(ROOT) not in text
    assert not re.search(r"\d{4}-\d\d-\d\d|Generated-By|fuzzy", text)


def test_marks_are_found_in_calls_in_f_strings_and_over_several_lines():
    code = """
print(f"<b>{_('in an f-string')}</b>", _("outer {x}").format(x=_("inner")))
raise ValueError(
    _(
        "one "
        "text"
    )
)
other("not marked"), _(a_variable)
"""
    assert list(marked(ast.parse(code))) == ["in an f-string", "outer {x}", "inner", "one text"]


# --- which language --------------------------------------------------------------------------------------------------

VARIABLES = ("AUTOGRADER_LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


@pytest.fixture(autouse=True)
def no_language(monkeypatch):
    """Nothing asks for a language: no variable, and, where these would be asked, no Windows or macOS."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(i18n, "_names_of_system", lambda: "")


@pytest.mark.parametrize("name", ["", "C", "POSIX", "C.UTF-8", "C.utf8", "de_DE.UTF-8", "en_US.UTF-8", "fr", "jam_JM"])
@pytest.mark.parametrize("variable", VARIABLES)
def test_english_is_spoken_wherever_the_locale_is_not_japanese(monkeypatch, variable, name):
    monkeypatch.setenv(variable, name)
    assert current_language() == "en"


@pytest.mark.parametrize("name", ["ja", "JA", "ja_JP", "ja-JP", "ja_JP.UTF-8", "ja_JP.eucJP", "ja_JP@x", "japanese"])
@pytest.mark.parametrize("variable", VARIABLES)
def test_japanese_is_spoken_where_the_locale_is_japanese(monkeypatch, variable, name):
    monkeypatch.setenv(variable, name)
    assert current_language() == "ja"


@pytest.mark.parametrize("place", range(len(VARIABLES)))
@pytest.mark.parametrize(("name", "other"), [("ja_JP.UTF-8", "C.UTF-8"), ("de_DE.UTF-8", "ja_JP.UTF-8")])
def test_the_first_variable_that_is_set_decides(monkeypatch, place, name, other):
    for number, variable in enumerate(VARIABLES):
        monkeypatch.setenv(variable, "" if number < place else name if number == place else other)
    asked_next = place == 0 and name.startswith("de")  # AUTOGRADER_LANG knows the kit's languages only
    assert current_language() == ("ja" if name.startswith("ja") or asked_next else "en")


@pytest.mark.parametrize(
    ("names", "language"),
    [("fr:ja", "ja"), ("fr:en:ja", "en"), ("fr:C:ja", "en"), ("fr:de", "en"), (":ja", "ja"), ("ja:en", "ja")],
)
def test_of_several_languages_the_first_that_the_kit_speaks_is_taken(monkeypatch, names, language):
    monkeypatch.setenv("LANGUAGE", names)
    monkeypatch.setenv("LANG", "ja_JP.UTF-8")
    assert current_language() == language


@pytest.mark.parametrize("language, other", [("ja", "en"), ("en", "ja")])
def test_a_choice_comes_before_autograder_lang_that_before_the_notebook_that_before_the_locale(
    monkeypatch, language, other
):
    for variable in VARIABLES[1:]:
        monkeypatch.setenv(variable, other)
    use_language(language)
    assert current_language() == language
    monkeypatch.setenv("AUTOGRADER_LANG", other)
    assert current_language() == other
    choose_language(language)
    assert current_language() == language
    choose_language(None)
    monkeypatch.delenv("AUTOGRADER_LANG")
    use_language(None)
    assert current_language() == other


@pytest.mark.parametrize(("language", "spoken"), [(0x0411, "ja"), (0x0409, "en"), (0x0407, "en"), (0xFFFF, "en")])
def test_windows_is_asked_for_the_language_of_its_user_interface(monkeypatch, language, spoken):
    kernel = SimpleNamespace(GetUserDefaultUILanguage=lambda: language)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    assert asked_on("win32", monkeypatch) == spoken
    monkeypatch.setenv("LANG", "C")
    assert current_language() == "en"


@pytest.mark.parametrize(
    ("said", "spoken"),
    [
        ('(\n    "ja-JP",\n    "en-JP"\n)\n', "ja"),
        ("(\n    ja\n)\n", "ja"),
        ('(\n    "fr-FR",\n    "ja-FR"\n)\n', "ja"),
        ('(\n    "en-US",\n    "ja-US"\n)\n', "en"),
        ("", "en"),
    ],
)
def test_macos_is_asked_for_the_languages_of_its_user_interface(monkeypatch, said, spoken):
    monkeypatch.setattr(subprocess, "run", lambda line, **_options: subprocess.CompletedProcess(line, 0, said))
    assert asked_on("darwin", monkeypatch) == spoken


def test_macos_that_cannot_be_asked_speaks_english(monkeypatch):
    def run(*_line, **_options):
        raise FileNotFoundError("defaults")

    monkeypatch.setattr(subprocess, "run", run)
    assert asked_on("darwin", monkeypatch) == "en"


def asked_on(platform, monkeypatch):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(i18n, "_names_of_system", ASKS_SYSTEM)
    return current_language()


@pytest.mark.parametrize("choose", [use_language, choose_language])
@pytest.mark.parametrize("language", ["fr", "", "JA", "ja_JP"])
def test_an_unknown_language_is_refused_and_changes_nothing(choose, language):
    choose("ja")
    with pytest.raises(ValueError, match="ja, en"):
        choose(language)
    assert current_language() == "ja"


def test_speaking_restores_the_language():
    choose_language("ja")
    with speaking("en"):
        assert current_language() == "en"
        with speaking(None):
            assert current_language() == "en"
        with pytest.raises(KeyError), speaking("ja"):
            raise KeyError("an error in the block")
        assert current_language() == "en"
    assert current_language() == "ja"


def test_speaking_gives_the_choice_back_to_the_environment(monkeypatch):
    with speaking("en"):
        pass
    monkeypatch.setenv("LANG", "ja_JP.UTF-8")
    assert current_language() == "ja"


def test_an_unknown_language_is_not_spoken():
    with pytest.raises(ValueError), speaking("fr"):
        pass
    assert current_language() == "en"
