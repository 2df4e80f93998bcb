"""What nbgrader's own commands run of ours; `nbgrader_config.py` names them.

`Mend` comes first when a submission is sanitised, `RunInWorker` stands in for nbgrader's Execute, `WriteComments`
follows SaveAutoGrades, and `ForgivingNotebookExporter` reads submissions. `handed_in` lets nbgrader find them,
and `keep_results` keeps what was found of them.
"""

from autograder.grading.gradebook import silence_link_warnings
from autograder.nbgrader_plugins import handed_in, keep_results

# Here, since nbgrader links objects and looks for submissions before it comes to any of these.
silence_link_warnings()
handed_in.replace_methods()
keep_results.replace_methods()
