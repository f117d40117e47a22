#!/usr/bin/env bash
# Makes the wheel of the Python module (for CPython 3.10 and later), with an SBOM
# inside: module.sh OUT-DIR [maturin's options…]
# A release: --release --zig --compatibility manylinux_2_28 --target …
# MATURIN names the program.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

out=${1:?a directory}
shift
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$top/python"
"${MATURIN:-maturin}" build --locked --out "$out" "$@" >&2
ls "$out"/lkroute-"$(version)"-cp310-abi3-*.whl
