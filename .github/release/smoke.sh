#!/usr/bin/env bash
# From nothing to a resolved call with a program: smoke.sh PROGRAM
# On SQLite, with the sample, in a directory of its own, without a variable of
# the caller's.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

program=${1:?the program}
program=$(cd "$(dirname "$program")" && pwd)/$(basename "$program")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R "$top/routing" "$work/"
cd "$work"
# Windows starts no program without SYSTEMROOT.
lkroute() {
  env -i "PATH=$PATH" "HOME=$work" "SYSTEMROOT=${SYSTEMROOT:-}" "$program" "$@"
}
said=$(lkroute --version)
[ "$said" = "lkroute $(version)" ] || die "the program says it is $said"
lkroute validate --quiet >/dev/null
lkroute apply --auto-approve --quiet >/dev/null
lkroute plan --detailed-exitcode --quiet >/dev/null || die 'a second plan finds something to do'
said=$(lkroute resolve --from +971545335200)
[[ $said == *'config uae-vm-selfhosted'* ]] || die "the call goes elsewhere: $said"
lkroute rollback --to 1 --dry-run --quiet >/dev/null || die 'the history does not hold the apply'
