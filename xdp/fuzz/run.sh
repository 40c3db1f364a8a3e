#!/bin/sh
# Fuzzes the packet parser, for as long as said and with what cargo-fuzz would set, but without needing it.
#
#   run.sh [SECONDS] [libFuzzer options]     default 60; corpus/ is read and added to
#
# A finding is written here as crash-..., and the script fails. `run.sh 0 FILE` runs one file again.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
seconds=${1:-60}
[ $# -eq 0 ] || shift

# Coverage instrumentation is unstable; a release compiler takes its flags only when told so.
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing"
target=${CARGO_TARGET_DIR:-$here/target}
host=$(rustc -vV | sed -n 's/^host: //p')
# With --target the flags are for the fuzzer alone, and not for what builds it.
(cd "$here" && cargo build --quiet --locked --release --target "$host" --target-dir "$target")
cd "$here"
fuzzer=$target/$host/release/parse
if [ "$seconds" = 0 ]; then
    exec "$fuzzer" "$@"
fi
exec "$fuzzer" -max_total_time="$seconds" -max_len=400 "$@" corpus
