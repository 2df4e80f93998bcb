"""The pictures in docs/images/, of real pages: `python -m tests.screenshots [FOLDER]`.

Needs Chromium, and a font with Japanese letters (Debian: fonts-noto-cjk).
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Locator, expect

from source.release import COURSE
from tests.browser import (
    DARK,
    LIGHT,
    NO_BROWSER,
    Formgrader,
    OpenNotebook,
    chromium,
    headless,
    new_page,
    open_file,
    release,
)
from tests.browser_class import EDITION, EPS_OUTSIDE, RIGHT, graded_course
from tests.class_folder import environment
from tests.lab_server import jupyter_lab
from tests.report_class import ASSIGNMENT, make_class
from tests.sample_class import NOTEBOOK

WIDTH = 900
"""Pixels across at most: what guides show without scrolling."""

COLOURS = 128
"""Few enough for small files, and more than such pages have in text and lines."""


class Album:
    """A folder of pictures."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, *elements: Locator, height: float = 1e6) -> None:
        """What can be seen from the first of `elements` to the last, as wide as the widest, up to `height` pixels."""
        elements[0].evaluate("element => element.scrollIntoView({block: 'center'})")
        boxes = [element.bounding_box() for element in elements]
        left, top = (min(box[side] for box in boxes) for side in "xy")
        right = max(box["x"] + box["width"] for box in boxes)
        bottom = max(box["y"] + box["height"] for box in boxes)
        clip = {"x": left, "y": top, "width": right - left, "height": min(bottom - top, height)}
        picture = Image.open(io.BytesIO(elements[0].page.screenshot(clip=clip))).convert("RGB")
        picture.thumbnail((WIDTH, picture.height), Image.Resampling.LANCZOS)
        picture.quantize(COLOURS).save(self._folder / name, optimize=True)
        print(self._folder / name, "x".join(map(str, picture.size)))


def cards(browser: Browser, album: Album, folder: Path) -> None:
    """What students see in JupyterLab, below the line that asks for it."""
    for edition in (EDITION, ASSIGNMENT):
        release(edition, folder)
    with tempfile.TemporaryDirectory() as private, jupyter_lab(folder, Path(private)) as server:

        def opened(edition: str) -> OpenNotebook:
            notebook = OpenNotebook(new_page(browser), server, folder, folder / edition / NOTEBOOK)
            notebook.run("setup")
            return notebook

        def take(notebook: OpenNotebook, name: str, cell: str) -> None:
            notebook.card(cell)
            notebook.page.mouse.move(0, 0)
            album.add(name, notebook.cell(cell))

        def write(notebook: OpenNotebook, source: str) -> None:
            notebook.write("batch_norm", source)
            notebook.run("batch_norm")

        notebook, checked = opened(EDITION), "check_batch_norm_forward"
        write(notebook, EPS_OUTSIDE)
        take(notebook, "card-fail.png", checked)
        notebook.use_theme(DARK)
        take(notebook, "card-dark.png", checked)
        notebook.use_theme(LIGHT)
        notebook.add_below("check_batch_norm_inference", "check()")
        take(notebook, "overview.png", "check()")
        write(notebook, RIGHT["batch_norm"])
        take(notebook, "card-pass.png", checked)
        notebook = opened(ASSIGNMENT)
        write(notebook, EPS_OUTSIDE)
        take(notebook, "card-fail.ja.png", checked)


def grading(browser: Browser, album: Album, course: Path) -> None:
    """What instructors see in formgrader, and the feedback page that comes of it."""
    with tempfile.TemporaryDirectory() as private, jupyter_lab(course, Path(private)) as server:
        formgrader = Formgrader(new_page(browser), server)
        # Room for a whole answer with its plot, without the list of files.
        formgrader.page.set_viewport_size({"width": 1450, "height": 2400})
        formgrader.page.keyboard.press("ControlOrMeta+B")
        head = formgrader.frame.locator(".page-header").first
        formgrader.open_submissions(EDITION)
        expect(formgrader.row("aoki").locator(".status")).to_be_visible()
        album.add("formgrader.png", head, formgrader.frame.locator("body"), height=470)
        formgrader.open_submission("fujii")
        formgrader.score("depth_study_plot", 1.5)
        plot = formgrader.plot("depth_study_plot")
        expect(plot).to_be_visible()
        album.add("submission.png", formgrader.answer("depth_study_plot"), plot)
        formgrader.give_feedback(EDITION, "fujii")
    page = new_page(browser, offline=True)
    open_file(page, course / "feedback" / "fujii" / EDITION / NOTEBOOK.replace(".ipynb", ".html"))
    album.add("feedback.png", page.get_by_role("group", name="Result of batch_norm_forward"), height=700)


def class_report(browser: Browser, album: Album, folder: Path) -> None:
    """The top of the page about a made-up class of 200."""
    course = make_class(folder, students=200).folder
    command = [sys.executable, "-m", "autograder", "report", ASSIGNMENT, "--course", str(course)]
    subprocess.run(command, env=environment(course), check=True, stdout=subprocess.DEVNULL)
    page = new_page(browser)
    open_file(page, course / "report" / ASSIGNMENT / "report.html")
    album.add("class-report.png", page.get_by_role("heading", level=1), page.locator("body"), height=800)


def main() -> int:
    """Take all pictures; the exit code is 1 if there is no browser."""
    if chromium() is None:
        print(NO_BROWSER, file=sys.stderr)
        return 1
    album = Album(Path(sys.argv[1]) if len(sys.argv) > 1 else COURSE / "docs" / "images")
    with tempfile.TemporaryDirectory() as name, headless() as browser:
        folder = Path(name)
        cards(browser, album, folder / "student")
        grading(browser, album, graded_course(folder / "course"))
        class_report(browser, album, folder / "class")
    return 0


if __name__ == "__main__":
    sys.exit(main())
