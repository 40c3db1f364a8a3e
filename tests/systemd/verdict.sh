# Checks with a name and a time limit, and waiting for a condition. Sourced.
#
#   story NAME CMD...        runs CMD; prints PASS or FAIL, and what it said when it failed
#   wait_until SECONDS CMD   polls CMD until it succeeds; fails when the time is over
#   verdict                  prints the totals; fails when a story did

# The longest a story may take, in seconds; the watchdog's takes about 20.
story_limit=90
passed=0
failed=0

story() {
  local name=$1 started=$SECONDS code=0
  shift
  # A subshell with -e of its own: the first command that fails ends the story, and only the story.
  (set -e; "$@") >"$logs/story.log" 2>&1 &
  local pid=$!
  wait_until "$story_limit" has_ended "$pid" || kill "$pid"
  wait "$pid" || code=$?
  if [ "$code" = 0 ]; then
    passed=$((passed + 1))
    echo "PASS $name ($((SECONDS - started)) s)"
  else
    failed=$((failed + 1))
    echo "FAIL $name ($((SECONDS - started)) s, code $code)"
    sed 's/^/     /' "$logs/story.log"
  fi
}

has_ended() { ! kill -0 "$1" 2>/dev/null; }

wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      echo "gave up waiting for: $*" >&2
      return 1
    fi
    sleep 0.05
  done
}

expect() { # expect WHAT WANTED GOT
  [ "$2" = "$3" ] || { echo "$1: wanted '$2', got '$3'"; return 1; }
}

expect_match() { # expect_match WHAT PATTERN GOT
  grep -qE -- "$2" <<<"$3" || { echo "$1: nothing matches '$2' in '$3'"; return 1; }
}

verdict() {
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
}
