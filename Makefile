# Everything is installed in .venv; no target touches the system's Python.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
TORCH ?= torch==2.13.0
# Used only if the package index in use has no CPU build of the pinned version.
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu
JOBS ?= 2
# Many tests start processes of their own, which should not compile the package each time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(VENV)/.installed  ## create .venv and install the package with everything the tests need

$(VENV)/.installed: setup.cfg pyproject.toml scripts/install_torch.sh
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	bash scripts/install_torch.sh $(BIN)/python "$(TORCH)" "$(TORCH_CPU_INDEX)"
	$(BIN)/python -m pip install --quiet -e '.[test]'
	touch $@

test: install  ## run the tests (about 6 minutes on 2 cores)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal --ignore tests/flax

test-flax: install  ## run the tests of the Flax models (compiling takes most of three minutes)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) tests/flax

test-all: install  ## run the tests, including the slow ones
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal --slow

test-python:  ## run the tests on another Python: make test-python PYTHON=python3.13
	$(MAKE) test PYTHON=$(PYTHON) VENV=.venv-$(notdir $(PYTHON))

test-wheel: install  ## build the wheel and run the tests against what it installs
	rm -rf build/wheel build/wheel-tests
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir build/wheel .
	$(BIN)/python scripts/test_wheel.py build/wheel build/wheel-tests --jobs $(JOBS)

test-browser: install  ## test the page of the service in a browser (Debian: apt-get install chromium)
	SPACY_BIGBIRD_CHROMIUM=$${SPACY_BIGBIRD_CHROMIUM:-$$(command -v chromium || command -v google-chrome)} OMP_NUM_THREADS=1 \
		$(BIN)/python -m pytest tests/serve/test_page_in_a_browser.py

lint: install  ## run ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy spacy_bigbird

bench: install  ## measure speed and memory on this machine, into benchmarks/results (about half an hour)
	for name in encoder attention tokenizer pipeline memory pretraining questions; do \
		$(BIN)/python benchmarks/$$name.py --json benchmarks/results/$$name.json --plot benchmarks/results/$$name.png || exit 1; \
	done

docs: install  ## build the site of the documentation into build/site, with pictures and tables redrawn and examples checked
	$(BIN)/python docs/draw_attention_pattern.py
	if [ -f project/project.yml ]; then $(BIN)/python -m weasel document project --output project/README.md; fi
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --quiet tests/test_docs.py tests/test_readme.py tests/test_coming_from_transformers.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

demo: install  ## find clauses in a licence and names in a novel, train tiny pipelines on made-up contracts, write a report (under 8 minutes)
	$(BIN)/python -m project.demo.run $(DEMO)

packages: install  ## build wheels of the pipelines that come with the repository, into build/packages
	$(BIN)/python -m project.models.recipes.package

clean:  ## remove .venv and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info

.PHONY: help install test test-flax test-all test-browser test-python test-wheel lint bench docs demo packages clean
