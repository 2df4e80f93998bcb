"""Coverage-guided fuzzing of what reads students' data on the trusted side, by hand and for as long as you like.

Needs atheris (https://github.com/google/atheris, Linux or macOS), which the tests themselves do not:

    pip install atheris
    python -m tests.fuzz.wire -max_total_time=600
    python -m tests.fuzz.notebook -max_total_time=600 -max_len=20000
    python -m tests.fuzz.verdict -max_total_time=600

Each starts from real messages or notebooks, prints its coverage, and stops at the first input that breaks a promise,
which it writes to a file `crash-...`; give it that file as an argument to try it again. `tests/test_fuzz.py` keeps the
same promises with hypothesis in every run of the tests.
"""
