#!/bin/sh
# Builds flylocal, installing what is missing, and runs one of the examples with it: examples/run.sh [NAME]
# Shows what `flylocal up` prints and what a client gets, then stops the sandbox. Leaves nothing behind but build/
# and what the example itself compiles.
set -eu
cd "$(dirname "$0")"
name=${1:-hello}
if [ $# -gt 1 ] || ! ls "$name"/fly.toml "$name"/*/fly.toml 2>/dev/null | grep -q .; then
  echo "usage: examples/run.sh [NAME]; the examples are:" >&2
  for one in */; do echo "  ${one%/}" >&2; done
  exit 2
fi
../tests/build.sh release flylocal
flylocal=$PWD/../build/release/flylocal/flylocal
if [ -f "$name/Makefile" ]; then make -s -C "$name"; fi

# An example with several apps has a directory for each.
if [ -f "$name/fly.toml" ]; then projects=$name; else projects=$(dirname "$name"/*/fly.toml); fi

# A state directory of its own, so that a sandbox that already runs here is no obstacle.
up=
XDG_STATE_HOME=$(mktemp -d)
export XDG_STATE_HOME
clean_up() {
  if [ -n "$up" ]; then
    # After Ctrl-C it is stopping already, and another signal would tell it to kill its machines.
    "$flylocal" down >/dev/null 2>&1 || kill "$up" 2>/dev/null || true
    wait "$up" || true
  fi
  rm -rf "$XDG_STATE_HOME"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

echo "\$ flylocal up" $projects
"$flylocal" up $projects &
up=$!
# It answers on its control socket as soon as the ports are open.
until "$flylocal" status >/dev/null 2>&1; do
  if ! kill -0 "$up" 2>/dev/null; then
    code=0
    wait "$up" || code=$?
    up=
    exit "$code"
  fi
  sleep 0.1
done
# This call ends when the bind report is certain, or its patience (15 seconds, or the longest grace_period) is over.
curl -fsS --unix-socket "$XDG_STATE_HOME/flylocal/control.sock" http://localhost/flylocal/v1/report >/dev/null
sleep 0.3

"$flylocal" status | awk '$2 ~ /^http:/ { print $2 }' | while read -r url; do
  printf '\n$ curl -i %s\n' "$url"
  curl -sS -i --max-time 30 "$url" || true
done
printf '\n$ flylocal status\n'
"$flylocal" status
printf '\n$ flylocal down\n'
"$flylocal" down
