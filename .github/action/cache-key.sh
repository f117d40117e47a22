#!/usr/bin/env bash
# Names the lkroute that this action's own sources give, so that it is built
# once for each version of them. Environment: GITHUB_ACTION_PATH.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$GITHUB_ACTION_PATH"
hash=$(find Cargo.toml Cargo.lock migrations src -type f -print0 |
  LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
output hash "${hash%% *}"
