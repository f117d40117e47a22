#!/usr/bin/env bash
# Builds the program for a release: build.sh TARGET [TOOL]
#   TARGET  x86_64-unknown-linux-musl, aarch64-apple-darwin, …; a glibc to build
#           against may follow: x86_64-unknown-linux-gnu.2.28
#   TOOL    cargo, or cargo-zigbuild (from PyPI, with ziglang), which brings a C
#           compiler and a libc for every target; by default for Linux
# Prints the path of the program. No path of the building machine is in it.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

target=${1:?the target}
case $target in *-linux-*) tool=${2:-zigbuild} ;; *) tool=${2:-build} ;; esac
cargo_home=${CARGO_HOME:-$HOME/.cargo}
sysroot=$(rustc --print sysroot)
export RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$top=lkroute --remap-path-prefix=$cargo_home=cargo --remap-path-prefix=$sysroot=rust"
# C code of dependencies tells its path in asserts.
export CFLAGS="${CFLAGS:-} -ffile-prefix-map=$cargo_home=cargo"
cd "$top"
cargo "$tool" --locked --release --target "$target" --bin lkroute >&2
# A glibc version is not part of the directory's name.
triple=$(printf '%s' "$target" | sed 's/\.[0-9.]*$//')
suffix=''
case $target in *-windows-*) suffix=.exe ;; esac
program=$top/target/$triple/release/lkroute$suffix
if grep -aFq -e "$cargo_home" -e "$top/" "$program"; then
  die "a path of this machine is in $program"
fi
printf '%s\n' "$program"
