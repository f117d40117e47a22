#!/usr/bin/env bash
# Runs `plan` or `diff` and leaves its report for the summary, the comment and
# the artifact. It succeeds whatever the command found: the last step of the
# action ends in the exit code. Environment:
#   LKROUTE             the program
#   COMMAND             plan: against the database; diff: between revisions
#   ROUTING             the directory of the routing files
#   ENVIRONMENT         may be empty
#   BASE                diff: the revision to compare with
#   GIVEN_DATABASE_URL  plan: may be empty where the job sets what is needed
#   TIME_LIMIT          for each command, in seconds
# Outputs: exitcode; report, a file of Markdown; plan, the saved plan, and its
# digest, where there is one.
set -euo pipefail
# shellcheck source=.github/action/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

number 'the time limit' "$TIME_LIMIT"
work=$(work_dir)
rm -rf "$work"
mkdir -p "$work"
report=$work/report.md
plan=$work/plan.lkplan
code=0

case $COMMAND in
  plan)
    [ -z "${GIVEN_DATABASE_URL:-}" ] || export DATABASE_URL=$GIVEN_DATABASE_URL
    if lkroute migrate --check >"$work/migrate.txt"; then
      arguments=(plan)
      lkroute plan --detailed-exitcode --out "$plan" --format markdown >"$report" || code=$?
    else
      code=$?
      arguments=(validate)
      quote_log "$work/migrate.txt"
      # shellcheck disable=SC2016 # backquotes are Markdown
      echo 'The database is not ready for this version of lkroute, or it can not be reached: run `lkroute migrate --check` to see why, and `lkroute migrate` to upgrade it.' >"$report"
    fi
    ;;
  diff)
    # A diff asks for no database and no key, and gets none.
    unset DATABASE_URL GIVEN_DATABASE_URL LKROUTE_KEYS
    arguments=(diff "$BASE" HEAD)
    lkroute diff --detailed-exitcode --format markdown "$BASE" HEAD >"$report" || code=$?
    ;;
  *) die "the command must be plan, diff or apply" ;;
esac

# Annotations on the lines; they are a hint, so their failure is none of ours.
lkroute "${arguments[@]}" --format github || true

if [ -s "$report" ]; then
  cat "$report" >>"$GITHUB_STEP_SUMMARY"
else
  rm -f "$report"
fi
if [ -s "$plan" ]; then
  digest=$(lkroute show "$plan" --format json | jq -r '.digest // empty')
  output digest "$digest"
  output plan "$plan"
fi
output report "$report"
output exitcode "$code"
