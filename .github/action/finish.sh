#!/usr/bin/env bash
# Ends the action as lkroute ended, now that everything is reported: pending
# changes are what a plan is for, anything else that is not 0 fails the job.
# Environment: EXITCODE.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

meaning() {
  case $1 in
    3) echo 'the files are invalid' ;;
    4) echo 'refused by a guard' ;;
    5) echo 'stale: not what was approved' ;;
    6) echo 'conflict with values that others set' ;;
    8) echo 'nobody knows whether it was applied: see lkroute history' ;;
    124 | 137) echo 'it took longer than time-limit and was ended' ;;
    *) echo 'it failed, see above' ;;
  esac
}

code=${EXITCODE:-1}
[[ $code =~ ^[0-9]{1,3}$ ]] || die 'the exit code is no number'
case $code in
  0 | 2) exit 0 ;;
  *)
    annotate error "lkroute ended with exit code $code: $(meaning "$code")"
    exit "$code"
    ;;
esac
