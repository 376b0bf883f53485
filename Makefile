# Every target sets itself up in .venv; all it needs is Python, git and make.
PYTHON ?= python3
VENV := .venv
LESS = $(if $(GRADCHECK_ALL),, and not rare)
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt

.PHONY: learn quick test test-all lint bench bench-verify diagnose agreement demo stubs docs clean

learn: $(VENV)/.learner
	@$(BIN)/python -m pytest exercises; status=$$?; [ $$status -le 1 ] || exit $$status

test: $(VENV)/.developer
	$(BIN)/python -m pytest tests -m "whole_machine$(LESS)" -q -p no:benchmark -p no:xdist
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests -m "not whole_machine$(LESS)" -n 2 --dist loadfile --no-loadscope-reorder -p no:benchmark
	$(BIN)/python -m pytest solutions -q

# What is slow and rarely breaks as well, all rows of all tables, every start of Python a cold one.
test-all:
	GRADCHECK_ALL=1 $(MAKE) test

quick: $(VENV)/.developer
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests -m "not whole_machine and not outside and not thorough" -n 2 --dist loadfile --no-loadscope-reorder -p no:benchmark -q

lint: $(VENV)/.developer
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(VENV)/.developer
	$(BIN)/python -m pytest tests/benchmarks -o "python_files=bench_*.py" -p no:xdist -q -s --benchmark-only

# Half an hour: writes docs/benchmarks.md.
bench-verify: $(VENV)/.peers
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks.peers.compare_peers

demo: $(VENV)/.learner
	$(BIN)/python -m gradcheck grade examples/class --course examples/class/course.toml --out .gradcheck/demo

diagnose: $(VENV)/.developer
	$(BIN)/python -m tests.diagnosis.confusion

agreement: $(VENV)/.developer
	$(BIN)/python -m tests.references.sweep_agreement

stubs: $(VENV)/.developer
	$(BIN)/gradcheck stubs --force

docs: $(VENV)/.developer
	$(BIN)/python -m tests.docs.schemas
	$(BIN)/python -m tests.docs.site

clean:
	rm -rf $(VENV) build site .gradcheck .pytest_cache .mypy_cache .ruff_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.learner: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Setting up $(VENV), once: 70 MB to download besides torch, 220 MB on disk."
	@$(BIN)/python .ci/install_torch.py
	@$(INSTALL) --editable ".[plots]"
	@touch $@

$(VENV)/.developer: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Setting up $(VENV), once: 140 MB to download besides torch, 430 MB on disk."
	@$(BIN)/python .ci/install_torch.py
	@$(INSTALL) --editable ".[dev]"
	@touch $@ $(VENV)/.learner

$(VENV)/.peers: pyproject.toml constraints.txt | $(VENV)/.developer
	$(INSTALL) --editable ".[dev,peers]"
	@touch $@
