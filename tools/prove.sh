#!/usr/bin/env bash
# The proofs (marker `prove`), one after the other; their figures go to docs/proofs.md. Words given are passed on to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/fair.sh
exec "${fair[@]}" .venv/bin/python -m pytest -m prove --proofs docs/proofs.md --timeout 1800 -s "$@"
