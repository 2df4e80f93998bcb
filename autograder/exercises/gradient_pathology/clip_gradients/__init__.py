"""clip_gradients: gradient clipping by the global norm (Pascanu, Mikolov & Bengio 2013)."""

from autograder.exercises.gradient_pathology.clip_gradients.checks import clip_gradients

__all__ = ["clip_gradients"]
