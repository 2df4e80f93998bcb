"""What nbgrader's own commands run of ours; `nbgrader_config.py` names them.

`Mend` comes first when a submission is sanitised, `RunInWorker` stands in for nbgrader's Execute, `WriteComments`
follows SaveAutoGrades, and `ForgivingNotebookExporter` reads submissions.
"""

from autograder.grading.gradebook import silence_link_warnings

silence_link_warnings()  # here, since nbgrader links objects before it comes to any of these
