#!/bin/sh
# Builds flylocal, installing what is missing, and runs one of the examples with it: examples/run.sh [NAME]
# Shows what `flylocal up` prints and what a client gets, then stops the sandbox. Leaves nothing behind but build/.
set -eu
cd "$(dirname "$0")"
name=${1:-hello}
if [ ! -d "$name" ]; then
  echo "there is no example $name; these exist:" >&2
  for one in */; do echo "  ${one%/}" >&2; done
  exit 2
fi
../tests/build.sh release flylocal
flylocal=$PWD/../build/release/flylocal/flylocal
[ -f "$name/Makefile" ] && make -C "$name"

# An example with several apps has a directory for each.
if [ -f "$name/fly.toml" ]; then projects=$name; else projects=$(dirname "$name"/*/fly.toml); fi

XDG_STATE_HOME=$(mktemp -d)
export XDG_STATE_HOME
trap 'rm -rf "$XDG_STATE_HOME"' EXIT

echo "\$ flylocal up $projects"
"$flylocal" up $projects &
up=$!
trap 'kill $up 2>/dev/null; wait $up; rm -rf "$XDG_STATE_HOME"' EXIT

# Up as soon as it answers on its control socket.
until "$flylocal" status >/dev/null 2>&1; do
  kill -0 $up 2>/dev/null || { wait $up; exit $?; }
  sleep 0.1
done
# The proxy waits for a server that is still starting, so that one request is enough.
"$flylocal" status --json | grep -o '"http://[^"]*"' | tr -d '"' | while read -r url; do
  echo "\$ curl -i $url"
  curl -sS -i --max-time 30 "$url" || true
  echo
done
# The report may take until slow servers had their time; it is the last thing before the end.
"$flylocal" status
echo "\$ flylocal down"
"$flylocal" down
wait $up || true
