# Two commands: `make run` tries it, `make test` tests it. Both install what is missing.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
# Versions are locked, so the package itself is installed without looking for others.
PACKAGE := install --quiet --no-deps --no-build-isolation --editable .
UV_VERSION := 0.13.9

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/uv:
	@tools/bootstrap.sh run
	@echo "正在建立 Python 环境… / making the Python environment…"
	@"$$(tools/bootstrap.sh python)" -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.built: requirements.lock pyproject.toml hatch_build.py | $(BIN)/uv
	@echo "正在安装依赖并构建网页… / installing packages, building the pages…"
	@# Compiled now, and not by five processes at once when the hub starts for the first time.
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip $(PACKAGE) --python $(BIN)/python
	@touch $@

.venv/.tests: requirements-test.lock .venv/.built
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-test.lock
	@touch $@

.PHONY: build
build: .venv/.built ## installs into .venv and builds the pages, nothing else
	@$(BIN)/python hatch_build.py

.PHONY: run
run: build ## builds, starts a hub with a sample city and a camera, prints URL and sign-ins
	@exec $(BIN)/commhub run

.PHONY: peers
peers: .venv/.tests build
	@tools/bootstrap.sh test

.PHONY: test
test: peers ## everything that tests it, with real peers
	@tools/test.sh

.PHONY: prove
prove: peers ## the proofs that take minutes, one after the other: docs/proofs.md (WORDS="…" go to pytest)
	@tools/prove.sh $(WORDS)

.PHONY: check lint types imports pages pages-test
check: lint types imports pages ## lint, types, who imports whom; Python and pages

lint: .venv/.tests
	@$(BIN)/ruff check --quiet --output-format concise .

types: .venv/.tests
	@$(BIN)/mypy

imports: .venv/.tests
	@$(BIN)/lint-imports --no-logo

pages: .venv/.tests
	@$(BIN)/python hatch_build.py --silent run check

pages-test: .venv/.tests
	@$(BIN)/python hatch_build.py --silent run test

.PHONY: bench
bench: .venv/.tests build ## forwarded packets per CPU-second of all processes, beside LiveKit in the same run
	@mkdir -p .cache
	@$(BIN)/python -m bench.cost --livekit "$$(tools/livekit.sh)"
	@$(BIN)/python -m bench.minute

.PHONY: clean
clean: ## removes what was built and cached; data/ stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .cache build dist \
		commhub/static web/node_modules
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
