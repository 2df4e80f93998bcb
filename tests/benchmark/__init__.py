"""The same classes graded by stock nbgrader and by this kit, in one run: `python -m tests.benchmark`."""
