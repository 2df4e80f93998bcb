"""A notebook as data: read, repaired, recognised."""
