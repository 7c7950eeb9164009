# Licensed under a 3-clause BSD style license - see LICENSE
#
#   make demo    set up .venv, enrich simulated sources, say where table, figure and report lie
#   make test    set up what the tests need, run lint, types and the tests
#   make lint    check style and likely mistakes (ruff)
#   make types   check type annotations (mypy)
#   make docs    build the documentation
#   make clean   remove what these made, .venv included
#
# What is set up already is not set up again. Settings, as in
# `make test PYTHON=python3.12`:
#
#   PYTHON        interpreter for .venv, 3.11 or newer
#   TORCH         what pip installs as torch, options included
#   SHERPA=no     leave out Sherpa, and with it the tests that compare with it
#   PYTEST_ARGS   further arguments of pytest

PYTHON ?= python3
VENV ?= .venv
TORCH ?= $(TORCH_TESTED)
SHERPA ?= yes
PYTEST_ARGS ?=

TORCH_TESTED = torch==2.13.0

# Quiet, but errors are shown.
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check -qq install

.PHONY: demo test lint types docs clean sherpa
.DELETE_ON_ERROR:

demo: $(VENV)/.stamp-demo
	@$(VENV)/bin/astro-xlatent demo

# One thread: where another program has a core, OpenMP's threads spin and wait for each other.
test: lint types sherpa
	MPLBACKEND=agg OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(VENV)/bin/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.stamp-test
	$(VENV)/bin/ruff check

types: $(VENV)/.stamp-test
	$(VENV)/bin/mypy

docs: $(VENV)/.stamp-test
	$(VENV)/bin/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean:
	rm -rf $(VENV) build dist demo_output docs/_build docs/api docs/gallery *.egg-info .pytest_cache .ruff_cache .mypy_cache

# --- the environment ---------------------------------------------------------

$(VENV)/.stamp-venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) must be Python 3.11 or newer; name another one: make PYTHON=python3.12" >&2; exit 1; }
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "$(PYTHON) cannot make environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@touch $@

# torch comes first, by itself: as a dependency pip would choose the newest, with
# gigabytes of GPU libraries. The bare word `torch` asks for any version, so the
# tested one is tried before the newest.
$(VENV)/.stamp-torch: $(VENV)/.stamp-venv
	@echo "installing $(TORCH)"
ifeq ($(strip $(TORCH)),torch)
	@$(PIP) $(TORCH_TESTED) || $(PIP) torch
else
	@$(PIP) $(TORCH)
endif
	@touch $@

$(VENV)/.stamp-demo: $(VENV)/.stamp-torch pyproject.toml
	@echo "installing astro_xlatent"
	@$(PIP) -e ".[plot]"
	@touch $@

$(VENV)/.stamp-test: $(VENV)/.stamp-torch pyproject.toml
	@echo "installing astro_xlatent and what its tests need"
	@$(PIP) -e ".[test]"
	@touch $@

# --- Sherpa, a source build on PyPI -------------------------------------------

ifeq ($(SHERPA),no)
sherpa:
	@echo "Sherpa left out: the tests that compare with it are skipped"
else
sherpa: $(VENV)/.stamp-test
	@if [ ! -e $(VENV)/.stamp-sherpa ]; then $(install_sherpa) fi
endif

# Debian packages that Sherpa's build needs and this machine lacks.
define missing_tools
missing=""; \
for tool in bison flex gfortran g++; do \
  command -v $$tool >/dev/null 2>&1 || missing="$$missing $$tool"; \
done; \
[ -e /usr/include/fftw3.h ] || printf '#include <fftw3.h>\n' | g++ -E -x c++ - >/dev/null 2>&1 \
  || missing="$$missing libfftw3-dev"; \
$(VENV)/bin/python -c 'import os, sys, sysconfig; \
  sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))' \
  || missing="$$missing python3-dev";
endef

# As root, or with a sudo that asks no password, apt-get fetches them.
define fetch_tools
sudo=""; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
if [ -n "$$missing" ] && command -v apt-get >/dev/null 2>&1 && $$sudo true 2>/dev/null; then \
  echo "installing$$missing (Sherpa's build needs them)"; \
  { $$sudo apt-get update -qq \
    && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing; \
  } >/dev/null || true; \
  $(missing_tools) \
fi;
endef

# make's own variables are kept from the build, which calls make itself.
define install_sherpa
$(missing_tools) \
$(fetch_tools) \
if [ -n "$$missing" ]; then \
  echo "Sherpa is not installed: its build needs$$missing, which only an administrator can install:"; \
  echo "    sudo apt-get install$$missing"; \
  echo "The tests that compare with Sherpa are skipped. (With conda: conda install -c conda-forge sherpa)"; \
else \
  echo "building Sherpa (some minutes)"; \
  env -u MAKEFLAGS -u MFLAGS $(PIP) -e ".[sherpa]" || { \
    echo "Sherpa could not be built; without it: make test SHERPA=no" >&2; exit 1; }; \
  touch $(VENV)/.stamp-sherpa; \
fi;
endef
