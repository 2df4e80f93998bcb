"""The kit's parts of nbgrader's own commands; `nbgrader_config.py` names them.

`RunInWorker` replaces nbgrader's Execute and SaveAutoGrades, and `GradedExporter` reads submissions. `wrapped` lets
nbgrader find these, grade them ahead, in `ahead`, and store their results.
"""

from autograder.grading.gradebook import silence_link_warnings
from autograder.nbgrader_plugins import wrapped  # noqa: F401  (here: nbgrader looks for submissions before all else)

silence_link_warnings()  # nbgrader links objects as early
