#!/usr/bin/env bash
# Applies what was approved: a saved plan, or a plan with a known digest. It
# succeeds whatever became of it: the last step of the action ends in the exit
# code. Environment:
#   LKROUTE             the program
#   ROUTING             the directory of the routing files
#   ENVIRONMENT         may be empty
#   PLAN                a saved plan, or
#   EXPECT              the digest of the plan that was approved
#   APPROVED            what the digest of PLAN has to be; may be empty
#   GIVEN_DATABASE_URL  may be empty where the job sets what is needed
#   GIVEN_KEYS          as LKROUTE_KEYS; may be empty likewise
#   TIME_LIMIT          for each command, in seconds
# Outputs: exitcode; report, a file of Markdown; digest.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

number 'the time limit' "$TIME_LIMIT"
[ -z "${GIVEN_DATABASE_URL:-}" ] || export DATABASE_URL=$GIVEN_DATABASE_URL
[ -z "${GIVEN_KEYS:-}" ] || export LKROUTE_KEYS=$GIVEN_KEYS
work=$(work_dir)
mkdir -p "$work"
code=0

if [ -n "${EXPECT:-}" ]; then
  [[ $EXPECT =~ ^(sha256:)?[0-9a-fA-F]{64}$ ]] || die 'expect must be the digest of a plan'
  approved=(--expect "$EXPECT")
elif [ -s "${PLAN:-}" ]; then
  approved=("$PLAN")
  EXPECT=$(digest_of "$PLAN") || EXPECT=
  [ -n "$EXPECT" ] || die 'what was saved as the approved plan is none: see above'
  [ "$EXPECT" = "${APPROVED:-$EXPECT}" ] ||
    die "Stale: the saved plan is $EXPECT, and its artifact was named for $APPROVED."
else
  die 'say which plan was approved: a saved plan, or its digest as expect'
fi
output digest "$EXPECT"

: >"$work/applied.txt"
if lkroute migrate --check >"$work/migrate.txt"; then
  lkroute apply --auto-approve "${approved[@]}" >"$work/applied.txt" || code=$?
else
  code=$?
  quote_log "$work/migrate.txt"
fi
quote_log "$work/applied.txt"
{
  # Longer than any run of tildes in it: the text can't leave the block.
  printf '~~~~~~~~~~~~~~~~\n'
  {
    # Why it was refused is for the pull request; why a database could not be
    # reached is for the log.
    case $code in 3 | 4 | 5 | 6) cat "$reply.said" ;; esac
    cat "$work/applied.txt"
  } | tr -d '\r' | sed 's/~~~~*/~~~/g' | head -c 60000
  printf '\n~~~~~~~~~~~~~~~~\n'
} >"$work/report.md"
cat "$work/report.md" >>"$GITHUB_STEP_SUMMARY"
output report "$work/report.md"
output exitcode "$code"
