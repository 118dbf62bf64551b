#!/usr/bin/env bash
# Everything that tests it: the tests on one core, meanwhile lint, types and the pages' own tests on the other.
# Words given are passed on to pytest. What runs beside is written to .cache/ and shown at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .cache
log=.cache/check.log

# Only what runs beside is slowed down: the tests hold media to deadlines.
NO_COLOR=1 nice -n 10 make --keep-going check pages-test >"$log" 2>&1 &
checks=$!
trap 'kill "$checks" 2>/dev/null || true' EXIT

source tools/fair.sh
failed=0
"${fair[@]}" .venv/bin/python -m pytest ${CI:+--durations=40 --durations-min=3} "$@" || failed=$?
wait "$checks" || {
    failed=1
    printf '\n---- make check pages-test ----\n'
    cat "$log"
    printf -- '---- make check pages-test: failed ----\n'
}
trap - EXIT
exit "$failed"
