"""`nbgrader release_feedback` for a class in which only some students submitted through the exchange."""

from __future__ import annotations

import glob
from pathlib import Path

from nbgrader.exchange.default import ExchangeReleaseFeedback

from autograder.locale import _
from autograder.nbgrader_plugins.zip_collect.archives import shown
from autograder.notebooks.attachments import TIMESTAMP

FROM_EXCHANGE = (TIMESTAMP, "submission_secret.txt")
"""A file that `nbgrader submit` puts beside a notebook. The name of a released page is made from this secret, which the
student's `nbgrader fetch_feedback` has, too."""


class ReleaseFeedback(ExchangeReleaseFeedback):
    """Releases the pages that students can fetch, and lists the others; nbgrader's own stops at the first of these."""

    src_path: str

    def copy_files(self) -> None:
        """Put the pages into the exchange."""
        left = []
        excluded = self.coursedir.student_id_exclude.split(",")
        for folder in sorted(map(Path, glob.glob(self.src_path))):
            if folder.parent.name in excluded or not any(folder.glob("*.html")):
                continue
            if all((folder / name).is_file() for name in FROM_EXCHANGE):
                self.src_path = glob.escape(str(folder))
                super().copy_files()
            else:
                left.append(shown(folder.parent.name))
        if left:
            self.log.warning(
                "%s",
                _(
                    "These students did not submit through the exchange, so they cannot fetch their pages there. "
                    "Send them the pages in {folder}/ yourself: {students}"
                ).format(folder=self.coursedir.feedback_directory, students=", ".join(left)),
            )
