#!/usr/bin/env bash
# A shell in which every line can be undone: files, variables, the working directory, everything. Type "undo" (as often as you like) or "exit".
#
#   examples/services/undo-shell.sh       needs scripts/install-tools.sh to have run; STILLPOINT_STORE says where the run is kept
#
# It lives in a machine: what it does to files it does to the machine's own. A line that ends the shell with an error, or runs for ever, has not happened.
set -euo pipefail
cd "$(dirname "$0")/../.."
stillpoint() { node dist/bin/stillpoint.js "$@"; }
run=${1:-undo-shell}

echo 'cd; PS1=' | stillpoint txn "$run" --env HOME=/tmp -- build/guests/real/busybox sh
places=() count=0
prompt=
[ ! -t 0 ] || prompt='$ '
while IFS= read -r -p "$prompt" line; do
  case $line in
    exit) break ;;
    undo)
      if [ "${#places[@]}" = 0 ]; then echo 'nothing to undo'; continue; fi
      stillpoint rollback "$run" --to "${places[-1]}" >/dev/null
      unset 'places[-1]' ;;
    *)
      places+=("line-$((++count))")
      stillpoint checkpoint "$run" --name "${places[-1]}" >/dev/null # Where it is now: each transaction ended at a checkpoint.
      printf '%s\n' "$line" | stillpoint txn "$run" --timeout 10s 2>&1 || { echo '(has not happened)'; unset 'places[-1]'; } ;;
  esac
done
