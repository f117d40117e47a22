# What the steps of a release share. Sourced; needs bash and coreutils.
# shellcheck shell=bash

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# The version in Cargo.toml, which is that of everything in a release.
version() {
  sed -n 's/^version = "\([0-9A-Za-z.+-]*\)"$/\1/p' "$top/Cargo.toml" | head -n 1
}

# Compilers note where sources were, for panics and asserts. With these flags
# the note is the same on every machine, and tells nothing of it.
native() { if command -v cygpath >/dev/null; then cygpath -w "$1"; else printf '%s' "$1"; fi; }
sources=$(native "$top")
cargo_home=$(native "${CARGO_HOME:-$HOME/.cargo}")
without_paths() {
  local sysroot
  sysroot=$(rustc --print sysroot)
  export RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$sources=lkroute --remap-path-prefix=$cargo_home=cargo --remap-path-prefix=$sysroot=rust"
  export CFLAGS="${CFLAGS:-} -ffile-prefix-map=$cargo_home=cargo"
}

# no_paths_in NAME <PROGRAM: fails where a path of this machine is in it.
no_paths_in() {
  local found
  found=$({ grep -aoF -e "$cargo_home" -e "$sources" || true; } | wc -l)
  [ "$found" -eq 0 ] || die "$found paths of this machine are in $1"
}

# What goes beside the program: pages and completions, made by an lkroute that
# runs here (PROGRAM's own, where it is for this machine).
extras() {
  local program=$1 dir=$2
  mkdir -p "$dir/completions"
  "$program" man --out "$dir/man" --quiet
  "$program" completions bash >"$dir/completions/lkroute.bash"
  "$program" completions zsh >"$dir/completions/_lkroute"
  "$program" completions fish >"$dir/completions/lkroute.fish"
}

# The same bytes from the same input: order, owners and times are fixed.
# COMPRESSION=1 is for trying it.
pack() {
  local tar
  tar=$(command -v gtar || command -v tar) # that of GNU; on macOS it is gtar
  "$tar" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@${SOURCE_DATE_EPOCH:-0}" \
    -C "$1" -cf - "$2" | gzip "-${COMPRESSION:-9}n"
}
