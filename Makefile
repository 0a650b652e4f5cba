# Every target sets itself up in .venv; needed are a POSIX shell, make and Python >= 3.11.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# `python -m pip` and not `pip`: the scripts of a .venv break when its folder is moved.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
METADATA := setup.cfg pyproject.toml

.NOTPARALLEL:
.PHONY: help run test test-narrow docs bench notebooks programs clean

help:
	@echo 'make run    evolve the double pendulum, check it, write results/double_pendulum.h5 and .png'
	@echo 'make test   ruff, mypy, pytest (doctests and README included), on all processors'
	@echo 'make test-narrow  pytest again, as on a processor with narrow vectors, with two threads for every library'
	@echo 'make docs   the documentation, in build/docs'
	@echo 'make bench  compare with other packages and with the limits of this machine'
	@echo 'make notebooks  run the notebooks, and keep their figures in them'
	@echo 'make clean  remove .venv, caches and build artefacts; results/ stays'
	@echo 'Each sets up .venv by itself; choose a Python with PYTHON=/path/to/python.'

run: $(VENV)/run.stamp
	$(BIN)/python -m heatpg run double_pendulum --set size=512 --sigma 0.3,1,3 \
	    --out results/double_pendulum.h5 --figure results/double_pendulum.png --force

# A process of pytest for every processor, each with one thread for heatpg and for BLAS, so that they do not crowd each
# other out; the tests of a file stay together, as they share what is expensive. One test alone: python -m pytest tests/...
WORKERS ?= logical
PYTEST := -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
ONE_THREAD := HEATPG_THREADS=1 OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
# What is stored has the same bits for any number of threads on one machine; on another it may differ in the last ones, and
# the tests pass there too. This is another machine: vectors of 128 bits in Numba, NumPy and BLAS, and two threads in each.
NARROW := HEATPG_THREADS=2 OPENBLAS_NUM_THREADS=2 OMP_NUM_THREADS=2 MKL_NUM_THREADS=2 OPENBLAS_CORETYPE=Nehalem \
    NUMBA_CPU_NAME=nehalem NUMBA_CPU_FEATURES= \
    NPY_DISABLE_CPU_FEATURES="$$($(BIN)/python -c 'import numpy as n; print(*n.show_config("dicts")["SIMD Extensions"]["found"])')"

# All checks run, whichever of them fail. mypy works beside pytest, and has its say when it is done; pytest ends last, so
# that its summary closes the output.
test: $(VENV)/test.stamp programs
	@status=0; \
	for check in 'ruff check' 'ruff format --check'; do \
	    echo "== $$check"; \
	    $(BIN)/python -m $$check || { status=1; failed="$$failed [$$check]"; }; \
	done; \
	{ said=$$($(BIN)/python -m mypy 2>&1); code=$$?; printf '\n== mypy\n%s\n' "$$said"; exit $$code; } & mypy=$$!; \
	echo '== pytest'; \
	$(ONE_THREAD) $(BIN)/python $(PYTEST) || { status=1; failed="$$failed [pytest]"; }; \
	wait $$mypy || { status=1; failed="$$failed [mypy]"; }; \
	if [ $$status -ne 0 ]; then echo "make test: failed:$$failed" >&2; fi; \
	exit $$status

test-narrow: $(VENV)/test.stamp programs
	$(NARROW) $(BIN)/python $(PYTEST)

# The tests of the viewer want a browser, those of the file format other people's readers, those of completion the other
# shells. Without them these tests are skipped and say so; a root on Debian, as a fresh machine for tests has it, gets
# them here.
PROGRAMS := chromium chromium-driver netcdf-bin hdf5-tools zsh fish
programs:
	@for program in chromium chromedriver ncdump h5dump zsh fish; do \
	    command -v $$program >/dev/null || missing="$$missing $$program"; \
	done; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing$$missing"; \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PROGRAMS); } \
	        >/dev/null 2>&1 || echo "could not be installed; the tests that need them are skipped" >&2; \
	elif [ -n "$$missing" ]; then \
	    echo "Tests will be skipped that need:$$missing (Debian: apt-get install $(PROGRAMS))"; \
	fi

notebooks: $(VENV)/test.stamp
	$(BIN)/python -m notebooks

docs: $(VENV)/test.stamp
	$(BIN)/python -m sphinx -W --keep-going -n docs build/docs
	@echo 'build/docs/index.html'

bench: $(VENV)/bench.stamp
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist docs/notebooks *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find heatpg solvers tests benchmarks notebooks docs -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@for python in '$(PYTHON)' python3 python3.14 python3.13 python3.12 python3.11; do \
	    if "$$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "Making $(VENV) with $$("$$python" --version)"; \
	        "$$python" -m venv --clear $(VENV) && exit 0; \
	        rm -rf $(VENV); \
	    fi; \
	done; \
	echo 'heatpg needs Python >= 3.11 with its modules venv and ensurepip, and found none.' >&2; \
	echo 'Debian, Ubuntu: install python3-venv. A Python elsewhere: make PYTHON=/path/to/python ...' >&2; \
	exit 1

$(VENV)/run.stamp: $(METADATA) | $(BIN)/python
	@echo 'Installing heatpg into $(VENV) (the first time takes a minute or two)'
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/test.stamp: $(METADATA) | $(BIN)/python
	@echo 'Installing heatpg and its test tools into $(VENV) (the first time takes a minute or two)'
	@$(INSTALL) --editable '.[dev]'
	@touch $(VENV)/run.stamp $@

$(VENV)/bench.stamp: $(METADATA) benchmarks/requirements.txt | $(BIN)/python
	@echo 'Installing heatpg and its competitors into $(VENV)'
	@$(INSTALL) --editable . --requirement benchmarks/requirements.txt
	@touch $(VENV)/run.stamp $@
