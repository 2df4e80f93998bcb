"""What nbgrader's own commands run of ours; `nbgrader_config.py` names them.

`Mend` comes first when a submission is sanitised, `RunInWorker` stands in for nbgrader's Execute, `WriteComments`
follows SaveAutoGrades, and `ForgivingNotebookExporter` reads submissions. `handed_in` lets nbgrader find them.
"""

from autograder.grading.gradebook import silence_link_warnings
from autograder.nbgrader_plugins.handed_in import replace_methods

# Here, since nbgrader links objects and looks for submissions before it comes to any of these.
silence_link_warnings()
replace_methods()
