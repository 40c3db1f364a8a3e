# Steps with a header each; the first that fails ends the run with a message and the totals. Sourced.
#
#   step NAME CMD...     runs CMD and counts the tests that its output reports
#   skip NAME REASON     says what was not done, and why
#   totals               the last line of a run: `N passed, N failed`

set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top"
# Where rustup and `cargo install` put things, in case this shell has not heard of it yet.
export PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
target=${CARGO_TARGET_DIR:-$top/target}

step_log=$(mktemp)
trap 'rm -f "$step_log"' EXIT
broken=0

step() {
  local name=$1 started=$SECONDS
  shift
  printf '\n== %s\n' "$name"
  set +e
  # A subshell with -e of its own, outside of any condition: only there the first failing command ends it.
  (set -e; "$@") 2>&1 | tee -a "$step_log"
  local code=${PIPESTATUS[0]}
  set -e
  if [ "$code" != 0 ]; then
    broken=1
    printf '\nFAILED: %s (%s: exit code %d)\n' "$name" "$*" "$code"
    totals
    exit 1
  fi
  printf -- '-- %s: %d s\n' "$name" "$((SECONDS - started))"
}

skip() { printf '\n== %s\nSKIPPED: %s\n' "$1" "$2"; }

# Cargo's result lines, and those of the scripts beside it. A step that broke off counts as a failure
# even when it reported none.
totals() {
  awk -v broken="$broken" '
    /^test result: /               { passed += $4; failed += $6 }
    /^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3 }
    END {
      if (broken && !failed) failed = 1
      printf "%d passed, %d failed\n", passed, failed
    }' "$step_log"
}

is_root() { [ "$(id -u)" = 0 ]; }

# Pins need it; a host's systemd mounts it at boot, a container has none.
mount_bpffs() { mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf; }
