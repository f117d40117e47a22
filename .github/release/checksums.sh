#!/usr/bin/env bash
# Writes SHA256SUMS for all that a release holds: checksums.sh DIR
set -euo pipefail

cd "${1:?the directory}"
rm -f SHA256SUMS
find . -maxdepth 1 -type f ! -name '.*' -printf '%f\0' | LC_ALL=C sort -z |
  xargs -0 sha256sum -- >.sums
mv .sums SHA256SUMS
