#!/usr/bin/env bash
# Takes the SBOM (CycloneDX, JSON) out of the wheel of the command, where
# maturin put it: sbom.sh WHEEL OUT-DIR. Prints its path.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

wheel=${1:?the wheel} out=${2:?a directory}
mkdir -p "$out"
file=$out/lkroute-$(version).cyclonedx.json
python3 - "$wheel" "$file" <<'PYTHON'
import sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
found = [name for name in wheel.namelist() if name.endswith(".cyclonedx.json")]
if len(found) != 1:
    sys.exit(f"the wheel has {len(found)} SBOMs")
open(sys.argv[2], "wb").write(wheel.read(found[0]))
PYTHON
printf '%s\n' "$file"
