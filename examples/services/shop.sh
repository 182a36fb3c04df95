#!/usr/bin/env bash
# A service in Lua behind a Unix socket, killed with SIGKILL in the midst of its work: every answer that was given still holds, and a client that asks again
# with its key is served once.
#
#   examples/services/shop.sh             needs scripts/install-tools.sh to have run; STILLPOINT_STORE says where the run is kept
set -euo pipefail
cd "$(dirname "$0")/../.."
socket=$(mktemp -u "${TMPDIR:-/tmp}/shop.XXXXXX.sock")

start() { # start ARGUMENTS…: in the background, until it answers
  node dist/bin/stillpoint.js serve fruit --socket "$socket" "$@" >/dev/null 2>&1 &
  service=$!
  until curl -sf --unix-socket "$socket" http://shop/healthz >/dev/null; do kill -0 "$service" && sleep 0.1; done
}
trap 'kill "$service" 2>/dev/null || true' EXIT
ask() { curl -s --unix-socket "$socket" --data "$1" http://shop/; }

start --image examples/services:/srv -- build/guests/real/lua /srv/shop.lua
ask 'add apple 10'
ask 'buy apple 3 key-1'
echo "- more than there is, and what nobody has: nothing has happened"
ask 'buy apple 8 key-2' | grep -o '"code":"[A-Z_]*"'
ask 'buy plum 1 key-3' | grep -o '"code":"[A-Z_]*"'
ask 'list'
echo "- kill -9, and on"
kill -9 "$service"
wait "$service" 2>/dev/null || true
start
ask 'list'
echo "- the same key again: the same answer, and nothing is sold twice"
ask 'buy apple 3 key-1'
ask 'list'
kill "$service"
wait "$service"
