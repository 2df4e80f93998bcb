"""Grading of a submission, a class, and the gradebook."""
