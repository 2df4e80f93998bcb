"""The kit's parts of nbgrader's own commands; `nbgrader_config.py` names them.

`Mend` runs first when nbgrader sanitises a submission, `RunInWorker` replaces nbgrader's Execute, `WriteComments`
follows SaveAutoGrades, and `ForgivingNotebookExporter` reads submissions. `handed_in` lets nbgrader find them.
"""

from autograder.grading.gradebook import silence_link_warnings
from autograder.nbgrader_plugins.handed_in import replace_methods

# Here, since nbgrader links objects and looks for submissions before it comes to any of these.
silence_link_warnings()
replace_methods()
