#!/usr/bin/env bash
# A service in Python behind a Unix socket: an exception in the midst of a sale leaves no trace, a killed service goes on, a sale can be undone.
#
#   examples/services/tickets.sh [ROOT]   ROOT: a root file system with riscv64 python3, as a directory or tar archive. Default: build/debian-root, which
#                                         scripts/fetch-packages.sh makes. STILLPOINT_STORE says where the run is kept
#
# Another way to a root:  mmdebstrap --variant=extract --include=python3 --architectures=riscv64 trixie python.tar
set -euo pipefail
root=$(realpath "${1:-$(dirname "$0")/../../build/debian-root}")
cd "$(dirname "$0")/../.."
[ -e "$root/usr/bin/python3" ] || [ -f "$root" ] || { echo "tickets.sh: $root is no root file system with python3; scripts/fetch-packages.sh makes one" >&2; exit 1; }
socket=$(mktemp -u "${TMPDIR:-/tmp}/tickets.XXXXXX.sock")

start() { # start ARGUMENTS…: in the background, until it answers
  node dist/bin/stillpoint.js serve theatre --socket "$socket" --control "$@" >/dev/null 2>&1 &
  service=$!
  until curl -sf --unix-socket "$socket" http://theatre/healthz >/dev/null; do kill -0 "$service" && sleep 0.1; done
}
trap 'kill "$service" 2>/dev/null || true' EXIT
ask() { curl -s --unix-socket "$socket" "${@:2}" --data "$1" http://theatre/; }
control() { curl -s --unix-socket "$socket" --request POST "http://theatre/$1" >/dev/null; }

start --memory 512M --timeout 60s --image "$root" --image examples/services:/srv -- /usr/bin/python3 /srv/tickets.py
ask 'sell A 1 Ada'
ask 'sell B 2 Bob'
echo "- row C has no price: an exception, and the seat is free as before"
ask 'sell C 3 Eve' | grep -o '"code":"[A-Z_]*"'
ask 'plan'
echo "- a savepoint, a mistake, and back"
control 'savepoint?name=before'
ask 'price A 0'
ask 'sell A 2 Mallory' >/dev/null
control 'rollback?to=before'
ask 'plan'
echo "- kill -9, and on; the same request with the same key is done once"
ask 'sell A 3 Dan' -H 'Idempotency-Key: dan-1'
kill -9 "$service"; wait "$service" 2>/dev/null || true
start
ask 'sell A 3 Dan' -H 'Idempotency-Key: dan-1'
ask 'income'
