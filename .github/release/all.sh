#!/usr/bin/env bash
# All that a release holds for one target: all.sh TARGET OUT-DIR
# On Linux it takes cargo-zigbuild, ziglang and maturin from PyPI.
# LKROUTE names a program of this version that runs here, for a target whose own
# does not; what is built is then not tried.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

target=${1:?the target} out=${2:?a directory}
mkdir -p "$out"
out=$(cd "$out" && pwd)
triple=$(printf '%s' "$target" | sed 's/\.[0-9.]*$//')
here=$top/.github/release
rustup target add "$triple" >&2
python3 -m venv "$top/target/release-tools" >&2
tools=$top/target/release-tools/bin
[ -d "$tools" ] || tools=$top/target/release-tools/Scripts
"$tools/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
  maturin==1.16.0 cargo-zigbuild==0.24.0 ziglang==0.17.0 >&2
export PATH="$tools:$PATH" MATURIN="$tools/maturin"

without_paths # in the wheel, too
program=$("$here/build.sh" "$target")
[ -n "${LKROUTE:-}" ] || "$here/smoke.sh" "$program"
runs_here=${LKROUTE:-$program}
"$here/archive.sh" "$program" "$triple" "$out" "$runs_here"
case $target in
  x86_64-*-musl) "$here/deb.sh" "$program" amd64 "$out" "$runs_here" ;;
  aarch64-*-musl) "$here/deb.sh" "$program" arm64 "$out" "$runs_here" ;;
esac
set -- --release --target "$triple"
case $target in
  *-linux-gnu.*) set -- "$@" --zig --compatibility manylinux_2_28 ;;
  *-musl) set -- "$@" --zig --compatibility musllinux_1_2 ;;
esac
wheel=$("$here/wheel.sh" "$out" "$@")
module=$("$here/module.sh" "$out" "$@")
for made in "$wheel" "$module"; do
  python3 - "$made" <<'PYTHON' | no_paths_in "$made"
import sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
for name in wheel.namelist():
    if ".data/scripts/" in name or "/_core." in name:
        sys.stdout.buffer.write(wheel.read(name))
PYTHON
  printf '%s\n' "$made"
done
case $target in
  x86_64-*-musl)
    "$here/sbom.sh" "$wheel" "$out"
    # The sources, for those whom no wheel fits; once is enough.
    (cd "$top/python/cli" && maturin sdist --out "$out") >&2
    (cd "$top/python" && maturin sdist --out "$out") >&2
    ;;
esac
