"""Pages as people meet them: a headless Chromium, a notebook in JupyterLab, nbgrader's formgrader, pages on a disk.

The tests and the screenshots use the same helpers. Everything waits for what it needs to see; nothing sleeps.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from playwright.sync_api import Browser, Error, FrameLocator, Locator, Page, expect, sync_playwright

from source.release import COURSE
from tests.lab_server import PATIENCE, Server, is_root
from tests.sample_class import NOTEBOOK

MILLISECONDS = 1000 * PATIENCE
WINDOW = {"width": 1250, "height": 900}
NO_BROWSER = "no Chromium here: install chromium (or Google Chrome)"

LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"

_READ_TEXTS = """
root => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
  const painted = colours => {  // one over the other, as the browser blends them, on white
    for (const colour of ["white", ...colours]) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    const [...rgb] = canvas.getImageData(0, 0, 1, 1).data.slice(0, 3);
    return "#" + rgb.map(channel => channel.toString(16).padStart(2, "0")).join("");
  };
  const found = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    if (!walker.currentNode.data.trim()) continue;
    const grounds = [];
    for (let element = walker.currentNode.parentElement; element; element = element.parentElement)
      grounds.unshift(getComputedStyle(element).backgroundColor);
    const colour = getComputedStyle(walker.currentNode.parentElement).color;
    found.push([walker.currentNode.data, painted([...grounds, colour]), painted(grounds)]);
  }
  return found;
}
"""


def chromium() -> str | None:
    """The browser's executable: the system's, else Google Chrome's; None if there is neither."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


@contextmanager
def headless() -> Iterator[Browser]:
    """A Chromium without a window, with the Japanese font of the figures. Its own sandbox does not work for root."""
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        found = find_spec("matplotlib_fontja")  # not imported, for that changes what figures look like
        shutil.copytree(Path(found.origin).parent / "fonts", Path(data) / "fonts")
        browser = playwright.chromium.launch(
            executable_path=chromium(), chromium_sandbox=not is_root(), env={**os.environ, "XDG_DATA_HOME": data}
        )
        yield browser
        browser.close()


@cache
def why_not() -> str:
    """Why no page can be opened here; "" if pages can."""
    if chromium() is None:
        return NO_BROWSER
    try:
        with headless():
            return ""
    except Error as error:  # in some containers, or where `chromium` only says how to install it
        return f"Chromium does not start here: {error}"


@dataclass
class Troubles:
    """What went wrong in a page, as its console would say, and what it asked other machines for."""

    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, page: Page) -> Self:
        """Collects from now on."""
        found = cls()
        page.on("pageerror", lambda error: found.errors.append(str(error)))
        page.on("console", lambda message: message.type == "error" and found.errors.append(message.text))
        page.on("dialog", lambda dialog: (found.dialogs.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: request.url.startswith("http") and found.requests.append(request.url))
        return found


def new_page(browser: Browser, **options) -> Page:
    """A page of a person who was never here, and who is patient."""
    page = browser.new_context(viewport=WINDOW, locale="en-US", **options).new_page()
    page.set_default_timeout(MILLISECONDS)
    expect.set_options(timeout=MILLISECONDS)
    return page


def open_file(page: Page, path: Path) -> None:
    """A page from the disk, loaded as far as it can be without a network."""
    page.goto(path.as_uri(), wait_until="domcontentloaded")


def texts(element: Locator) -> list[tuple[str, str, str]]:
    """Every text in it with its colour and that of the ground behind it, `#rrggbb`, as they are computed."""
    return [tuple(found) for found in element.evaluate(_READ_TEXTS)]


def overflow(element: Locator) -> float:
    """By how many pixels something in it reaches out on the right."""
    return element.evaluate("""root => {
        const right = element => element.getBoundingClientRect().right;
        return Math.max(...[...root.querySelectorAll("*")].map(right)) - right(root);
    }""")


def release(edition: str, folder: Path) -> Path:
    """The notebook of `edition` in a folder of that name, as students get it."""
    return Path(shutil.copytree(COURSE / "release" / edition, folder / edition)) / NOTEBOOK


def choose(page: Page, *labels: str) -> None:
    """Click through JupyterLab's menus."""
    for label in labels:
        entries = page.locator(".lm-MenuBar-itemLabel, .lm-Menu-itemLabel")
        entries.filter(has_text=re.compile(f"^{re.escape(label)}$")).click()


class OpenNotebook:
    """A notebook in JupyterLab with a kernel that is ready.

    Cells go by their nbgrader id, those that were added by their source.
    """

    def __init__(self, page: Page, server: Server, folder: Path, notebook: Path) -> None:
        self.page = page
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        self._names = [cell["metadata"].get("nbgrader", {}).get("grade_id", cell["id"]) for cell in cells]
        page.goto(server.lab(notebook.relative_to(folder).as_posix()))
        self._await_cells()
        expect(page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")).to_be_visible()

    def _await_cells(self) -> None:
        # JupyterLab puts cells into the page one after the other; until the last one, places are not final.
        expect(self.page.locator(".jp-Notebook .jp-Cell")).to_have_count(len(self._names))

    def cell(self, name: str) -> Locator:
        """The cell."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(self._names.index(name))

    def read_to(self, name: str) -> None:
        """Scroll through all cells from the top to this one, as by reading."""
        for number in range(self._names.index(name) + 1):
            self.page.locator(".jp-Notebook .jp-Cell").nth(number).scroll_into_view_if_needed()

    def write(self, name: str, source: str) -> None:
        """Replace what stands in the cell, as by pasting."""
        self.cell(name).locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+A")
        self.page.keyboard.insert_text(source)

    def add_below(self, name: str, source: str) -> None:
        """A new code cell below another."""
        self.cell(name).press("b")
        self._names.insert(self._names.index(name) + 1, source)
        self._await_cells()
        self.write(source, source)

    def run(self, name: str) -> Locator:
        """Run the cell to its end and give its output."""
        prompt = self.cell(name).locator(".jp-InputPrompt")
        before = prompt.inner_text()
        self.cell(name).press("ControlOrMeta+Enter")
        expect(prompt).not_to_have_text(before)
        expect(prompt).to_have_text(re.compile(r"\[\d+\]"))
        return self.cell(name).locator(".jp-Cell-outputArea")

    def run_folded(self, name: str) -> Locator:
        """Run a cell whose code is folded, so that no number says when it has ended, and give its output."""
        self.cell(name).press("ControlOrMeta+Enter")
        return self.cell(name).locator(".jp-Cell-outputArea")

    def card(self, name: str) -> Locator:
        """Run the cell and give the card that it shows."""
        card = self.run(name).get_by_role("group").first  # what is folded within it is a group as well
        expect(card).to_be_visible()
        return card

    def use_theme(self, theme: str) -> None:
        """Change the theme in JupyterLab's menu."""
        choose(self.page, "Settings", "Theme", theme)
        expect(self.page.locator("body")).to_have_attribute("data-jp-theme-name", theme)

    def save(self) -> None:
        """Save the notebook."""
        self.page.keyboard.press("ControlOrMeta+S")
        expect(self.page.locator(".jp-mod-dirty")).to_have_count(0)


class Formgrader:
    """nbgrader's formgrader, opened from JupyterLab's menu."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        page.goto(server.lab())
        choose(page, "Nbgrader", "Formgrader")

    @property
    def frame(self) -> FrameLocator:
        """What formgrader shows now."""
        return self.page.frame_locator("iframe[src*=formgrader]")

    def row(self, name: str) -> Locator:
        """The row of a table that has `name` in it."""
        return self.frame.get_by_role("row").filter(has_text=name)

    def open_submissions(self, assignment: str) -> None:
        """From the list of assignments to that of submissions."""
        self.row(assignment).locator(".num-submissions a").click()

    def open_submission(self, student: str) -> None:
        """From the list of submissions to a student's notebook."""
        self.row(student).locator(".student-name a").click()
        self.frame.get_by_role("link", name=NOTEBOOK.removesuffix(".ipynb")).click()

    def answer(self, name: str) -> Locator:
        """The panel of a graded cell."""
        return self.frame.locator(".nbgrader_cell").filter(has=self.page.locator(f"#{name}"))

    def score(self, name: str, points: float) -> None:
        """Type a score for a cell and wait until it is saved."""
        # Formgrader writes this 0 when it is ready to save.
        expect(self.answer(name).locator("input.extra-credit")).to_have_attribute("placeholder", "0")
        field = self.answer(name).locator("input.score")
        field.click()
        field.press("ControlOrMeta+A")
        field.press_sequentially(f"{points:g}")
        with self.page.expect_response(lambda response: "/api/grade/" in response.url and response.ok):
            field.blur()

    def plot(self, name: str) -> Locator:
        """The picture that the code of a graded cell drew."""
        return self.frame.locator(".cell").filter(has=self.page.locator(f"#{name}")).locator("img")

    def give_feedback(self, assignment: str, student: str) -> None:
        """Back to the list of submissions, and there press the button."""
        for link in ("Manual Grading", "Manage Assignments"):
            self.frame.get_by_role("link", name=link).click()
        self.open_submissions(assignment)
        self.row(student).locator(".generate-feedback a").click()
        expect(self.frame.get_by_text("Successfully generated feedback")).to_be_visible()
