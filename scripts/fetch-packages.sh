#!/usr/bin/env bash
# Fetches Debian's riscv64 packages and sources into build/, through an apt configuration of its own: the host's dpkg,
# its architectures and its package lists stay as they are. Needs no root.
#
#   build/riscv64-root   busybox-static, musl-dev and musl (its shared library), unpacked (and one of picolibc's libraries with --picolibc)
#   build/sources        lua5.4 and sqlite3, upstream source as Debian publishes it
#   build/debian-root    a small Debian root: shell, coreutils, perl, python3, lua, sqlite3, jq and their libraries, unpacked
#                        and not configured (no maintainer script runs); all its packages come from one suite
#   build/debian-wide    with --wide: more of it (gcc, make, zstd, ripgrep, Python's own tests and the like; esbuild from npm), for the slow suites of programs
#
# Where packages come from is copied from the host's own Debian source (URIs and Signed-By), so mirrors, proxies and
# keys are those the machine already trusts; this file names no host. Signatures are checked by apt as always.
# What was fetched once is kept in $XDG_CACHE_HOME/stillpoint/packages, so that a second checkout needs no network. A mirror that is being
# synchronised has suites that do not fit together for hours: each package is tried from several suites.
# Does NOT build anything (see build-real-guests.sh).
set -euo pipefail
cd "$(dirname "$0")/.."

SUITES=(trixie forky sid) # trixie is the first Debian release that has riscv64.
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/stillpoint/packages
ROOT=$PWD/build/riscv64-root
SOURCES=$PWD/build/sources
DEBIAN=$PWD/build/debian-root
WIDE=$PWD/build/debian-wide
# What build/debian-root is made of; apt adds what these need. A changed list is another set, fetched anew.
DEBIAN_PACKAGES=(
  bash coreutils dash diffutils findutils grep gzip mawk sed tar xz-utils jq lua5.4 sqlite3 perl python3 libstdc++6 libgcc-s1
)
ESBUILD=0.28.2
# What build/debian-wide has besides; X is the version of the suite's python3.
WIDE_PACKAGES=(gcc libc6-dev make zstd bzip2 file ripgrep psmisc procps hostname parallel sbcl lighttpd postgresql libpythonX-testsuite)

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
  local home=$1 suite=$2 uri key
  IFS=$'\t' read -r uri key < <(host_archive) || fail "no Debian archive among this machine's apt sources (a URI that ends in /debian); riscv64 packages cannot be had"
  [ -n "$key" ] || key=/usr/share/keyrings/debian-archive-keyring.gpg
  mkdir -p "$home"/{state/lists/partial,cache/archives/partial,etc/sources.list.d,etc/preferences.d}
  : >"$home/status"
  {
    printf 'Types: deb deb-src\nURIs: %s\nSuites: %s\nComponents: main\nArchitectures: riscv64\n' "$uri" "$suite"
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
  tarball=$(find "$CACHE/$name" -maxdepth 1 -name "${name}_*.orig.tar.*" ! -name '*.asc' | head -n 1)
  [ -n "$tarball" ] || fail "the source package of $name brought no upstream tarball"
  rm -rf "${SOURCES:?}/$name" "$SOURCES/$name.new"
  mkdir -p "$SOURCES/$name.new"
  tar -xf "$tarball" -C "$SOURCES/$name.new" --strip-components=1
  mv "$SOURCES/$name.new" "$SOURCES/$name"
}

# One library of the dozens in the package, at build/riscv64-root/picolibc whatever the release calls its folders.
unpack_picolibc() {
  local new=$ROOT/picolibc.new found
  rm -rf "$new" "$ROOT/picolibc" && mkdir -p "$new"
  dpkg-deb --fsys-tarfile "$1" | tar -x -C "$new" --wildcards --exclude '*/release/*' '*/riscv64-unknown-elf/include/*' '*/lib/rv64iafd/lp64d/libc.a'
  found=$(find "$new" -type d -path '*/riscv64-unknown-elf' | head -n 1)
  [ -n "$found" ] || fail "the package of picolibc has no riscv64-unknown-elf folder"
  mv "$found" "$ROOT/picolibc" && rm -rf "$new"
}

unpack_binary() {
  local package
  for package in "$CACHE/$1"/*.deb; do
    case "$1" in
      picolibc*) unpack_picolibc "$package" ;;
      *) dpkg-deb -x "$package" "$ROOT" ;;
    esac
  done
}

# A package, or an upstream tarball (apt checks each file's hash before it puts it there); Debian's own changes are not used.
has_what_is_needed() { [ -n "$(find "$CACHE/$1" -maxdepth 1 \( -name '*.deb' -o -name "$1_*.orig.tar.*" \) ! -name '*.asc')" ]; }

is_cached() { [ -e "$CACHE/$1/complete" ]; }

# fetch_from SUITE: downloads what is wanted and not cached; what cannot be had from this suite is left for the next.
fetch_from() {
  local suite=$1 home name
  home=$(mktemp -d "${TMPDIR:-/tmp}/stillpoint-apt.XXXXXX")
  make_apt_home "$home" "$suite"
  say "reading the $suite package lists for riscv64"
  if APT_CONFIG=$home/apt.conf apt-get -qq update >"$home/log" 2>&1; then
    for name in "${binaries[@]}" "${sources[@]}"; do
      is_cached "$name" && continue
      say "fetching $name from $suite"
      rm -rf "${CACHE:?}/$name" && mkdir -p "$CACHE/$name"
      local verb=(download)
      case " ${sources[*]} " in *" $name "*) verb=(source --download-only) ;; esac
      (cd "$CACHE/$name" && APT_CONFIG=$home/apt.conf apt-get -qq "${verb[@]}" "$name" >>"$home/log" 2>&1) || true
      if has_what_is_needed "$name"; then touch "$CACHE/$name/complete"; else say "$name cannot be had from $suite"; fi
    done
  else
    say "the $suite lists cannot be read: $(grep -m 1 '^E:' "$home/log" | sed 's,[a-z]*://[^ ]*/,,')"
  fi
  rm -rf "$home"
}

# set_cache PACKAGE…: where the packages of a set are kept; sets that differ are kept side by side.
set_cache() { printf '%s/debian-root-%s' "$CACHE" "$(printf '%s\n' "$@" | sha256sum | cut -c 1-12)"; }

# fetch_debian SUITE PACKAGE…: the whole set from one suite, or nothing.
fetch_debian() {
  local suite=$1 home cache python
  shift
  cache=$(set_cache "$@")
  home=$(mktemp -d "${TMPDIR:-/tmp}/stillpoint-apt.XXXXXX")
  make_apt_home "$home" "$suite"
  say "fetching the packages of a Debian root from $suite"
  if APT_CONFIG=$home/apt.conf apt-get -qq update >"$home/log" 2>&1 && python=$(APT_CONFIG=$home/apt.conf apt-cache show python3 | sed -n 's/^Depends: python\([0-9.]*\) .*/\1/p' | head -n 1) &&
    APT_CONFIG=$home/apt.conf apt-get -qq --yes --download-only --no-install-recommends -o Debug::NoLocking=1 install "${@/pythonX/python$python}" >>"$home/log" 2>&1; then
    rm -rf "$cache" "$cache.new" && mkdir -p "$cache.new"
    cp "$home"/cache/archives/*.deb "$cache.new" && mv "$cache.new" "$cache"
  else
    say "the set cannot be had from $suite: $(grep -m 1 '^E:' "$home/log" | sed 's,[a-z]*://[^ ]*/,,')"
  fi
  rm -rf "$home"
}

# unpack_debian CACHE ROOT: unpacked beside and moved: a root is there whole or not at all. /bin, /sbin and /lib are links as on an installed system.
unpack_debian() {
  local package link cache=$1 root=$2
  rm -rf "$root.new" && mkdir -p "$root.new"/usr/{bin,sbin,lib} "$root.new"/{etc,tmp,var/tmp}
  for link in bin sbin lib; do ln -s "usr/$link" "$root.new/$link"; done
  for package in "$cache"/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root.new" --keep-directory-symlink --exclude './usr/share/doc' --exclude './usr/share/man' --exclude './usr/share/locale'
  done
  # What the maintainer scripts of these packages would link.
  ln -sf dash "$root.new/usr/bin/sh"
  ln -sf mawk "$root.new/usr/bin/awk"
  ln -sf lua5.4 "$root.new/usr/bin/lua"
  basename "$cache" >"$root.new/etc/stillpoint-set"
  rm -rf "$root" && mv "$root.new" "$root"
}

# have_debian ROOT PACKAGE…: makes the root of these packages unless it is there.
have_debian() {
  local root=$1 cache suite
  shift
  cache=$(set_cache "$@")
  [ "$(cat "$root/etc/stillpoint-set" 2>/dev/null)" != "$(basename "$cache")" ] || return 0
  mkdir -p "$CACHE"
  for suite in "${SUITES[@]}" "${SUITES[@]}"; do
    [ ! -d "$cache" ] || break
    command -v apt-get >/dev/null || fail "there is no apt-get on this machine; riscv64 packages of Debian cannot be had"
    fetch_debian "$suite" "$@"
  done
  [ -d "$cache" ] || fail "the Debian root could not be had whole from any suite; check the network and the machine's Debian mirror, then run this again"
  unpack_debian "$cache" "$root"
}

# A program in Go: npm's package of it for riscv64 is one static executable.
have_esbuild() {
  [ ! -x "$WIDE/usr/local/bin/esbuild" ] || return 0
  local cache=$CACHE/esbuild-$ESBUILD
  if [ ! -e "$cache/esbuild" ]; then
    say "fetching esbuild $ESBUILD"
    rm -rf "$cache.new" && mkdir -p "$cache.new"
    (cd "$cache.new" && npm pack --silent "@esbuild/linux-riscv64@$ESBUILD" >/dev/null && tar -xzf ./*.tgz && mv package/bin/esbuild .) || fail "esbuild could not be had; check the npm registry that this machine uses, then run this again"
    rm -rf "$cache" && mv "$cache.new" "$cache"
  fi
  mkdir -p "$WIDE/usr/local/bin" && cp "$cache/esbuild" "$WIDE/usr/local/bin/esbuild"
}

have_debian "$DEBIAN" "${DEBIAN_PACKAGES[@]}"
if [[ " $* " == *' --wide '* ]]; then
  have_debian "$WIDE" "${DEBIAN_PACKAGES[@]}" "${WIDE_PACKAGES[@]}"
  have_esbuild
fi

binaries=() sources=()
[ -x "$ROOT/usr/bin/busybox" ] || binaries+=(busybox-static)
[ -e "$ROOT/usr/lib/riscv64-linux-musl/libc.a" ] || binaries+=(musl-dev)
[ -e "$ROOT/usr/lib/riscv64-linux-musl/libc.so" ] || binaries+=(musl)
[[ " $* " != *' --picolibc '* ]] || [ -d "$ROOT/picolibc" ] || binaries+=(picolibc-riscv64-unknown-elf)
[ -d "$SOURCES/lua5.4" ] || sources+=(lua5.4)
[ -d "$SOURCES/sqlite3" ] || sources+=(sqlite3)
[ $((${#binaries[@]} + ${#sources[@]})) -gt 0 ] || exit 0

missing() {
  local name
  for name in "${binaries[@]}" "${sources[@]}"; do is_cached "$name" || echo "$name"; done
}

mkdir -p "$CACHE" "$ROOT" "$SOURCES"
for suite in "${SUITES[@]}" "${SUITES[@]}"; do
  [ -n "$(missing)" ] || break
  command -v apt-get >/dev/null || fail "there is no apt-get on this machine; riscv64 packages of Debian cannot be had"
  fetch_from "$suite"
done
[ -z "$(missing)" ] || fail "could not be had from any suite: $(missing | tr '\n' ' '); check the network and the machine's Debian mirror, then run this again"
for name in "${binaries[@]}"; do unpack_binary "$name"; done
for name in "${sources[@]}"; do unpack_source "$name"; done
