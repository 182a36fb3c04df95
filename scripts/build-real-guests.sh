#!/usr/bin/env bash
# Puts real programs into build/guests/real as static riscv64 executables, side by side:
#   busybox   Debian's own binary        lua      Lua 5.4, upstream source        sqlite3  SQLite's shell, upstream source
#
#   scripts/build-real-guests.sh            builds what is missing
#   scripts/build-real-guests.sh --native   also the twins of lua and sqlite3 for the host, in build/guests/real-native, which the benchmarks compare with
#   scripts/build-real-guests.sh --check    prints the names that are missing; builds nothing
#
# Needs scripts/fetch-packages.sh to have run. Does NOT build the small test programs (test/guests/build.ts).
set -euo pipefail
cd "$(dirname "$0")/.."

OUT=build/guests/real
NATIVE=build/guests/real-native
ROOT=build/riscv64-root
SOURCES=build/sources
CROSS=riscv64-linux-gnu-gcc

fail() { printf 'build-real-guests: %s\n' "$*" >&2; exit 1; }
say() { printf 'build-real-guests: %s\n' "$*" >&2; }

if [ "${1:-}" = --check ]; then
  missing=()
  for name in busybox lua sqlite3; do [ -x "$OUT/$name" ] || missing+=("$name"); done
  printf '%s' "${missing[*]}"
  exit 0
fi
KINDS=("$CROSS:$OUT")
[ "${1:-}" != --native ] || KINDS+=("gcc:$NATIVE")

is_missing() {
  local kind
  for kind in "${KINDS[@]}"; do [ -x "${kind##*:}/$1" ] || return 0; done
  return 1
}

# build NAME COMPILE…: runs the compile command with "-o target" for each kind; a target appears whole or not at all.
build() {
  local name=$1; shift
  local kind compiler target
  for kind in "${KINDS[@]}"; do
    compiler=${kind%%:*} target=${kind##*:}/$name
    [ ! -x "$target" ] || continue
    say "compiling $name with $compiler"
    "$compiler" -static -O2 -w -Wl,--no-warnings -o "$target.new" "$@" || fail "could not compile $name with $compiler"
    mv "$target.new" "$target"
  done
}

build_lua() {
  local files
  is_missing lua || return 0
  [ -d "$SOURCES/lua5.4/src" ] || fail "the source of Lua is not in $SOURCES; run scripts/install-tools.sh"
  mapfile -t files < <(find "$SOURCES/lua5.4/src" -name '*.c' ! -name luac.c | sort)
  build lua -DLUA_USE_POSIX "${files[@]}" -lm
}

build_sqlite() {
  local made=$PWD/build/sources/sqlite3-made
  is_missing sqlite3 || return 0
  [ -d "$SOURCES/sqlite3/src" ] || fail "the source of SQLite is not in $SOURCES; run scripts/install-tools.sh"
  if [ ! -d "$made" ]; then
    say "generating SQLite's amalgamation"
    rm -rf "$made.new" && mkdir -p "$made.new"
    (cd "$made.new" && ../sqlite3/configure --disable-tcl --disable-readline && make sqlite3.c shell.c) >"$made.log" 2>&1 ||
      fail "could not generate sqlite3.c; see $made.log"
    mv "$made.new" "$made"
  fi
  build sqlite3 -DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_ENABLE_MATH_FUNCTIONS -DSQLITE_ENABLE_FTS5 \
    -DSQLITE_ENABLE_RTREE "$made/sqlite3.c" "$made/shell.c" -lm
}

mkdir -p "$OUT" "$NATIVE"
if [ ! -x "$OUT/busybox" ]; then
  [ -x "$ROOT/usr/bin/busybox" ] || fail "busybox is not in $ROOT; run scripts/install-tools.sh"
  cp "$ROOT/usr/bin/busybox" "$OUT/busybox.new" && mv "$OUT/busybox.new" "$OUT/busybox"
fi

build_lua & lua=$!
build_sqlite
wait "$lua"
