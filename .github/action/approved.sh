#!/usr/bin/env bash
# Finds the plan that was approved: the artifact which the plan workflow saved
# for the last commit of the merged pull request, before it was merged. What
# can't be shown to be that is stale, with the reason. Environment:
#   GITHUB_TOKEN GITHUB_API_URL GITHUB_REPOSITORY
#   GITHUB_SHA      the commit to apply
#   GITHUB_REF_NAME the branch that it is on
#   PLAN_WORKFLOW   the file of the workflow that plans pull requests
#   ENVIRONMENT     may be empty
# Outputs: pull-request; head, its last commit; run and artifact, for a
# download; digest, of the plan that the artifact has to hold.
# shellcheck disable=SC2016 # the filters of jq have dollars of their own
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# ask PATH FILTER [jq arguments…]: each page of the answer through jq, with
# patience. What stands on a later page counts like the first.
ask() {
  local path=$1 filter=$2 page try
  shift 2
  for ((page = 1; page <= 50; page++)); do
    for try in 1 2 3; do
      if api GET "$path&per_page=100&page=$page"; then
        if jq -r "$@" "$filter" "$reply"; then
          grep -qi '^link:.*rel="next"' "$reply.headers" || return 0
          continue 2
        fi
        status=000
      fi
      passing || break
      [ "$try" = 3 ] || pause "$try"
    done
    die "The approved plan could not be looked for: $(trouble)."
  done
  die 'The approved plan could not be looked for: GitHub has more than 5000 entries.'
}

instead="Plan this commit by hand, look at the plan, and apply it with its digest ('expect')."
label=$(environment_label)
[[ $GITHUB_SHA =~ ^[0-9a-f]{40,64}$ ]] || die 'GITHUB_SHA is no commit'

# ---- the pull request that brought the commit --------------------------------

ask "/repos/$GITHUB_REPOSITORY/commits/$GITHUB_SHA/pulls?" '
  map(select(.merged_at != null and .base.ref == $branch)) as $merged
  | (($merged | map(select(.merge_commit_sha == $sha))) + $merged | .[0]) // empty
  | "\(.number | numbers) \(.head.sha) \(.merged_at | fromdate)"' \
  --arg sha "$GITHUB_SHA" --arg branch "$GITHUB_REF_NAME" >"$reply.found"
read -r number head merged <"$reply.found" ||
  die "No pull request that was merged into $GITHUB_REF_NAME brought the commit ${GITHUB_SHA:0:12}. $instead"
[[ $head =~ ^[0-9a-f]{40,64}$ && $merged =~ ^[0-9]+$ ]] || die 'GitHub gave no commit and time of the merge'
output pull-request "$number"
output head "$head"

# ---- the plans that were saved for it ----------------------------------------

# Runs of the plan workflow for this commit, begun before the merge. A file of
# another name, another event and a fork don't count.
ask "/repos/$GITHUB_REPOSITORY/actions/runs?head_sha=$head&event=pull_request" '
  .workflow_runs
  | map(select(.head_sha == $head and .event == "pull_request"
      and (.path | split("@")[0]) == $workflow
      and .head_repository.id == .repository.id
      and (.created_at | fromdate) <= $merged))
  | .[].id | numbers' \
  --arg head "$head" --arg workflow "$PLAN_WORKFLOW" --argjson merged "$merged" >"$reply.runs"

# One line a plan: when it was saved, the run, the digest in its name, the name.
name=$(plan_artifact "$label" "$number" "$GITHUB_REF_NAME" "$head")
: >"$reply.plans"
while read -r run; do
  ask "/repos/$GITHUB_REPOSITORY/actions/runs/$run/artifacts?" '
    .artifacts[]
    | select((.expired | not) and (.created_at | fromdate) <= $merged
        and (.name | startswith($name))
        and (.name[($name | length):] | test("^[0-9]{1,9}-[0-9a-f]{64}$")))
    | "\(.created_at | fromdate) \($run) \(.name[-64:]) \(.name)"' \
    --arg name "$name" --arg run "$run" --argjson merged "$merged" >>"$reply.plans"
done <"$reply.runs"
sort -n -k1,1 -o "$reply.plans" "$reply.plans"
read -r saved run digest artifact < <(tail -n 1 "$reply.plans") ||
  die "There is no saved plan of pull request #$number for $label at ${head:0:12} that $PLAN_WORKFLOW made before the merge; it may have expired. $instead"

# ---- what people approved ----------------------------------------------------

# An approval is of what there was to see: a plan that was saved later counts
# only if it is one that was there before the last approval. Where anybody may
# approve, a stranger's approval does not make the plan that came after that of
# the people who belong here an approved one.
ask "/repos/$GITHUB_REPOSITORY/pulls/$number/reviews?" '
  .[] | select(.state == "APPROVED" and (.submitted_at | fromdate) <= $merged)
  | (.author_association | IN("OWNER", "MEMBER", "COLLABORATOR")) as $belongs
  | "\($belongs) \(.submitted_at | fromdate)"' \
  --argjson merged "$merged" | sort -k1,1 -k2,2n | tail -n 1 >"$reply.found"
if read -r _ approved <"$reply.found" && [ "$saved" -ge "$approved" ]; then
  awk -v at="$approved" -v digest="$digest" \
    '$1 < at && $3 == digest { found = 1 } END { exit !found }' "$reply.plans" ||
    die "Stale: the newest plan of pull request #$number was made after its last approval, and no plan before that is the same: nobody approved it. $instead"
fi

output run "$run"
output artifact "$artifact"
output digest "sha256:$digest"
