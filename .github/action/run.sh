#!/usr/bin/env bash
# The work of the action, by COMMAND.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")

case ${COMMAND:-} in
  plan | diff) exec "$here/plan.sh" ;;
  apply) exec "$here/apply.sh" ;;
  *)
    echo '::error title=lkroute::The command must be plan, diff or apply.'
    exit 1
    ;;
esac
