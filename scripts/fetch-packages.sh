#!/usr/bin/env bash
# Fetches Debian's riscv64 packages and sources into build/, through an apt configuration of its own: the host's dpkg,
# its architectures and its package lists stay as they are. Needs no root.
#
#   build/riscv64-root   busybox-static and musl-dev, unpacked (and picolibc's 64-bit libraries with --picolibc)
#   build/sources        lua5.4 and sqlite3, upstream source as Debian publishes it
#
# Where packages come from is copied from the host's own Debian source (URIs and Signed-By), so mirrors, proxies and
# keys are those the machine already trusts; this file names no host. Signatures are checked by apt as always.
# Does NOT build anything (see build-real-guests.sh).
set -euo pipefail
cd "$(dirname "$0")/.."

SUITE=trixie # The first Debian release that has riscv64.
ROOT=$PWD/build/riscv64-root
SOURCES=$PWD/build/sources

fail() { printf 'fetch-packages: %s\n' "$*" >&2; exit 1; }
say() { printf 'fetch-packages: %s\n' "$*" >&2; }

# Prints "URI<TAB>keyring" of the first Debian archive (not security, not backports) in the host's apt sources. Both
# formats: deb822 (*.sources) and one line (*.list).
host_archive() {
  local file
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -e "$file" ] || continue
    awk -v RS= -F'\n' '{
      uri = ""; key = ""
      for (i = 1; i <= NF; i++) {
        if ($i ~ /^URIs:/) { split($i, words, /[ \t]+/); uri = words[2] }
        if ($i ~ /^Signed-By:/) { split($i, words, /[ \t]+/); key = words[2] }
      }
      if (uri ~ /\/debian\/?$/) { print uri "\t" key; exit }
    }' "$file"
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -e "$file" ] || continue
    awk '$1 == "deb" {
      key = ""
      if (match($0, /signed-by=[^] ]+/)) key = substr($0, RSTART + 10, RLENGTH - 10)
      sub(/\[[^]]*\]/, "")
      if ($2 ~ /\/debian\/?$/) { print $2 "\t" key; exit }
    }' "$file"
  done
}

# An apt home with its own state, cache and single source. Network settings (proxy, certificates) are the host's.
make_apt_home() {
  local home=$1 uri key
  IFS=$'\t' read -r uri key < <(host_archive) || fail "no Debian archive among this machine's apt sources (a URI that ends in /debian); riscv64 packages cannot be had"
  [ -n "$key" ] || key=/usr/share/keyrings/debian-archive-keyring.gpg
  mkdir -p "$home"/{state/lists/partial,cache/archives/partial,etc/sources.list.d,etc/preferences.d}
  : >"$home/status"
  {
    printf 'Types: deb deb-src\nURIs: %s\nSuites: %s\nComponents: main\nArchitectures: riscv64\n' "$uri" "$SUITE"
    printf 'Signed-By: %s\n' "$key"
  } >"$home/etc/sources.list.d/archive.sources"
  {
    # `apt-config dump` prints what a configuration file may hold; the index targets would ask for data we do not read.
    apt-config dump | grep '^Acquire::' | grep -v -e '^Acquire::IndexTargets' -e '^Acquire::Languages' || true
    cat <<CONF
APT::Architecture "riscv64";
APT::Architectures { "riscv64"; };
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
Dir "$home";
Dir::State "$home/state";
Dir::State::status "$home/status";
Dir::Cache "$home/cache";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Etc "$home/etc";
Dir::Etc::parts "/dev/null";
Dir::Etc::main "/dev/null";
Dir::Etc::netrc "/etc/apt/auth.conf";
Dir::Etc::netrcparts "/etc/apt/auth.conf.d";
CONF
  } >"$home/apt.conf"
}

# unpack_source NAME: the upstream tarball of a Debian source package → build/sources/NAME.
unpack_source() {
  local name=$1 tarball
  # "orig-www" and the like are extra components; the plain one is the program.
  tarball=$(find . -maxdepth 1 -name "${name}_*.orig.tar.*" ! -name '*.asc' | head -n 1)
  [ -n "$tarball" ] || fail "the source package of $name brought no upstream tarball"
  rm -rf "${SOURCES:?}/$name" "$SOURCES/$name.new"
  mkdir -p "$SOURCES/$name.new"
  tar -xf "$tarball" -C "$SOURCES/$name.new" --strip-components=1
  mv "$SOURCES/$name.new" "$SOURCES/$name"
}

wanted_binary=() wanted_source=()
[ -x "$ROOT/usr/bin/busybox" ] || wanted_binary+=(busybox-static)
[ -e "$ROOT/usr/lib/riscv64-linux-musl/libc.a" ] || wanted_binary+=(musl-dev)
[ "${1:-}" != --picolibc ] || [ -d "$ROOT/usr/lib/picolibc" ] || wanted_binary+=(picolibc-riscv64-unknown-elf)
[ -d "$SOURCES/lua5.4" ] || wanted_source+=(lua5.4)
[ -d "$SOURCES/sqlite3" ] || wanted_source+=(sqlite3)
[ $((${#wanted_binary[@]} + ${#wanted_source[@]})) -gt 0 ] || exit 0

command -v apt-get >/dev/null || fail "there is no apt-get on this machine; riscv64 packages of Debian cannot be had"
home=$(mktemp -d "${TMPDIR:-/tmp}/stillpoint-apt.XXXXXX")
trap 'rm -rf "$home"' EXIT
make_apt_home "$home"
export APT_CONFIG=$home/apt.conf
say "reading the $SUITE package lists for riscv64"
apt-get -qq update >&2 || fail "apt-get update failed for $SUITE riscv64; check the network and the machine's Debian mirror"
mkdir -p "$home/download" "$ROOT" "$SOURCES"
cd "$home/download"

if [ ${#wanted_binary[@]} -gt 0 ]; then
  say "fetching ${wanted_binary[*]}"
  apt-get -qq download "${wanted_binary[@]}" >&2 || fail "apt-get could not download: ${wanted_binary[*]}"
  for package in *.deb; do
    case "$package" in
      picolibc*) dpkg-deb --fsys-tarfile "$package" | tar -x -C "$ROOT" --wildcards '*/include/*' '*/rv64*' '*.ld' '*.specs' ;;
      *) dpkg-deb -x "$package" "$ROOT" ;;
    esac
  done
fi
if [ ${#wanted_source[@]} -gt 0 ]; then
  say "fetching the sources of ${wanted_source[*]}"
  apt-get -qq source --download-only "${wanted_source[@]}" >&2 || fail "apt-get could not download the sources of: ${wanted_source[*]}"
  for name in "${wanted_source[@]}"; do unpack_source "$name"; done
fi
