#!/usr/bin/env bash
# Finds the plan that was approved: the artifact which the plan workflow saved
# for the last commit of the merged pull request. Environment:
#   GITHUB_TOKEN GITHUB_API_URL GITHUB_REPOSITORY
#   GITHUB_SHA   the commit to apply
#   ENVIRONMENT  may be empty
# Outputs: pull-request; head, its last commit; run and artifact, for a
# download.
# shellcheck disable=SC2016 # the filters of jq have dollars of their own
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# ask PATH FILTER [jq arguments…]: the answer through jq, with patience.
ask() {
  local path=$1 filter=$2 try
  shift 2
  for try in 1 2 3; do
    if api GET "$path"; then
      jq -r "$@" "$filter" "$reply" && return
      status=000
    fi
    passing || break
    [ "$try" = 3 ] || pause "$try"
  done
  die "The approved plan could not be looked for: $(trouble)."
}

instead="Plan this commit by hand, look at the plan, and apply it with its digest ('expect')."
label=$(environment_label)
[[ $GITHUB_SHA =~ ^[0-9a-f]{40,64}$ ]] || die 'GITHUB_SHA is no commit'

ask "/repos/$GITHUB_REPOSITORY/commits/$GITHUB_SHA/pulls?per_page=100" '
  map(select(.merged_at != null)) as $merged
  | (($merged | map(select(.merge_commit_sha == $sha))) + $merged | .[0]) // empty
  | "\(.number | numbers) \(.head.sha)"' --arg sha "$GITHUB_SHA" >"$reply.found"
read -r number head <"$reply.found" ||
  die "No merged pull request brought the commit ${GITHUB_SHA:0:12}. $instead"
output pull-request "$number"
output head "$head"

name=lkroute-plan-$label-$head
ask "/repos/$GITHUB_REPOSITORY/actions/artifacts?name=$name&per_page=100" '
  .artifacts
  | map(select(.name == $name and (.expired | not)
      and .workflow_run.head_sha == $head
      and .workflow_run.head_repository_id == .workflow_run.repository_id))
  | sort_by(.created_at) | last // empty | .workflow_run.id | numbers' \
  --arg name "$name" --arg head "$head" >"$reply.found"
read -r run <"$reply.found" ||
  die "There is no saved plan of pull request #$number for $label at ${head:0:12}; it may have expired. $instead"
output run "$run"
output artifact "$name"
