.POSIX:
.PHONY: help demo test check fix bench build lock clean lint page web-test browser

# Everything lands in .venv and web/node_modules; requirements/*.txt pin each package by hash.
# The stamps in .venv make a second run start at once. Compiling to bytecode spares the first start
# of the hub several seconds; the tests use a fifth of their packages, which Python compiles itself,
# once: where the environment forbids it to keep bytecode, each of their processes would do it anew.

PYTHON = python3
PORT = 8787
WORKERS = auto
BIN = .venv/bin
UV = $(BIN)/uv pip
QUIET_UV = UV_NO_PROGRESS=1 VIRTUAL_ENV=$$PWD/.venv $(UV)
LOCK = $(UV) compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links
PYTEST = PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

demo: .venv/run.stamp page ## install what it needs, start the hub with a simulated generator
	@exec $(BIN)/shortlist demo --port $(PORT)

test: .venv/test.stamp browser ## install what it needs, run every check and test
	@$(MAKE) --no-print-directory -j 2 lint web-test
	@$(PYTEST) --hypothesis-profile=ci

check: .venv/test.stamp lint ## the fast part of test, for every few minutes: one database, no browser
	@$(PYTEST) -q --quick

fix: .venv/test.stamp ## put right what ruff can put right
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: .venv/test.stamp ## measure, and print tables
	@for file in $$(grep -l __main__ benchmarks/*.py); do \
		echo "== $$file"; $(BIN)/python -m "benchmarks.$$(basename "$$file" .py)"; \
	done

build: .venv/test.stamp page ## pack dist/*.whl and dist/*.tar.gz with the page inside
	@$(BIN)/python -m build --no-isolation --outdir dist

lock: $(BIN)/uv ## take the newest releases into requirements/*.txt
	$(LOCK) pyproject.toml -o requirements/run.txt
	$(LOCK) pyproject.toml requirements/test.in --all-extras -c requirements/run.txt \
		-o requirements/test.txt
	$(LOCK) requirements/uv.in -o requirements/uv.txt
	$(LOCK) requirements/build.in -c requirements/test.txt -c requirements/uv.txt \
		-o requirements/build.txt

clean: ## remove what the other commands made, but no data of yours
	rm -rf .venv web/node_modules src/shortlist/web dist .mypy_cache .ruff_cache .pytest_cache

# What the commands above are made of.

lint:
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo "Some files are not formatted: make fix"; exit 1; }
	@$(BIN)/mypy --no-error-summary

page:
	@$(BIN)/python hatch_build.py

web-test: page
	@$(BIN)/python hatch_build.py check
	@$(BIN)/python hatch_build.py test

browser:
	@for name in "$$CHROMIUM" chromium-headless-shell chromium chromium-browser google-chrome \
		google-chrome-stable "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do \
		if command -v "$$name" >/dev/null 2>&1; then exit 0; fi; \
	done; \
	if [ "$$(id -u)" = 0 ] && [ -f /etc/debian_version ] && command -v apt-get >/dev/null; then \
		echo "Installing Debian's chromium, without its windows, for the tests in a browser"; \
		apt-get update -qq || true; \
		install="apt-get install -y -qq --no-install-recommends fonts-liberation"; \
		export DEBIAN_FRONTEND=noninteractive; \
		$$install chromium-headless-shell >/dev/null 2>&1 || $$install chromium >/dev/null; \
	else \
		echo "The tests need Chromium or Chrome: install it, or set CHROMIUM to its path"; exit 1; \
	fi

$(BIN)/uv: requirements/uv.txt
	@found=; \
	for python in $(PYTHON) python3.14 python3.13 python3.12 python3.11; do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			found=$$python; break; \
		fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "Shortlist needs Python 3.11 or newer: install it, or run make PYTHON=/path/to/it"; exit 1; \
	fi; \
	if ! "$$found" -c 'import ensurepip' 2>/dev/null; then \
		if [ "$$(id -u)" = 0 ] && [ -f /etc/debian_version ]; then \
			echo "Installing Debian's python3-venv, which makes virtual environments"; \
			apt-get update -qq || true; \
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null; \
		else \
			echo "$$found can't make virtual environments: install the package python3-venv"; exit 1; \
		fi; \
	fi; \
	echo "Making .venv with $$("$$found" --version), and uv, which installs the rest"; \
	"$$found" -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r requirements/uv.txt
	@touch $@

.venv/run.stamp: $(BIN)/uv pyproject.toml requirements/run.txt requirements/build.txt
	@echo "Installing into .venv: $$(grep -c == requirements/run.txt) packages to run Shortlist," \
		"$$(grep -c == requirements/build.txt) to build its page (Node among them)"
	@UV_COMPILE_BYTECODE=1 $(QUIET_UV) install --quiet --require-hashes \
		-r requirements/run.txt -r requirements/build.txt
	@$(QUIET_UV) install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q src
	@touch $@

.venv/test.stamp: $(BIN)/uv pyproject.toml requirements/test.txt requirements/build.txt
	@echo "Installing into .venv: $$(grep -c == requirements/test.txt) packages to run and test" \
		"Shortlist (PostgreSQL and an S3 server among them), $$(grep -c == requirements/build.txt)" \
		"to build it (Node among them)"
	@$(QUIET_UV) sync --quiet --require-hashes requirements/test.txt requirements/build.txt
	@$(QUIET_UV) install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q src
	@touch $@ .venv/run.stamp
