"""What a student calls: `check` and `hint` in a notebook, and `autograder pack`."""
