"""The kit's parts of nbgrader's own commands; `nbgrader_config.py` names them.

`RunInWorker` replaces nbgrader's Execute and SaveAutoGrades, and `GradedExporter` reads submissions. `handed_in` lets
nbgrader find them, `keep_results` grades them ahead, in `ahead`, and stores their results.
"""

from autograder.grading.gradebook import silence_link_warnings
from autograder.nbgrader_plugins import handed_in, keep_results

# Here, since nbgrader links objects and looks for submissions before it comes to any of these.
silence_link_warnings()
handed_in.replace_methods()
keep_results.replace_methods()
