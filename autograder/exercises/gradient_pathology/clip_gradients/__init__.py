"""clip_gradients: gradient clipping by the global norm (Pascanu, Mikolov & Bengio 2013)."""
