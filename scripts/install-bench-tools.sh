#!/usr/bin/env bash
# Installs what the wasm column of bench/speed.ts needs on a Debian-like machine: clang, the wasm linker and the WASI C
# library. The benchmark itself installs nothing and says so in its table when they are missing.
#
#   scripts/install-bench-tools.sh           as root where something is missing
#   scripts/install-bench-tools.sh --check   install nothing; say what is missing and exit 1 if something is
#
# It does NOT install the cross toolchain and qemu-riscv64: scripts/install-tools.sh does.
set -euo pipefail

fail() { printf 'install-bench-tools: %s\n' "$*" >&2; exit 1; }

missing_packages() {
  command -v clang >/dev/null || echo clang
  command -v wasm-ld >/dev/null || echo lld
  [ -e /usr/lib/wasm32-wasi/libc.a ] || echo wasi-libc
  compgen -G '/usr/lib/llvm-*/lib/clang/*/lib/wasi/libclang_rt.builtins-wasm32.a' >/dev/null || echo libclang-rt-dev-wasm32
}

packages=$(missing_packages | tr '\n' ' ')
case "${1:-}" in
  --check) [ -z "$packages" ] || fail "missing: $packages; run scripts/install-bench-tools.sh"; exit 0 ;;
  '') ;;
  *) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
[ -n "$packages" ] || exit 0
command -v apt-get >/dev/null || fail "missing: $packages; there is no apt-get here: install them with this system's own packager"
[ "$(id -u)" = 0 ] || fail "missing: $packages; run as root: apt-get install $packages"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086  # A list of package names.
apt-get install -y --no-install-recommends $packages >/dev/null 2>&1 || {
  apt-get update >&2 || fail "apt-get update failed; check the network and the apt sources, then run this again"
  apt-get install -y --no-install-recommends $packages >&2 || fail "apt-get could not install: $packages"
}
packages=$(missing_packages | tr '\n' ' ')
[ -z "$packages" ] || fail "installed, yet still missing something of: $packages"
