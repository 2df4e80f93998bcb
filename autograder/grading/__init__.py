"""One submission, a class, the gradebook: grading, and what it runs on."""
