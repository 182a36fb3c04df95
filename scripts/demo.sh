#!/usr/bin/env bash
# `npm run demo`: installs the compilers it needs (root, Debian packages) and runs the main job.
set -euo pipefail
cd "$(dirname "$0")/.."
missing=()
command -v riscv64-linux-gnu-gcc >/dev/null || missing+=(gcc-riscv64-linux-gnu)
[ -e /usr/riscv64-linux-gnu/lib/libc.a ] || missing+=(libc6-dev-riscv64-cross)
command -v gcc >/dev/null || missing+=(gcc libc6-dev)
if [ "${#missing[@]}" -gt 0 ]; then
  command -v apt-get >/dev/null || { echo "demo: install first: ${missing[*]}" >&2; exit 1; }
  echo "demo: installing ${missing[*]}" >&2
  export DEBIAN_FRONTEND=noninteractive
  (apt-get update && apt-get install -y --no-install-recommends "${missing[@]}") >/tmp/stillpoint-demo-apt.log 2>&1 ||
    { echo "demo: apt-get could not install ${missing[*]} (root is needed); its last words:" >&2; tail -3 /tmp/stillpoint-demo-apt.log >&2; exit 1; }
fi
[ -e dist/bin/stillpoint.js ] || npm run --silent build
exec node scripts/demo.mjs
