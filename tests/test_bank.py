"""The bank of known mistakes and right variants: what it is made of. `tests/test_audit.py` judges all of it."""

import tomllib
from collections import Counter

import pytest

from autograder.exercises import every_exercise
from autograder.grading.private import Disagreement
from reference import bank, record

EXERCISES = every_exercise()


def test_ids_are_unique_and_no_text_is_without_a_mistake():
    mistakes = bank.mistakes()
    assert max(Counter(mistake.id for mistake in mistakes).values()) == 1
    tables = [tomllib.loads(path.read_text(encoding="utf-8")) for path in bank.FOLDER.glob("*/*/*.toml")]
    named = [id for table in tables for id, entry in table.items() if "fails" in entry]
    assert sorted(named) == sorted(mistake.id for mistake in mistakes)


def test_every_check_is_named_by_a_mistake_and_mistakes_name_checks():
    named = {name for mistake in bank.mistakes() for name in mistake.fails}
    assert named == {f"{e.id}.{check.id}" for e in EXERCISES for check in e.checks}


def test_who_tells_a_cause_tells_it_and_asks_in_both_languages():
    for mistake in bank.mistakes():
        assert mistake.fails, mistake.id
        assert mistake.cause.keys() == mistake.hint.keys() and mistake.cause.keys() in ({"en", "ja"}, set()), mistake.id
        assert all([*mistake.cause.values(), *mistake.hint.values()]), mistake.id
        assert not mistake.hint or (mistake.hint["en"].endswith("?") and mistake.hint["ja"].endswith("？")), mistake.id


def test_an_entry_may_be_an_edit_of_the_solution_and_one_that_names_no_check_is_right(tmp_path, monkeypatch):
    folder = tmp_path / "course" / "double"
    folder.mkdir(parents=True)
    (folder / "solution.py").write_text("TWO = 2\n\n\n# %%\ndef double(x):\n    return TWO * x\n")
    (folder / "texts.toml").write_text(
        '[half]\nedit = {"TWO * x" = "x / TWO"}\nfails = ["double.value"]\ntouches = "core"\n'
        '[sum]\ncode = "double = lambda x: x + x + TWO - 2"\n[words]\n"edit" = "code"\n'
    )
    monkeypatch.setattr(bank, "FOLDER", tmp_path)
    (mistake,), (variant,) = bank.mistakes(), bank.variants()
    about = (mistake.id, mistake.solution, mistake.fails, mistake.touches)
    assert about == ("half", "double", ("double.value",), "core")
    assert mistake.implementation.double(6) == 3 and variant.implementation.double(6) == 12
    assert (variant.id, variant.solution) == ("sum", "double")
    assert bank.slip("double", {"TWO * x": "x - TWO"}).double(6) == 4


def test_what_a_module_of_variants_defines_is_a_variant_but_for_its_own_helpers_and_imports():
    found = {variant.id for variant in bank.variants() if variant.solution == "batch_norm"}
    assert {"CompactThreeTerms", "SinglePrecision"} <= found
    assert not found & {"_Plain", "BatchNorm", "central_differences", "public"}


@pytest.mark.parametrize(("old", "times"), [("y", 0), ("x", 2)])
def test_what_an_edit_replaces_stands_once(old, times):
    with pytest.raises(Disagreement, match=f"stands {times} times"):
        bank.edited("# %%\ndef f(x):\n    return x", {old: "z"}, "")


def test_recording_says_which_cells_it_makes_anew_and_when_there_are_none(tmp_path, monkeypatch, capsys):
    up_to_date = {
        exercise: record.digest([e for e in EXERCISES if e.solution == exercise.solution]) for exercise in EXERCISES
    }
    monkeypatch.setattr(record, "RECORDINGS", tmp_path)
    monkeypatch.setattr(record, "choose_language", lambda _language: None)
    for name, nothing in {"new_books": {}, "observe_bank": [], "observe_mutants": [], "inherited": {}}.items():
        monkeypatch.setattr(record, name, lambda *_, nothing=nothing: nothing)  # they take minutes
    for changed, said in (("clip_gradients", "clip_gradients: "), (None, "All recordings are up to date")):
        of = {e: "" if e.solution == changed else sources for e, sources in up_to_date.items()}
        monkeypatch.setattr(record, "made_of", of.get)
        record.main()
        (line,) = capsys.readouterr().out.splitlines()
        assert line.startswith(said)
    assert [path.name for path in tmp_path.iterdir()] == ["clip_gradients.msgpack"]
