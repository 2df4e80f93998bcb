"""The card, the overview and the hints, as JupyterLab, a feedback page and a screen reader find them."""

from __future__ import annotations

import re
from collections import namedtuple
from dataclasses import replace

import pytest
from conftest import ALL_POINTS, AUTOMATIC, EXERCISES, namespace_of, parsed

import autograder
from autograder.checks.numeric import SHADES
from autograder.checks.results import ExerciseResult, Item, Outcome
from autograder.exercises import Guide, assignments, every_exercise, guide, guides, in_lesson_order
from autograder.locale import LANGUAGES, speaking
from autograder.nbgrader_plugins.safe_html import clean_html
from autograder.report.html import exercise_html
from autograder.report.overview import left, next_exercise, overview_html, overview_text
from autograder.report.text import exercise_text
from autograder.report.words import MARKS, Link, Note, outcome_word, read_again, title
from autograder.student.hints import Hints, hints_for
from autograder.student.notebook import Overview, judge_here
from reference.bank import mistakes
from source.build import lessons
from tests.colours import contrast

pytestmark = pytest.mark.usefixtures("english")

ASSIGNMENT = "gradient-pathology"
PICTURE = ("·░▒", "▓█·")
ODD = "<script>alert(1)</script>\"'><img src=x onerror=student()>"
DARK, LIGHT = "#111111", "#ffffff"
"""The pages of JupyterLab's two themes; those of VS Code and Colab lie between."""


def an_item(outcome, number=0, **details):
    earned = 1.0 if outcome is Outcome.PASSED else 0.0
    return Item(f"c{number}", f"Promise {number}.", outcome, earned, 1.0, **details)


ALL_OUTCOMES = ExerciseResult(
    "clip_gradients",
    tuple(an_item(outcome, n, seen=f"seen {n}") for n, outcome in enumerate(Outcome)),
)
FAILED = ExerciseResult(
    "clip_gradients",
    (
        an_item(Outcome.PASSED, 0),
        an_item(
            Outcome.FAILED,
            1,
            seen=f"y[1, 0] is 2, but 3 was expected {ODD}\n(case: odd)",
            picture=PICTURE,
            cause="Likely cause: eps.",
            question="Where is eps?",
        ),
    ),
)


FULL = ExerciseResult("clip_gradients", (an_item(Outcome.PASSED, 0), an_item(Outcome.PASSED, 1)))
STUB = ExerciseResult(
    "clip_gradients", tuple(an_item(Outcome.NOT_ATTEMPTED, n, seen="Nothing here yet.") for n in range(2))
)


class Page:
    """What a browser makes of a card: elements in order, and all text."""

    def __init__(self, text):
        soup = parsed(text)
        self.elements, self.text, self.of = soup.find_all(True), soup.get_text(), soup.find_all


def style(element):
    """The declarations in an element's style, by name and value."""
    return [tuple(map(str.strip, d.split(":", 1))) for d in element.get("style", "").split(";") if d]


def declared(element, name):
    return [value for key, value in style(element) if key == name]


# --- the card ---------------------------------------------------------------------------------------------------------


def test_the_card_has_a_name_and_a_language():
    root = Page(exercise_html(FAILED)).elements[0]
    assert root.attrs["role"] == "group" and root.attrs["aria-label"] == "Result of clip_gradients"
    assert root.attrs["lang"] == "en"
    with speaking("ja"):
        assert Page(exercise_html(FAILED)).elements[0].attrs["lang"] == "ja"


def test_every_outcome_is_a_mark_and_a_word():
    shown = Page(exercise_html(ALL_OUTCOMES))
    lines = [element.text for element in shown.elements if element.name == "li"]
    assert len(lines) == len(Outcome)
    first = next(item for item in ALL_OUTCOMES.items if item.outcome is Outcome.FAILED)
    for item in ALL_OUTCOMES.items:
        above = ", see above" if item is first else ""
        start = f"{MARKS[item.outcome]} {outcome_word(item.outcome)}{above} {item.points:g} / 1 {item.sentence}"
        assert any(line.startswith(start) for line in lines), item


def test_the_card_says_all_that_the_text_says():
    notes = [Note("Judged: `x`."), Note("Read again: {link}", Link("2.2 Gradient clipping"))]
    for result in (FAILED, ALL_OUTCOMES, FULL, STUB):
        shown = Page(exercise_html(result, notes)).text
        for line in exercise_text(result, notes=notes).splitlines():
            words = re.sub(r"\([a-z, ]+\)$", "", line).strip(" ✓✗·–?█▓▒░").split("  ")[-1].strip()
            words = words.removeprefix("clip_gradients: ").replace("`", "").split(", ")[-1].split(". ")[-1]
            assert words in shown, line


def test_the_cause_comes_first_then_what_was_seen_and_the_question():
    page = Page(exercise_html(FAILED))
    assert [element.text for element in page.of("strong")] == ["clip_gradients", "Likely cause: eps."]
    for shown in (page.text, exercise_text(FAILED)):
        order = ["Likely cause: eps.", "y[1, 0] is 2", "(case: odd)", "Where is eps?", "Promise 1.", "1 of 2 passed"]
        places = [shown.rindex(words) for words in order]
        assert places == sorted(places)
        assert all(shown.count(words) == 1 for words in order[:5])


def test_without_a_cause_the_first_words_are_those_of_what_was_seen():
    page = Page(exercise_html(ALL_OUTCOMES))
    assert [element.text for element in page.of("strong")][1:] == ["seen 1"]


def test_the_first_failure_that_has_a_cause_comes_first_and_the_others_are_folded():
    items = (
        an_item(Outcome.FAILED, 0, seen="seen 0"),
        an_item(Outcome.FAILED, 1, seen="seen 1", cause="Likely cause: a.", question="Why?"),
        an_item(Outcome.FAILED, 2, seen="seen 2", cause="Likely cause: a.", question="Why?"),
    )
    result = ExerciseResult("clip_gradients", items)
    page = Page(exercise_html(result))
    assert [element.text for element in page.of("strong")][1:] == ["Likely cause: a."]
    folded = [element.text for element in page.of("details")]
    assert len(folded) == 2 and folded[0].endswith("seen 0") and folded[1].endswith("seen 2")
    assert page.text.count("Why?") == exercise_text(result).count("Likely cause") == 1


def test_without_a_cause_a_failure_that_says_more_than_two_numbers_comes_first():
    items = (
        an_item(Outcome.FAILED, 0, seen="y is 1, but 2 was expected.", compared=True),
        an_item(Outcome.FAILED, 1, seen="b stays as it was."),
    )
    page = Page(exercise_html(ExerciseResult("clip_gradients", items)))
    assert [element.text for element in page.of("strong")][1:] == ["b stays as it was."]


def test_one_error_of_all_checks_is_told_once_above_them():
    case = namedtuple("Case", "title")
    items = [
        an_item(Outcome.RAISED, n, seen=f"Your code raised E: x\n(case: {n})", printed="hello", case=case(str(n)))
        for n in range(3)
    ]
    result = ExerciseResult("clip_gradients", tuple(items))
    for shown in (Page(exercise_html(result)).text, exercise_text(result)):
        assert shown.count("raised E") == shown.count("hello") == 1
        assert shown.index("raised E") < shown.index("Promise 0.")
    assert not Page(exercise_html(result)).of("details")


def test_what_passed_and_what_waits_are_a_line_each():
    page = Page(exercise_html(ALL_OUTCOMES))
    heads = [element.text for element in page.of("summary")]
    assert heads[-2:] == ["1 waits for another check", "1 of 7 passed"]
    assert exercise_text(ALL_OUTCOMES).splitlines()[-2:] == ["  – 1 waits for another check", "  ✓ 1 of 7 passed"]
    assert exercise_text(FULL) == "clip_gradients: 2 / 2 points, everything passed"


def test_a_crash_of_the_checker_is_told_although_it_costs_nothing():
    crash = an_item(Outcome.GRADER_ERROR, 1, seen="The checker crashed here.")
    result = ExerciseResult("clip_gradients", (an_item(Outcome.PASSED, 0), replace(crash, points=1.0)))
    assert result.full
    for shown in (Page(exercise_html(result)).text, exercise_text(result)):
        assert "The checker crashed here." in shown


def test_a_card_reads_in_japanese_as_well():
    with speaking("ja"):
        assert exercise_text(STUB) == "clip_gradients: 0 / 2 点。Nothing here yet. 2 項目を確かめます。"
        assert "2 項目のうち 1 項目に合格" in Page(exercise_html(FAILED)).text
        assert str(read_again(guide("clip_gradients"))) == "もう一度読むところ: 2.2 勾配クリッピング"
        assert "人が採点するもの: depth_study_plot (2)。" in overview_text([FULL], {"depth_study_plot": 2.0})


def test_what_is_not_begun_is_one_line():
    assert exercise_text(STUB) == "clip_gradients: 0 / 2 points. Nothing here yet. 2 things will be tested."
    one = replace(STUB, items=STUB.items[:1])
    assert exercise_text(one) == "clip_gradients: 0 / 1 points. Nothing here yet. 1 thing will be tested."
    (folded,) = Page(exercise_html(STUB)).of("details")
    assert folded.text.startswith("What will be tested") and "Promise 1." in folded.text


def test_what_the_student_printed_is_shown_as_it_is_and_escaped():
    item = an_item(Outcome.FAILED, seen="seen", printed=f"a  b\n{ODD}")
    result = ExerciseResult("clip_gradients", (item,))
    (shown,) = Page(exercise_html(result)).of("pre")
    assert shown.text == f"a  b\n{ODD}"
    assert "  Your code printed:\n    | a  b\n" in exercise_text(result)


def test_a_note_links_to_its_heading():
    note = Note("Read again: {link}", Link("2.2 勾配クリッピング"))
    (link,) = Page(exercise_html(FAILED, [note])).of("a")
    assert (link.attrs["href"], link.text) == ("#2.2-勾配クリッピング", "2.2 勾配クリッピング")
    assert exercise_text(FAILED, notes=[note]).endswith("Read again: 2.2 勾配クリッピング")


@pytest.mark.parametrize(("language", "expected"), [("en", "Gradient clipping"), ("ja", "勾配クリッピング")])
def test_an_exercise_has_its_title_beside_its_id(language, expected):
    with speaking(language):
        assert f"clip_gradients ({expected}): " in Page(exercise_html(FAILED)).text
        assert f"  {expected}: " in overview_text([FAILED])
        assert f"clip_gradients {expected}" in Page(overview_html([FAILED])).text


def test_an_exercise_without_a_title_goes_by_its_id():
    result = ExerciseResult("new", FAILED.items)
    assert Page(exercise_html(result)).text.startswith("new: ") and "  1 of 2 passed" in overview_text([result])


def test_every_exercise_has_a_title_in_the_language_spoken():
    titles = {}
    for language in LANGUAGES:
        with speaking(language):
            titles[language] = [title(ExerciseResult(exercise.id, ())) for exercise in every_exercise()]
    assert all(titles["en"]) and all(ja and ja != en for ja, en in zip(titles["ja"], titles["en"], strict=True))


def test_what_a_student_wrote_is_escaped_everywhere():
    item = Item(ODD, ODD, Outcome.FAILED, 0.0, 1.0, ODD, (), (), ODD, ODD)
    hint = Hints().next(ExerciseResult(ODD, (item,)))
    for text in (exercise_html(ExerciseResult(ODD, (item, item))), hint._repr_html_(), overview_html([FAILED])):
        page = Page(text)
        assert not page.of("script") and not page.of("img")
        assert all(not name.startswith("on") for element in page.elements for name in element.attrs)
    assert ODD in Page(exercise_html(FAILED)).text


def test_the_picture_is_a_grid_with_words_and_a_legend():
    page = Page(exercise_html(FAILED))
    (picture,) = [element for element in page.elements if element.attrs.get("role") == "img"]
    assert picture.text == "".join(PICTURE)
    words = "Picture of the errors: 4 of 6 elements are off, in rows 0, 1 and columns 0, 1, 2."
    assert picture.attrs["aria-label"] == words
    cells = [element for element in page.of("span") if element.parent is picture]
    assert len({tuple(declared(cell, "background")) for cell in cells}) == len(SHADES)
    assert "size of the error: · none, ░▒▓ growing, █ as large as the value" in page.text
    assert len([c for c in page.of("span") if c.text in SHADES]) == 6 + 5  # the legend's have the same grounds


@pytest.mark.parametrize(
    ("text", "page"), [("#000000", LIGHT), ("#333333", LIGHT), ("#ffffff", DARK), ("#cccccc", "#1e1e1e")]
)
def test_the_marks_of_a_picture_can_be_read_on_light_and_dark_pages(text, page):
    grounds = re.findall(r"rgba\((207), (34), (46), ([\d.]+)\)", exercise_html(FAILED))
    assert len(set(grounds)) == len(SHADES)
    for *red, alpha in grounds:
        below = [int(page[i : i + 2], 16) for i in (1, 3, 5)]
        mixed = [round(float(alpha) * int(r) + (1 - float(alpha)) * b) for r, b in zip(red, below, strict=True)]
        assert contrast(text, "#{:02x}{:02x}{:02x}".format(*mixed)) >= 4.5


@pytest.mark.parametrize("result", [ALL_OUTCOMES, FAILED], ids=["outcomes", "failed"])
def test_text_has_the_colour_of_the_page_or_brings_its_ground(result):
    for text in (exercise_html(result), overview_html([result]), Hints().next(result)._repr_html_()):
        for element in Page(text).elements:
            for colour in declared(element, "color"):
                (ground,) = declared(element, "background")
                assert contrast(colour, ground) >= 4.5, (colour, ground)


def test_badges_and_bars_can_be_told_from_light_and_dark_pages():
    """3 is what WCAG 2.1 asks of what is not text (1.4.11)."""
    page = Page(exercise_html(ALL_OUTCOMES))
    grounds = {ground for e in page.of("span") for ground in declared(e, "background") if ground.startswith("#")}
    assert len(grounds) == 4
    for ground in grounds:
        assert min(contrast(ground, LIGHT), contrast(ground, DARK)) >= 3, ground


def test_lines_follow_the_theme_of_jupyter_and_vs_code_and_are_grey_elsewhere():
    values = [value for element in Page(exercise_html(FAILED)).elements for _name, value in style(element)]
    lines = [value for value in values if "var(" in value]
    assert len(lines) >= 4  # the card's edge, a bar, two rows
    for line in lines:
        assert re.search(r"var\(--jp-[\w-]+, var\(--vscode-[\w-]+, rgba\(128, 128, 128, 0\.5\)\)\)$", line), line


@pytest.mark.parametrize("make", [lambda: exercise_html(FAILED), lambda: overview_html([FAILED, ALL_OUTCOMES])])
def test_feedback_pages_keep_every_word_and_name(make):
    before, after = Page(make()), Page(clean_html(make()))
    assert after.text == before.text
    for kind in ("aria-label", "lang", "scope", "role"):
        names = [[e.attrs[kind] for e in page.elements if kind in e.attrs] for page in (before, after)]
        assert names[0] == names[1], kind
    for element in after.elements:
        for colour in declared(element, "color"):
            assert contrast(colour, declared(element, "background")[0]) >= 4.5


def test_without_any_style_the_same_words_stand_in_the_same_order():
    bare = re.sub(r' style="[^"]*"', "", exercise_html(FAILED))
    assert "style" not in bare and Page(bare).text == Page(exercise_html(FAILED)).text
    names = {name for element in Page(exercise_html(FAILED)).elements for name, _value in style(element)}
    assert not names & {"visibility", "position", "clip", "text-indent", "opacity", "font-size"}


def test_a_real_mistake_fills_the_card():
    mistake = next(m for m in mistakes() if m.id == "eps-outside-root")
    wanted = next(e for e in EXERCISES if e.id == "batch_norm_forward")
    result = judge_here(wanted, {"BatchNorm": mistake.implementation.BatchNorm})
    item = next(item for item in result.items if item.question)
    assert item.message == "\n".join([item.cause, item.seen, item.question])
    text = Page(exercise_html(result)).text
    assert "eps is added to the standard deviation" in text and item.question in text and "▒" in text


# --- the overview -----------------------------------------------------------------------------------------------------


def overview_of(namespace):
    """What `check()` gives in a notebook that defines `namespace`."""
    namespace = {**namespace, "check": autograder.check}
    exec("result = check()", namespace)
    return namespace["result"]


def test_an_empty_notebook_begins_with_the_first_exercise_of_the_lesson():
    overview = overview_of({})
    assert isinstance(overview, Overview)
    assert [result.id for result in overview.results] == [e.id for e in in_lesson_order(ASSIGNMENT)]
    assert repr(overview).count("nothing written yet") == len(EXERCISES)
    assert repr(overview).startswith(f"Your progress: 0 / {ALL_POINTS:g} points") and 'hint("clip_gradients")' in repr(
        overview
    )


def test_a_begun_notebook_is_sent_to_the_first_exercise_that_is_not_full(reference):
    overview = overview_of(namespace_of("clip_gradients", "batch_norm", reference=reference))
    assert next_exercise(left(overview.results)) == "gradient_monitor"
    assert repr(overview).startswith(f"Your progress: 22 / {ALL_POINTS:g} points")
    table = Page(overview._repr_html_())
    states = [row.text for row in table.of("tr")[1:]]
    assert states[0] == "clip_gradients Gradient clipping\N{NO-BREAK SPACE} 6 / 6everything passed"
    assert states[1] == "gradient_monitor A gradient monitor\N{NO-BREAK SPACE} 0 / 4nothing written yet"
    assert table.elements[0].attrs["aria-label"] == "Your progress" and len(states) == len(EXERCISES) + 2


def test_a_notebook_in_which_all_checks_pass_still_has_the_plot_and_the_findings(reference):
    overview = overview_of(namespace_of(*{e.solution for e in EXERCISES}, reference=reference))
    assert repr(overview).startswith(
        f"Your progress: {AUTOMATIC:g} / {ALL_POINTS:g} points"
    ) and "Well done" not in repr(overview)
    last = "To be graded by a person: depth_study_plot (2), depth_study_findings (2)."
    assert repr(overview).endswith(last) and last in Page(overview._repr_html_()).text
    for name in ("depth_study_plot", "depth_study_findings"):
        assert re.search(rf"░░░  {name} +– / 2 +open until a person grades it", repr(overview))


def test_where_nothing_is_graded_by_hand_a_full_notebook_is_congratulated():
    assert overview_text([FULL]).endswith("Well done!") and "░" not in overview_text([FULL])
    assert "Well done!" in Page(overview_html([FULL])).text


def test_a_bar_is_full_only_with_every_point():
    nearly = ExerciseResult("x", (Item("a", "A.", Outcome.FAILED, 3.99, 4.0),))
    assert "█████████░" in overview_text([nearly])


# --- hints ------------------------------------------------------------------------------------------------------------


def hinted(namespace, name):
    """What `hint(name)` gives in a notebook that defines `namespace`."""
    namespace = {**namespace, "hint": autograder.hint}
    exec(f"result = hint({name!r})", namespace)
    return namespace["result"]


HINTED = ExerciseResult("clip_gradients", (replace(FAILED.items[1], id="factor"),))
"""Of a check that has hints."""


def test_hints_come_one_at_a_time_then_a_kind_word_and_the_first_again():
    hints = Hints()
    expected = hints_for(HINTED.items[0], guide("clip_gradients"))
    given = [hints.next(HINTED) for _turn in range(len(expected) + 2)]
    assert [hint.note for hint in given[: len(expected)]] == expected
    assert [hint.number for hint in given[:2]] == [1, 2] and given[0].of == len(expected)
    later, again = given[len(expected) :]
    assert "ask a person" in later.text and later.note not in expected
    assert 'example("clip_gradients")' in later.text and later.note.link == expected[-1].link
    assert again == given[0]


def test_hints_do_not_repeat_the_card_and_end_with_a_link():
    hints, item = Hints(), HINTED.items[0]
    *others, last = [hints.next(HINTED) for _hint in hints_for(item, guide("clip_gradients"))]
    (link,) = Page(last._repr_html_()).of("a")
    assert link.attrs["href"] == "#2.2-Gradient-clipping" and "2.2 Gradient clipping" in repr(last)
    assert not any(said in hint.text for hint in (*others, last) for said in (item.cause, item.question))


def test_hints_for_the_cause_of_the_card_come_first_and_the_last_names_the_section():
    texts = {
        name: {language: f"{name} in {language}" for language in LANGUAGES} for name in ("all", "inf", "nan", "more")
    }
    hints = [texts["all"], {**texts["nan"], "causes": ["nan"]}, {**texts["inf"], "causes": ["inf"]}, texts["more"]]
    section = {language: f"Section 9 in {language}" for language in LANGUAGES}
    for language in LANGUAGES:
        with speaking(language):
            for causes, first in ((("inf",), ["inf"]), (("other", "nan"), ["nan"]), ((), [])):
                item = an_item(Outcome.FAILED, causes=causes)
                *told, last = map(str, hints_for(item, Guide(section, hints={item.id: hints})))
                assert told == [f"{name} in {language}" for name in (*first, "all")]
                assert last.startswith(f"more in {language}") and section[language] in last


def test_the_hints_for_each_mistake_are_counted_from_one_to_a_number_that_stays():
    hints, about = Hints(), guide("gradient_monitor").hints["nonfinite"]
    ids = [cause for hint in about for cause in hint.get("causes", ())]
    several = [
        ExerciseResult("gradient_monitor", (replace(an_item(Outcome.FAILED, causes=(cause,)), id="nonfinite"),))
        for cause in (ids[0], ids[-1])
    ]
    turns = [several[0], *[several[1]] * 9, *[several[0]] * 9]
    given = [hints.next(result) for result in turns]
    for result in several:
        own = [hint for hint, turn in zip(given, turns, strict=True) if turn is result and hint.number]
        total = own[0].of
        assert [(hint.number, hint.of) for hint in own[:total]] == [(n + 1, total) for n in range(total)] and total > 1
    fresh = [hint.text for hint in given[: 1 + given[1].of]]
    assert len(fresh) == len(set(fresh)), "what was given for one mistake comes no second time for the next"


@pytest.mark.parametrize("exercise", every_exercise(), ids=lambda exercise: exercise.id)
def test_hints_for_causes_name_known_mistakes(exercise):
    named = {id for given in guide(exercise.id).hints.values() for hint in given for id in hint.get("causes", ())}
    assert named <= {mistake.id for mistake in mistakes()}


@pytest.mark.parametrize("assignment", lessons())
def test_what_the_lesson_marks_as_optional_mark_is_optional_mark(assignment):
    lesson = lessons()[assignment].read_text(encoding="utf-8")
    for name, about in guides(assignment).items():
        marked = re.search(rf"### {re.escape(about.section['ja'])}\n#\n# \*(★|発展)", lesson)
        assert (marked[1] == "発展") == about.further, name


def test_an_exercise_without_a_guide_still_has_a_hint():
    assert len(hints_for(an_item(Outcome.FAILED), Guide())) == 1


@pytest.mark.parametrize("exercise", every_exercise(), ids=lambda exercise: exercise.id)
def test_before_anything_is_written_hints_say_how_to_begin(exercise):
    about = guide(exercise.id)
    for check in exercise.checks:
        told = hints_for(replace(an_item(Outcome.NOT_ATTEMPTED), id=check.id), about)
        assert [note.text for note in told[:-1]] == [hint["en"] for hint in about.begin] and len(told) > 2
        assert about.begin[0]["en"].startswith("Begin ") and "Write a first version" in told[-1].text


@pytest.mark.parametrize(
    ("outcome", "first"), [(Outcome.RAISED, "stops with an error at the line"), (Outcome.STOPPED, "Is it a loop?")]
)
def test_while_a_line_stops_the_code_the_hints_stay_with_that_line(outcome, first):
    about = guide("clip_gradients")
    failed, told = (hints_for(replace(an_item(o), id="factor"), about) for o in (Outcome.FAILED, outcome))
    assert first in told[0].text and len(told) == 2 and not {note.text for note in told} & {n.text for n in failed}


def test_another_error_has_its_hints_again():
    hints = Hints()
    one, two = (
        ExerciseResult("clip_gradients", (an_item(Outcome.RAISED, seen=f"Your code raised {name}"),))
        for name in ("KeyError", "TypeError")
    )
    given = [hints.next(result) for result in (one, one, one, two)]
    assert [(hint.number, hint.of) for hint in given] == [(1, 2), (2, 2), (0, 0), (1, 2)]


def test_hints_for_a_part_that_is_not_written_do_not_assume_it():
    about = guide("batch_norm_inference")
    item = replace(an_item(Outcome.FAILED), id="running_statistics")
    written, unwritten = (" ".join(map(str, hints_for(replace(item, unwritten=u), about))) for u in (False, True))
    assert "which of the two terms gets the larger share" in written and "the larger share" not in unwritten
    assert unwritten.startswith("Look for the update formulas")
    (first, *_others) = hints_for(replace(item, id="single_row", unwritten=True), about)
    assert first.text.startswith("Separate the two modes")
    alone = replace(about, hints={})
    (first, *_others) = hints_for(replace(item, id="single_row", unwritten=True), alone)
    assert first.text == about.begin[0]["en"], "the check has none of its own"


def test_a_check_that_is_mended_gives_way_to_the_next():
    hints = Hints()
    one = ExerciseResult("clip_gradients", (an_item(Outcome.FAILED, 0), an_item(Outcome.FAILED, 1)))
    two = ExerciseResult("clip_gradients", (an_item(Outcome.PASSED, 0), an_item(Outcome.FAILED, 1)))
    assert hints.next(one).promise == "Promise 0."
    assert (hints.next(two).promise, hints.next(one).promise) == ("Promise 1.", "Promise 0.")


def test_a_right_solution_needs_no_hint(reference):
    hint = hinted(namespace_of("clip_gradients", reference=reference), "clip_gradients")
    assert "Everything passed" in repr(hint) and hint.promise == ""


def test_a_stub_gets_a_hint_as_text_and_as_a_card():
    hint = hinted({}, "batch_norm_forward")
    assert hint.promise in repr(hint) and hint.text in repr(hint)
    page = Page(hint._repr_html_())
    assert page.elements[0].attrs["aria-label"] == "A hint for batch_norm_forward"
    assert hint.promise in page.text


def test_a_hint_for_an_unknown_exercise_names_the_nearest():
    with pytest.raises(ValueError, match='Did you mean "clip_gradients"'):
        hinted({}, "clip_gradient")


@pytest.mark.parametrize("exercise", every_exercise(), ids=lambda exercise: exercise.id)
def test_every_check_has_hints_in_both_languages(exercise):
    hints = guide(exercise.id).hints
    assert list(hints) == [check.id for check in exercise.checks]
    texts = [hint for given in hints.values() for hint in given]
    always = [[hint for hint in given if not {"causes", "unwritten"} & set(hint)] for given in hints.values()]
    assert all(len(given) >= 2 for given in always)
    texts += guide(exercise.id).begin
    assert all(set(hint) - {"causes", "unwritten"} == set(LANGUAGES) for hint in texts)
    assert all(re.search("[ぁ-ん]", hint["ja"]) and not re.search("[ぁ-ん]", hint["en"]) for hint in texts)


@pytest.mark.parametrize("assignment", lessons())
def test_guides_are_of_exercises_and_in_the_order_of_the_lesson(assignment):
    cells = re.findall(r'check="(\w+)"', lessons()[assignment].read_text(encoding="utf-8"))
    assert list(guides(assignment)) == cells == [exercise.id for exercise in in_lesson_order(assignment)]
    assert {exercise.id for exercise in assignments()[assignment]} == set(cells)


@pytest.mark.parametrize(("language", "suffix"), [("ja", ".py"), ("en", ".en.md")])
@pytest.mark.parametrize("assignment", lessons())
def test_sections_that_hints_point_to_are_in_the_lesson(assignment, language, suffix):
    lesson = lessons()[assignment].with_suffix(suffix).read_text(encoding="utf-8")
    for about in guides(assignment).values():
        assert f"### {about.section[language]}\n" in lesson


# --- where nbgrader runs the notebook ---------------------------------------------------------------------------------


def test_overview_and_hints_are_silent_where_nbgrader_runs_the_notebook(monkeypatch, capsys):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert overview_of({}) is None and hinted({}, "clip_gradients") is None
    assert capsys.readouterr() == ("", "")
