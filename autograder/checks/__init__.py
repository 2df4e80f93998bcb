"""What checks are made of: exercise, observation, comparison, verdict, cause."""
