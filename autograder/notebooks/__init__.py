"""A notebook as data: read, put right, told apart."""
