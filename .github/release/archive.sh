#!/usr/bin/env bash
# Packs a program: archive.sh PROGRAM TARGET OUT-DIR [LKROUTE]
#   LKROUTE  a program of the same version that runs here and makes the manual
#            pages and completions; by default PROGRAM itself
# Prints the path of the archive: .zip for Windows, else .tar.gz.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

program=${1:?the program} target=${2:?the target} out=${3:?a directory}
here=${4:-$program}
name=lkroute-$(version)-$target
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/$name" "$out"
install -m 755 "$program" "$work/$name/"
install -m 644 "$top/README.md" "$top/CHANGELOG.md" "$top/LICENSE-APACHE" "$top/LICENSE-MIT" "$work/$name/"
extras "$here" "$work/$name"
case $target in
  *-windows-*)
    rm -f "$out/$name.zip"
    (cd "$work" && python3 -m zipfile -c "$name.zip" "$name")
    mv "$work/$name.zip" "$out/$name.zip"
    printf '%s\n' "$out/$name.zip"
    ;;
  *)
    pack "$work" "$name" >"$out/$name.tar.gz"
    printf '%s\n' "$out/$name.tar.gz"
    ;;
esac
