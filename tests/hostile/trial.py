"""Hostile notebooks as a class, graded as any other: `python -c CODE FOLDER LEVEL [ATTACK ...]`, CODE being `START`.

Meant for the inside of `tests.outer_sandbox`. FOLDER holds a course (tests.class_folder.make_course) and is the only
place to write in. Writes FOLDER/trial.json: what came of every attack, and every trace that any of them left.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sys
import time
from html.parser import HTMLParser
from itertools import chain
from pathlib import Path
from typing import Any

from autograder.grading.course import Course
from autograder.grading.grade_class import Summary, grade_class
from autograder.grading.job import Settings
from autograder.grading.result_file import stored_results
from autograder.sandbox.fork_server import Host
from autograder.sandbox.isolation import Level
from autograder.sandbox.limits import Limits
from source.release import COURSE
from tests.class_folder import ASSIGNMENT, grades_in, total
from tests.hostile import ATTACKS, Attack
from tests.sample_class import NOTEBOOK

LIMITS = Limits(cell_seconds=1.0, probe_seconds=1.0, total_seconds=4.0)
"""Enough for every attack to begin; all that is endless lasts until then."""

JOBS = 2
"""Few, since each process takes seconds of computing to start."""

START = "from tests.hostile.trial import main; main()"
"""Not `-m`: grader processes would begin by importing this module, and with it all of nbgrader."""

CANARY = "canary\n"
SLOW_PAGES = ("source-hard-to-parse", "a-thousand-cells", "text-flood")
"""Attacks of other kinds that are hard to make a page of."""


def main() -> None:
    folder, level = Path(sys.argv[1]), Level(sys.argv[2])
    chosen = [attack for attack in chain(*ATTACKS.values()) if len(sys.argv) < 4 or attack.id in sys.argv[3:]]
    with Host(level):  # makes the list of fonts that all grader processes would otherwise make at once, each its own
        pass
    scene = Scene(folder)
    started = time.monotonic()
    scene.hand_in(chosen)
    found: dict[str, Any] = {"attacks": scene.grade(chosen, level), "seconds": time.monotonic() - started}
    found["traces"] = scene.traces()
    # A page is made of the executed notebook alone and outside of any worker: one level tells about both.
    found["pages"] = scene.pages(chosen) if level is Level.FULL else []
    (folder / "trial.json").write_text(json.dumps(found, indent=1), encoding="utf-8")


class Scene:
    """The course that is attacked, with what must not change, must not fill and must not be seen."""

    def __init__(self, folder: Path) -> None:
        self.course = Course(folder / "course")
        self.outside = folder / "outside"
        self.outside.mkdir()
        self.canary, self.secret = folder / "canary.txt", folder / "secret.txt"
        self.canary.write_text(CANARY, encoding="ascii")
        self.word = secrets.token_hex(16)
        self.secret.write_text(self.word, encoding="ascii")
        self._canary_was = _state_of(self.canary)
        self._course_was = self._course_files()
        self._temporary_was = set(os.listdir("/tmp"))
        self._processes_were = _processes()
        self._handed_in: set[str] = set()

    def hand_in(self, attacks: list[Attack]) -> None:
        """Every attack in the name of a student of its own."""
        release = json.loads((COURSE / "release" / ASSIGNMENT / NOTEBOOK).read_text(encoding="utf-8"))
        # Without the lesson's own texts and experiments, which nobody attacks, and which make up most of a page.
        release["cells"] = [
            cell
            for cell in release["cells"]
            if "nbgrader" in cell["metadata"] or (cell["cell_type"] == "code" and cell["id"].startswith("code-"))
        ]
        paths = {name: str(getattr(self, name)) for name in ("canary", "outside", "secret")}
        paths |= {"course": str(self.course.folder), "grader_pid": str(os.getpid())}
        for attack in attacks:
            target = self.course.folder / "submitted" / attack.id / ASSIGNMENT / NOTEBOOK
            target.parent.mkdir(parents=True)
            target.write_text(json.dumps(attack.aimed_at(paths).notebook(release)), encoding="utf-8")
            self._handed_in.add(attack.id)
        self._course_was = self._course_files()

    def grade(self, attacks: list[Attack], level: Level) -> dict[str, dict[str, Any]]:
        """Grade what is new, and say for every attack what it earned and printed."""

        def progress(summary: Summary, _total: int) -> None:
            print(f"{summary.graded} graded, {len(summary.broken)} broken", flush=True)

        settings = Settings(self.course.folder, level, limits=LIMITS)
        summary = grade_class(self.course, ASSIGNMENT, settings, JOBS, progress=progress)
        scores = {student: total(grades) for student, grades in grades_in(self.course.folder / "gradebook.db").items()}
        levels = {student: stored.isolation for student, stored in stored_results(self.course, ASSIGNMENT)}
        return {
            attack.id: {
                "score": scores.get(attack.id),
                "level": levels.get(attack.id),
                "broken": summary.broken.get(attack.id),
                "got": self._printed(attack.id),
            }
            for attack in attacks
        }

    def traces(self) -> list[str]:
        """Everything that is not as it was."""
        found = [f"in the folder outside: {name}" for name in os.listdir(self.outside)]
        if (state := _state_of(self.canary)) != self._canary_was:
            found.append(f"the canary was {self._canary_was} and is {state}")
        files = self._course_files()
        for path in sorted(files.keys() | self._course_was.keys()):
            if files.get(path) != self._course_was.get(path):
                found.append(f"changed in the course: {path}")
        found += [f"left in /tmp: {name}" for name in set(os.listdir("/tmp")) - self._temporary_was]
        time.sleep(1.0)  # for what is being reaped
        found += [f"left running: {process}" for process in _processes() - self._processes_were]
        found += [f"graded, but not handed in: {name}" for name in self._graded() - self._handed_in]
        found += [f"the secret is in {path}" for path in self._holding_the_secret()]
        return found

    def pages(self, attacks: list[Attack]) -> list[str]:
        """Markup and control characters of attacks on feedback pages."""
        if not (shown := {attack.id for attack in attacks if attack in ATTACKS["page"] or attack.id in SLOW_PAGES}):
            return []
        from nbgrader.converters import GenerateFeedback
        from nbgrader.coursedir import CourseDirectory

        others = {attack.id for attack in attacks} - shown
        directory = CourseDirectory(
            config=self.course.config, assignment_id=ASSIGNMENT, student_id_exclude=",".join(others)
        )
        converter = GenerateFeedback(coursedir=directory, config=self.course.config)
        converter.start()
        found = []
        for page in sorted(self.course.folder.glob("feedback/*/*/*.html")):
            text = page.read_text(encoding="utf-8")
            markup = _Markup()
            markup.feed(text)
            student = page.parts[-3]
            found += [f"{student}: {what}" for what in markup.found]
            found += [
                f"{student}: control character {ord(c):#x}" for c in set(text) if ord(c) < 32 and c not in "\n\t\r"
            ]
            if self.word in text:
                found.append(f"{student}: the secret")
        return found

    def _printed(self, student: str) -> list[str]:
        path = self.course.folder / "autograded" / student / ASSIGNMENT / NOTEBOOK
        if not path.is_file():
            return []
        notebook = json.loads(path.read_text(encoding="utf-8"))
        texts = [output.get("text", "") for cell in notebook["cells"] for output in cell.get("outputs", [])]
        return [line for text in texts for line in text.splitlines() if line.startswith("GOT")]

    def _graded(self) -> set[str]:
        return set(grades_in(self.course.folder / "gradebook.db")) | set(os.listdir(self.course.folder / "autograded"))

    def _course_files(self) -> dict[str, str]:
        """All but what grading makes."""
        made = ("autograded", "feedback", "gradebook.db", "release", ".nbgrader.log")
        return {
            str(path.relative_to(self.course.folder)): _state_of(path)
            for path in sorted(self.course.folder.rglob("*"))
            if path.relative_to(self.course.folder).parts[0] not in made and path.is_file()
        }

    def _holding_the_secret(self) -> list[Path]:
        word = self.word.encode()
        files = [path for path in self.course.folder.rglob("*") if path.is_file()]
        return [path.relative_to(self.course.folder) for path in files if word in path.read_bytes()]


class _Markup(HTMLParser):
    """Finds tags and attributes that came from an attack: those that name `hostile-page`."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._script = tag in ("script", "style")
        if any("hostile-page" in f"{name}={value}" for name, value in attrs) or "hostile-page" in tag:
            self.found.append(f"<{tag} {attrs}>"[:300])

    def handle_endtag(self, tag: str) -> None:
        self._script = False

    def handle_data(self, data: str) -> None:
        if self._script and "hostile-page" in data:
            self.found.append(f"script or style: {data[:200]}")


def _state_of(path: Path) -> str:
    state = path.lstat()
    content = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return f"{content} {state.st_mode:o} {state.st_uid} {state.st_nlink} {state.st_mtime_ns}"


def _processes() -> set[str]:
    found = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                line = Path("/proc", entry, "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if "multiprocessing.resource_tracker" not in line:
                found.add(f"{entry} {line[:200]}")
    return found


if __name__ == "__main__":
    main()
