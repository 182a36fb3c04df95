#!/usr/bin/env bash
# Installs what the tests and the demo need on a Debian-like machine: the riscv64 cross toolchain, the qemu-riscv64
# oracle, the PostgreSQL server, and guest programs (busybox, musl, Lua, SQLite) fetched by package and built into build/guests.
#
#   scripts/install-tools.sh              everything (root is needed only when a host tool is missing)
#   scripts/install-tools.sh --check      install nothing; say what is missing and exit 1 if something is
#   scripts/install-tools.sh --wide       also fetch the wide Debian root (600 MB unpacked), for the slow suites of programs
#   scripts/install-tools.sh --picolibc   also fetch picolibc (115 MB), for a guest linked with a bare-metal C library
#
# Idempotent: when everything is there it only looks, in well under a second. It never touches the host's dpkg
# architectures. It does NOT install Node or node_modules.
set -euo pipefail
cd "$(dirname "$0")/.."

# command → package that has it.
HOST_TOOLS=(
  'gcc:gcc' 'make:make' 'tclsh:tcl' 'xz:xz-utils' 'dpkg-deb:dpkg' 'awk:mawk' 'gzip:gzip' 'sha256sum:coreutils' 'find:findutils'
  'g++:g++' 'riscv64-linux-gnu-gcc:gcc-riscv64-linux-gnu' 'riscv64-linux-gnu-g++:g++-riscv64-linux-gnu' 'riscv64-linux-gnu-objdump:binutils-riscv64-linux-gnu' 'qemu-riscv64:qemu-user'
)
# file that shows the package is there (a pattern) → package.
HOST_FILES=('/usr/include/stdio.h:libc6-dev' '/usr/riscv64-linux-gnu/lib/libc.a:libc6-dev-riscv64-cross' '/usr/lib/postgresql/*/bin/postgres:postgresql')

fail() { printf 'install-tools: %s\n' "$*" >&2; exit 1; }
say() { printf 'install-tools: %s\n' "$*" >&2; }

missing_packages() {
  local entry
  for entry in "${HOST_TOOLS[@]}"; do command -v "${entry%%:*}" >/dev/null || echo "${entry##*:}"; done
  for entry in "${HOST_FILES[@]}"; do compgen -G "${entry%%:*}" >/dev/null || echo "${entry##*:}"; done
}

install_host_tools() {
  local packages
  packages=$(missing_packages | sort -u | tr '\n' ' ')
  [ -n "$packages" ] || return 0
  command -v apt-get >/dev/null || fail "missing: $packages; there is no apt-get here: install them with this system's own packager"
  [ "$(id -u)" = 0 ] || fail "missing: $packages; run as root: apt-get install $packages"
  say "installing $packages"
  export DEBIAN_FRONTEND=noninteractive
  # The tests make PostgreSQL servers of their own; the package need not make one and start it.
  if [[ $packages == *postgresql* && ! -e /etc/postgresql-common/createcluster.conf ]]; then
    mkdir -p /etc/postgresql-common && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
  fi
  # shellcheck disable=SC2086  # A list of package names.
  apt-get install -y --no-install-recommends $packages >/dev/null 2>&1 || {
    apt-get update >&2 || fail "apt-get update failed; check the network and the apt sources, then run this again"
    apt-get install -y --no-install-recommends $packages >&2 || fail "apt-get could not install: $packages"
  }
  packages=$(missing_packages | sort -u | tr '\n' ' ')
  [ -z "$packages" ] || fail "installed, yet still missing something of: $packages"
}

mode=install more=()
for argument in "$@"; do
  case "$argument" in
    --check) mode=check ;;
    --picolibc | --wide) more+=("$argument") ;;
    --help | -h) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) fail "unknown argument: $argument (see --help)" ;;
  esac
done

if [ "$mode" = check ]; then
  packages=$(missing_packages | sort -u | tr '\n' ' ')
  guests=$(scripts/build-real-guests.sh --check) || true
  [ -z "$packages" ] || say "missing packages: $packages"
  [ -z "$guests" ] || say "missing guest programs: $guests"
  [ -z "$packages$guests" ] || fail "run scripts/install-tools.sh (as root where packages are missing)"
  exit 0
fi

# One at a time: .ci/run has begun by the time that the tests ask.
mkdir -p build
exec 9>build/tools.lock
flock 9

fetch() { scripts/fetch-packages.sh "${more[@]}"; }
# Side by side where what unpacks is there already: two that wait for the network.
if command -v dpkg-deb >/dev/null && command -v xz >/dev/null; then
  fetch & fetching=$!
  install_host_tools
  wait "$fetching"
else
  install_host_tools
  fetch
fi
scripts/build-real-guests.sh
