#!/usr/bin/env bash
# Builds the program for a release: build.sh TARGET [TOOL]
#   TARGET  x86_64-unknown-linux-musl, aarch64-apple-darwin, …; a glibc to build
#           against may follow: x86_64-unknown-linux-gnu.2.28
#   TOOL    cargo, or cargo-zigbuild (from PyPI, with ziglang), which brings a C
#           compiler and a libc for every target; by default for Linux
# PROFILE=dev tries it in a fraction of the time.
# Prints the path of the program. No path of the building machine is in it.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

target=${1:?the target} profile=${PROFILE:-release}
case $target in *-linux-*) tool=${2:-zigbuild} ;; *) tool=${2:-build} ;; esac
without_paths
cd "$top"
cargo "$tool" --locked --profile "$profile" --target "$target" --bin lkroute >&2
# A glibc version is not part of the directory's name, and that of dev is another.
triple=$(printf '%s' "$target" | sed 's/\.[0-9.]*$//')
suffix=''
case $target in *-windows-*) suffix=.exe ;; esac
program=${CARGO_TARGET_DIR:-$top/target}/$triple/${profile/#dev/debug}/lkroute$suffix
no_paths_in "the program for $target" <"$program"
printf '%s\n' "$program"
