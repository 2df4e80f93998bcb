"""The exercises of the assignment training-loop: optimizers, and the loop that calls them."""
