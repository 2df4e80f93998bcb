"""A class's grades for other systems: CSV for Canvas and Moodle, Gradescope's results.json, JUnit's XML.

Texts for students are in the language of their notebooks; the rest is in the current language.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from typing import Any
from xml.etree import ElementTree as ET

from autograder.checks.results import Item, Outcome
from autograder.locale import _, speaking
from autograder.notebooks.file_names import is_device, safe_name
from autograder.notebooks.load import folded
from autograder.report.class_record import ClassRecord, StudentRecord
from autograder.report.class_words import standing_word
from autograder.report.csv_safe import matched, neutral
from autograder.report.text import printable
from autograder.report.words import headline, outcome_word


def canvas_csv(record: ClassRecord) -> str:
    """A file for Import in Canvas's gradebook: five columns on the student, one of points. Row 1: points possible.

    Canvas finds a student by ID, then by SIS User ID, SIS Login ID (the id here) and name, and makes a new
    assignment if none has the column's title. ID is Canvas's own number, of which it reads the leading digits: an
    `lms_user_id` that is not a number goes into SIS User ID, because "2024-117" would match somebody else's 2024.
    Students without a score have no row, because an empty cell would clear an existing grade. UTF-8; Canvas detects
    the separator.
    Source: https://github.com/instructure/canvas-lms, lib/gradebook_importer.rb (`update_column_count`,
    `process_student`, `process_pp`, `csv_stream`).
    """
    header = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", record.assignment]
    rows = [["    Points Possible", "", "", "", "", _number(record.max)]]
    for student, score in _scored(record):
        person = student.person
        ids = [person.lms_user_id, ""] if re.fullmatch("[0-9]*", person.lms_user_id) else ["", person.lms_user_id]
        rows.append([person.name or person.id, *ids, person.id, "", _number(score)])
    return _csv([header, *rows], matched_columns=range(1, 4))


def moodle_csv(record: ClassRecord) -> str:
    """A file for Import, CSV file, in Moodle's gradebook: map Username to username, or Email address to useremail.

    If ids are student numbers, map Username to useridnumber. Map both grade and feedback: Moodle drops the grades if
    feedback is imported without them. Students without a score have no row; a row with an unknown user ends the whole
    import. In the import form, choose UTF-8 and comma.
    Sources: https://docs.moodle.org/311/en/Grade_import, note 3; https://github.com/moodle/moodle,
    grade/import/csv/classes/load_data.php (`map_user_data_with_value`, `update_grade_item`).
    """
    rows = [["Username", "Email address", record.assignment, "Feedback"]]
    with speaking(record.language):
        for student, score in _scored(record):
            feedback = " / ".join(_feedback(student.opened()))
            rows.append([student.id, student.person.email, _number(score), feedback])
    return _csv(rows, matched_columns=range(2))


def gradescope_results(record: ClassRecord) -> Iterator[tuple[str, str]]:
    """File names, each with the content of a results.json, for everybody with a score.

    One test per check, then one per hand-graded cell. `score`, which overrides the sum of the tests, is the score in
    the gradebook. Source: https://gradescope-autograders.readthedocs.io/en/latest/specs/, "Output format".
    """
    names = gradescope_files(record)
    with speaking(record.language):
        for student, score in _scored(record):
            results = _gradescope(record, student.opened(), score)
            yield names[student.id], json.dumps(results, ensure_ascii=False, indent=2) + "\n"


def gradescope_files(record: ClassRecord) -> dict[str, str]:
    """id -> file name, for everybody who has a score."""
    names = _file_names([student.id for student in record.students])
    return {student.id: f"{names[student.id]}.json" for student, _score in _scored(record)}


def junit_xml(record: ClassRecord) -> Iterator[str]:
    """One file in pieces, with a test suite per student and a test case per check.

    A check that raised or crashed is an error; one that was not reached is skipped. The class name consists of the
    student's id and the exercise's, because systems identify cases by class and name; Jenkins takes the part before
    the last dot as the package.
    Sources: https://github.com/jenkinsci/xunit-plugin, junit-10.xsd; https://github.com/jenkinsci/junit-plugin,
    CaseResult.java; https://github.com/gitlabhq/gitlabhq, lib/gitlab/ci/reports/test_case.rb (`@key`).
    """
    suites = ET.Element("testsuites", name=_xml(record.assignment))
    _count(suites, (case[2] for student in record.students for case in _cases(student.opened())))
    suites.text = "\n"
    head, tail = ET.tostring(suites, encoding="unicode").split("\n")
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n{head}\n'
    for student in record.students:
        suite = _suite(student)
        ET.indent(suite, level=1)
        yield f"  {ET.tostring(suite, encoding='unicode')}\n"
    yield f"{tail}\n"


def _scored(record: ClassRecord) -> Iterable[tuple[StudentRecord, float]]:
    return ((student, student.score) for student in record.students if student.score is not None)


def _number(value: float) -> str:
    """At most four decimals and no exponent, because Canvas reads only digits, points and commas."""
    return f"{round(value, 4) + 0.0:.4f}".rstrip("0").rstrip(".")


def _csv(rows: Iterable[list[str]], matched_columns: Container[int]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(
        [matched(cell) if column in matched_columns else neutral(cell) for column, cell in enumerate(row)]
        for row in rows
    )
    return text.getvalue()


def _feedback(student: StudentRecord) -> Iterable[str]:
    """Why there is no grade, or one line per exercise, without any text from the student's code."""
    if student.result is not None:
        if not student.result.checks:
            yield _("The notebook could not be graded.")
        if student.result.message:
            yield printable(student.result.message)
        yield from (headline(result) for result in student.result.checks.values())
    if student.waiting:
        yield _("Still to be graded by hand: {cells}").format(cells=", ".join(student.waiting))


def _gradescope(record: ClassRecord, student: StudentRecord, score: float) -> dict[str, Any]:
    result = student.result
    tests = [_test(name, item) for name, found in (result.checks if result else {}).items() for item in found.items]
    by_hand = {name: grade for name, grade in student.grades.items() if grade.waits or grade.manual is not None}
    for name, grade in by_hand.items():
        test: dict[str, Any] = {"name": name, "score": grade.score, "max_score": record.cells.get(name, 0.0)}
        if grade.waits:
            test["output"] = _("Still to be graded by hand: {cells}").format(cells=name)
        tests.append(test | {"visibility": "visible"})
    return {
        "score": score,
        "output": result.message if result else "",
        "output_format": "text",
        "visibility": "visible",
        "tests": tests,
    }


def _test(exercise: str, item: Item) -> dict[str, Any]:
    return {
        "name": f"{exercise}: {item.sentence}",
        "score": item.points,
        "max_score": item.max,
        "status": "passed" if item.outcome is Outcome.PASSED else "failed",
        "output": item.message,
        "output_format": "text",
        "visibility": "visible",
    }


def _file_names(students: list[str]) -> dict[str, str]:
    """Each id -> a file name for any system; no two look alike, even if case and Unicode composition are ignored."""
    times = Counter(map(folded, students))
    names = {student: safe_name(student, all_of_it=times[folded(student)] > 1) for student in students}
    return {student: f"~{name}" if is_device(name) else name for student, name in names.items()}


def _suite(student: StudentRecord) -> ET.Element:
    suite = ET.Element("testsuite", name=_xml(student.id))
    properties = ET.SubElement(suite, "properties")
    for name, value in (("standing", student.standing), ("score", student.score), ("isolation", student.isolation)):
        ET.SubElement(properties, "property", name=name, value="" if value is None else str(value))
    cases = list(_cases(student.opened()))
    for group, name, verdict, message, text in cases:
        case = ET.SubElement(suite, "testcase", classname=_xml(f"{student.id}.{group}"), name=_xml(name))
        if verdict:
            ET.SubElement(case, verdict, message=_xml(message)).text = _xml(text)
    _count(suite, (case[2] for case in cases))
    return suite


def _cases(student: StudentRecord) -> Iterable[tuple[str, str, str | None, str, str]]:
    """(exercise, check, verdict, message, text) of every result of the student."""
    result = student.result
    if result is None:
        yield "notebook", "notebook", "skipped", standing_word(student.standing), ""
    elif not result.checks:
        yield "notebook", "notebook", "error", _("The notebook could not be graded."), result.message
    else:
        for name, found in result.checks.items():
            for item in found.items:
                yield name, item.id, _verdict(item), outcome_word(item.outcome), item.message


def _verdict(item: Item) -> str | None:
    return {
        Outcome.PASSED: None,
        Outcome.FAILED: "failure",
        Outcome.RAISED: "error",
        Outcome.STOPPED: "error",
        Outcome.GRADER_ERROR: "error",
    }.get(item.outcome, "skipped")


def _count(suite: ET.Element, verdicts: Iterable[str | None]) -> None:
    counts = Counter(verdicts)
    suite.set("tests", str(counts.total()))
    for counter, verdict in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(counter, str(counts[verdict]))


def _xml(text: str) -> str:
    """`text` without the characters that XML 1.0 does not allow (https://www.w3.org/TR/xml/#charsets)."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)
