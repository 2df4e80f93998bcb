"""The words that promises are written in: exercise, check, observation, comparison, verdict, cause."""
