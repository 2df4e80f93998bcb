"""The process that runs students' code.

`client` is the trusted side: it starts a worker, asks it to run cells and probes, and stops it when it misbehaves.
`__main__` is the worker: it knows the exercises' probes, but no expected value, no seed and no score.
"""
