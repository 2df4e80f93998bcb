# Everything runs in .venv, which is set up once, from requirements.lock, by whatever comes first. It needs Python 3.11 or
# newer: the first of these that is one, or `make PYTHON=/path/to/python3.12 demo`.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
RUN := .venv/bin/python
READY := .venv/ready

.PHONY: help demo test lint bench notebooks recordings catalogues screenshots clean

help:
	@echo 'make demo         the whole course once, on a class of sample students, into demo/'
	@echo 'make test         the tests, but for those that take long (WHICH=slow: these)'
	@echo 'make lint         what Ruff and mypy have to say of the code'
	@echo 'make bench        how long grading takes, beside stock nbgrader, into docs/ (an hour; QUICK=1: minutes, build/)'
	@echo 'make notebooks    source/ and release/, from the lesson and the reference solutions'
	@echo 'make recordings   what students'"'"' machines know of the reference'
	@echo 'make catalogues   the messages in other languages'
	@echo 'make screenshots  the pictures in docs/images/, taken in Chromium'
	@echo 'make clean        remove what these made, but for .venv'

demo: $(READY)
	$(RUN) -m tests.demo

test: $(READY)
	$(RUN) -m pytest -n auto --dist loadfile --no-loadscope-reorder $(if $(WHICH),-m '$(WHICH)')

lint: $(READY)
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy autograder

bench: $(READY)
	$(RUN) -m tests.benchmark $(if $(QUICK),--quick)

notebooks: $(READY)
	$(RUN) source/translation.py
	$(RUN) source/build.py
	$(RUN) source/release.py

recordings: $(READY)
	$(RUN) -m reference.record

catalogues: $(READY)
	$(RUN) source/catalogue.py

screenshots: $(READY)
	$(RUN) -m tests.screenshots

clean:
	rm -rf demo build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

# By hand: python3 -m venv .venv; .venv/bin/pip install -r requirements.lock; .venv/bin/pip install --no-deps -e .
$(READY): requirements.lock pyproject.toml
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer is needed, and none was found. Name one: make PYTHON=...' >&2; exit 1; }
	@echo 'Setting up .venv, which takes about two minutes ...'
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install -qq --disable-pip-version-check -r requirements.lock
	$(RUN) -m pip install -qq --disable-pip-version-check --no-deps -e .
	@touch $@
