# Everything runs in .venv, made from nothing but Python >= 3.10 and pip.
PYTHON ?= python3
BIN := .venv/bin
REQUIREMENTS := $(wildcard requirements/*.txt) pyproject.toml setup.py
# The launch scripts read this name too; they are to take the PATH's.
unexport PYTHON
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: install demo test test-fast test-gpu coverage lint docs faults results bench

install: .venv/installed

.venv/installed: $(REQUIREMENTS)
	$(PYTHON) -c "import sys; sys.version_info >= (3, 10) or sys.exit('error: Python 3.10 or newer is needed, e.g. make install PYTHON=python3.11')"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install -r requirements/mminstall.txt -r requirements/runtime.txt -r requirements/optional.txt -r requirements/tests.txt -r requirements/docs.txt
	$(BIN)/python -m pip install --quiet --no-deps -r requirements/peers.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

# make demo            synthetic cells
# make demo DATA=path  your own folder in the release's layout
demo: install
	$(BIN)/python tools/demo.py $(if $(DATA),--data "$(DATA)")

# The paper's comparison on a small data set, some 70 minutes on two cores;
# the same command goes on where it stopped.
results: install
	$(BIN)/python tools/results.py --data "$(DATA)"

# Ours and the stock route, timed side by side, on synthetic cells or DATA.
bench: install
	$(BIN)/python tools/benchmark.py all --json work_dirs/bench.json $(if $(DATA),--data "$(DATA)")

test: install
	$(BIN)/python -m pytest -n 2 --dist worksteal

# All but what takes seconds or starts processes: two minutes on two cores.
test-fast: install
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow'

# What only a GPU shows.
test-gpu: install
	BM_TEST_GPU=1 $(BIN)/python -m pytest tests/gpu

# Which lines the suite runs, in processes that it starts, too; slower than
# make test. The page of each file: work_dirs/coverage/index.html
coverage: install
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=
	$(BIN)/coverage html --quiet
	$(BIN)/coverage report --skip-covered --sort=cover

# The report page joins its scripts into one, and so they are linted.
lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	mkdir -p build
	find bm_plugins -name '*.js' -exec cat {} + > build/page.js
	$(BIN)/oxlint --no-ignore build/page.js

# The site, in site/; a link that leads nowhere is an error, which --quiet
# would hide.
docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Kills, full disks and signals at random moments; writes docs/reliability.md.
faults: install
	$(BIN)/python tests/faults.py
