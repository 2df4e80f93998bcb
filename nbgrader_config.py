"""Makes nbgrader's own commands grade with the kit: run them in this folder, unchanged."""

import os
import sys
from pathlib import Path

import autograder.nbgrader_plugins  # noqa: F401  (hand-ins under any name and with any time stamp are found)

c = get_config()  # noqa: F821  (nbgrader puts it here)
course = Path(__file__).resolve().parent

# nbgrader calls `alembic` by name when it makes a new gradebook: find it where Python is, activated or not.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])

c.CourseDirectory.course_id = "gradient-pathology"

# Where released assignments and submissions are exchanged. On a shared server, set NBGRADER_EXCHANGE to its folder.
c.Exchange.root = os.environ.get("NBGRADER_EXCHANGE", str(course / "exchange"))
c.ExchangeFactory.release_feedback = "autograder.nbgrader_plugins.feedback.ReleaseFeedback"

# What stands in place of solutions, in the language of the notebook's edition.
c.ClearSolutions.code_stubs = {
    "ja": "# ここにコードを書いてください\nraise NotImplementedError",
    "en": "# Write your code here\nraise NotImplementedError",
}
c.ClearSolutions.text_stubs = {"ja": "ここに答えを書いてください。", "en": "Write your answer here."}
c.GenerateAssignment.preprocessors = [
    "nbgrader.preprocessors.IncludeHeaderFooter",
    "nbgrader.preprocessors.InstantiateTests",
    "nbgrader.preprocessors.LockCells",
    "autograder.nbgrader_plugins.stubs.ClearSolutions",  # in place of nbgrader.preprocessors.ClearSolutions
    "autograder.nbgrader_plugins.contents.TellContents",  # before SaveCells: which exercises, worth what
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.CheckCellMetadata",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.SaveCells",
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbgrader.preprocessors.ClearMarkScheme",
    "nbgrader.preprocessors.ComputeChecksums",  # again: hidden tests are gone now
    "nbgrader.preprocessors.CheckCellMetadata",
]

# Mended, run, judged and booked as by `autograder grade`. Preprocessors of your own go below these.
c.Autograde.exporter_class = "autograder.nbgrader_plugins.run.GradedExporter"
c.Autograde.sanitize_preprocessors = ["autograder.nbgrader_plugins.safe_html.SafeContent"]
c.Autograde.autograde_preprocessors = ["autograder.nbgrader_plugins.run.RunInWorker"]

# No script that a student wrote or displayed runs in anybody's browser.
c.HTMLExporter.sanitize_html = True
c.HTMLExporter.filters = {
    name: f"autograder.nbgrader_plugins.safe_html.{name}" for name in ("clean_html", "highlight_code", "markdown2html")
}
c.HTMLExporter.preprocessors = [  # of feedback pages and formgrader
    "autograder.nbgrader_plugins.safe_html.SafeContent",
    "autograder.nbgrader_plugins.safe_html.PageStyle",
]

# The feedback page: in the notebook's language, with what still waits for a person.
c.GenerateFeedback.exporter_class = "autograder.nbgrader_plugins.feedback_page.FeedbackExporter"
c.GenerateFeedback.preprocessors = [
    "autograder.nbgrader_plugins.feedback_page.Standings",  # in place of nbgrader.preprocessors.GetGrades
    "autograder.nbgrader_plugins.model_answers.ModelAnswers",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]

# Model answers beside the students' own on these pages: for all from a date on, or for who has full marks.
# c.ModelAnswers.from_date = "2026-12-24 18:00 Asia/Tokyo"
# c.ModelAnswers.after_full_marks = True

# The late policy: hours late -> percent of the score, the last that applies. Students with more time: extensions.csv.
# c.AssignLatePenalties.plugin_class = "autograder.nbgrader_plugins.late_rules.LateRules"
# c.LateRules.percent = {0: 10, 24: 30, 168: 100}

# Archives from a learning management system, and grades for a spreadsheet.
c.ZipCollectApp.extractor_plugin = "autograder.nbgrader_plugins.zip_collect.SafeExtractor"
c.ZipCollectApp.collector_plugin = "autograder.nbgrader_plugins.zip_collect.NotebookCollector"
c.ExportApp.plugin_class = "autograder.nbgrader_plugins.export.SafeCsvExport"
