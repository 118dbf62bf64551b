#!/usr/bin/env bash
# Everything that tests it: first what needs no peers, on all cores; then what holds media of real peers to deadlines, two files
# at a time (they wait more than they work), meanwhile lint, types and the pages' own tests.
# Words given are passed on to both runs of pytest. What runs beside is written to .cache/ and shown at the end; the last line
# adds up what both runs counted, and .cache/tests has it too.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .cache
log=.cache/check.log tally=.cache/tally
rm -f .cache/tests "$tally"
trap '[ -z "${checks:-}" ] || kill "$checks" 2>/dev/null || true' EXIT
trap 'exit 130' INT

source tools/fair.sh
failed=0 found=0

# Options of our own with "=": pytest takes what follows one for a path, before it has read who declares it.
# pytest's 5 is "no such test": words that name a part may find it in one of the runs.
run() {
    local status=0
    "${fair[@]}" .venv/bin/python -m pytest "--tally=$tally" ${CI:+--durations=40 --durations-min=3} "$@" || status=$?
    case $status in
        0) found=1 ;;
        5) ;;
        *) failed=1 ;;
    esac
}

run --peers=never --numprocesses "$(nproc)" --dist worksteal "$@"

# Only what runs beside is slowed down.
NO_COLOR=1 nice -n 10 make --keep-going check pages-test >"$log" 2>&1 &
checks=$!
run --peers=only --numprocesses 2 --dist loadfile "$@"
wait "$checks" || {
    failed=1
    printf '\n---- make check pages-test ----\n'
    cat "$log"
    printf -- '---- make check pages-test: failed ----\n'
}
checks=""
[ "$found$failed" != 00 ] || failed=5
.venv/bin/python -m tests.support.tally "$tally" 2 | tee .cache/tests || failed=1
exit "$failed"
