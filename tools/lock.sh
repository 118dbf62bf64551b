#!/usr/bin/env bash
# Writes the locks from pyproject.toml: what runs and builds, and what tests besides. No registry is named in them.
# Versions already locked stay unless an option of `uv pip compile` says otherwise (--upgrade, --upgrade-package X).
set -euo pipefail
cd "$(dirname "$0")/.."
lock() {
    local file=$1
    shift
    .venv/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-annotate --no-header "$@" --output-file "$file"
}
lock requirements.lock --extra build "$@"
lock requirements-test.lock --extra build --extra test --constraint requirements.lock "$@"
