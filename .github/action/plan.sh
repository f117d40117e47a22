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
#   PULL_REQUEST        its number; empty where the run is of none
#   BASE_REF            the branch that it is for
#   HEAD_SHA            the commit that the plan speaks of
#   GITHUB_RUN_ATTEMPT
# Outputs: exitcode; report, a file of Markdown; artifact, a directory to keep
# with the run: the saved plan, the report, and the report as text in full;
# artifact-name; digest, of the saved plan, where there is one.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# plan: each step only where the one before found nothing in its way. Sets
# `again`, the command that says the same in another format. A plan that was
# made is asked of the database once: what it says is in the file.
plan_database() {
  [ -z "${GIVEN_DATABASE_URL:-}" ] || export DATABASE_URL=$GIVEN_DATABASE_URL
  again=(validate)
  lkroute validate --format markdown >"$report" || return
  again=()
  if ! lkroute migrate --check >"$reply.migrate"; then
    quote_log "$reply.migrate"
    # shellcheck disable=SC2016 # backquotes are Markdown
    echo '**The database could not be reached, or it is not ready for this version of lkroute.** `lkroute migrate --check` says which, as does the log of the run; `lkroute migrate` brings it up to date.' >"$report"
    return 1
  fi
  local code=0
  lkroute plan --detailed-exitcode --out "$plan" --format markdown >"$report" || code=$?
  [ ! -s "$plan" ] || again=(show "$plan")
  return "$code"
}

# diff asks for no database and no key, and gets none. It reads the files alone,
# so it can as well be run for each format.
compare_revisions() {
  unset DATABASE_URL GIVEN_DATABASE_URL LKROUTE_KEYS
  again=(diff "$BASE" HEAD)
  lkroute diff --detailed-exitcode --format markdown "$BASE" HEAD >"$report"
}

number 'the time limit' "$TIME_LIMIT"
work=$(work_dir)
rm -rf "$work"
mkdir -p "$work"
report=$work/report.md
plan=$work/plan.lkplan
code=0
case $COMMAND in
  plan) plan_database || code=$? ;;
  diff) compare_revisions || code=$? ;;
  *) die 'the command must be plan or diff' ;;
esac

# A hint on the lines, so its exit code says nothing new; the log has it all.
[ "${#again[@]}" = 0 ] || lkroute "${again[@]}" --format github || true

cat "$report" >>"$GITHUB_STEP_SUMMARY"
output report "$report"
output exitcode "$code"
label=$(environment_label)
name=lkroute-$COMMAND-$label-$HEAD_SHA
if [ -s "$plan" ]; then
  digest=$(digest_of "$plan")
  [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || die 'the plan that was saved has no digest'
  output digest "$digest"
  # No attempt overwrites another: when a plan was saved says what was approved.
  name=$(plan_artifact "$label" "${PULL_REQUEST:-0}" "${BASE_REF:-}" "$HEAD_SHA")
  name=$name${GITHUB_RUN_ATTEMPT:-1}-${digest#sha256:}
fi
output artifact-name "$name"
if [ -s "$plan" ] || [ "$COMMAND" = diff ]; then
  # The other report is folded, and cut where it would be too long.
  lkroute "${again[@]}" --full >"$work/report.txt" || true
  output artifact "$work"
fi
