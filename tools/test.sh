#!/usr/bin/env bash
# Everything that tests it: first what needs no peers, on all cores; then what holds media of real peers to deadlines, in two runs
# that share its files (they wait more than they work), meanwhile lint, types and the pages' own tests.
# Words given are passed on to each run of pytest. What runs beside is written to .cache/ and shown at the end; the last line
# adds up what all runs counted, and .cache/tests has it too.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .cache
log=.cache/check.log tally=.cache/tally second=.cache/second.log shared=.cache/shared
rm -f .cache/tests "$tally"
trap 'kill ${checks:-} ${other:-} 2>/dev/null || true' EXIT
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
rm -rf "$shared"
mkdir "$shared"
(
    found=0 failed=0
    run --peers=only "--shared=$shared" "$@"
    exit $((failed ? 1 : found ? 0 : 5))
) >"$second" 2>&1 &
other=$!
run --peers=only "--shared=$shared" "$@"
status=0
wait "$other" || status=$?
other=""
case $status in
    0) found=1 ;;
    5) ;;
    *) failed=1 ;;
esac
cat "$second"
wait "$checks" || {
    failed=1
    printf '\n---- make check pages-test ----\n'
    cat "$log"
    printf -- '---- make check pages-test: failed ----\n'
}
checks=""
[ "$found$failed" != 00 ] || failed=5
.venv/bin/python -m tests.support.tally "$tally" 3 | tee .cache/tests || failed=1
exit "$failed"
