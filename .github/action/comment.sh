#!/usr/bin/env bash
# Keeps one comment for each environment on a pull request: made once, then
# updated in place. Environment:
#   GITHUB_TOKEN GITHUB_API_URL GITHUB_REPOSITORY GITHUB_SERVER_URL GITHUB_RUN_ID
#   PULL_REQUEST    its number; without one there is nothing to do
#   ENVIRONMENT     may be empty
#   COMMENT_AUTHOR  the login that the token comments as; others' comments are
#                   never taken for ours, whatever they say
#   COMMAND         plan, diff or apply
#   EXITCODE        how it ended; empty where it never ran
#   REPORT          a file of Markdown; may be missing
#   DIGEST          of the plan that was approved; may be empty
#   HEAD_SHA        the commit that the comment speaks of
# shellcheck disable=SC2016 # backquotes in messages are Markdown
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# GitHub takes 65,536 characters; in bytes it holds however they are counted.
readonly LIMIT=65500

if [ -z "${PULL_REQUEST:-}" ]; then
  echo 'No pull request belongs to this run: no comment.'
  exit 0
fi
number 'the pull request' "$PULL_REQUEST"
label=$(environment_label)
# As `--format markdown` begins its reports, so that the first line is the mark.
marker='<!-- lkroute plan -->'
[ -z "${ENVIRONMENT:-}" ] || marker="<!-- lkroute plan: ${ENVIRONMENT//-/%2D} -->"

# What to say where the report does not say it.
headline() {
  case $COMMAND:$EXITCODE in
    apply:0) echo '✅ Applied' ;;
    apply:5) echo '⛔ Not applied: this is not what was approved' ;;
    apply:8 | apply:124 | apply:137)
      echo '⚠️ Nobody knows whether it was applied: look at `lkroute history`' ;;
    apply:*) echo '⛔ Not applied' ;;
    *:0) echo '✅ No changes' ;;
    *:2) echo '📞 Changes, waiting for review' ;;
    *:124 | *:137) echo '⛔ No plan: it took too long and was ended' ;;
    *) echo '⛔ No plan: the log of the run says why' ;;
  esac
}

compose() {
  local report=$reply.report run
  : >"$report"
  [ ! -s "${REPORT:-}" ] || report=$REPORT
  run="$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID"
  jq -n --rawfile report "$report" --arg marker "$marker" --arg environment "$label" \
    --arg headline "$(headline)" --arg digest "${DIGEST:-}" --arg run "$run" \
    --arg sha "${HEAD_SHA:-}" --argjson limit "$LIMIT" '
    "### \($headline) (`\($environment)`)" as $title
    | "The report is too long for a comment: it is the summary of the run." as $elsewhere
    | ([ (if $sha != "" then "commit \($sha[:12])" else empty end),
         (if $digest != "" then "plan `\($digest)`" else empty end),
         "[run](\($run))" ] | "<sub>" + join(" · ") + "</sub>") as $foot
    | ($report | rtrimstr("\n")) as $report
    | (if $report | startswith($marker) then [$report, $foot]
       else [$marker, $title, $report, $foot] end) as $whole
    | [$whole, [$marker, $title, $elsewhere, $foot]]
    | map(map(select(. != "")) | join("\n\n"))
    | { body: (map(select(utf8bytelength <= $limit)) | .[0]) }' >"$reply.body"
}

# Sets `comment` to the id of the comment that is ours, or to nothing.
find_comment() {
  local page
  comment=
  for ((page = 1; page <= 100; page++)); do
    api GET "/repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments?per_page=100&page=$page" ||
      return 1
    comment=$(jq -r --arg marker "$marker" --arg author "$COMMENT_AUTHOR" \
      'map(select(.user.login == $author and (.body // "" | startswith($marker))))
       | .[0].id | numbers' "$reply") || { status=000; return 1; }
    [ -z "$comment" ] || return 0
    grep -qi '^link:.*rel="next"' "$reply.headers" || return 0
  done
}

write_comment() {
  if [ -n "$comment" ]; then
    api PATCH "/repos/$GITHUB_REPOSITORY/issues/comments/$comment" "$reply.body" ||
      { [ "$status" != 404 ] || status=000; return 1; }
  else
    api POST "/repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments" "$reply.body"
  fi
}

# Each try looks first: where an answer was lost, the comment may be there.
EXITCODE=${EXITCODE:-1}
compose
for try in 1 2 3; do
  if find_comment; then
    if [ -z "$comment" ] && [ "$EXITCODE" = 0 ] && [ "$COMMAND" != apply ]; then
      echo 'Nothing changes and nothing was said before: no comment.'
      exit 0
    fi
    if write_comment; then
      echo "The comment for $label is up to date."
      exit 0
    fi
  fi
  passing || break
  [ "$try" = 3 ] || pause "$try"
done
hint=
[ "$status" != 403 ] ||
  hint='. The job needs `permissions: pull-requests: write`; runs of forks never have it: give them `comment: false`'
die "The comment could not be written: $(trouble)$hint. An older one may not be of this commit."
