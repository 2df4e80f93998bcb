"""What nbgrader's own commands run of ours; `nbgrader_config.py` names them.

`Mend` comes first when a submission is sanitised, `RunInWorker` stands in for nbgrader's Execute, `WriteComments`
follows SaveAutoGrades, and `ForgivingNotebookExporter` reads submissions.
"""
