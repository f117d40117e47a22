# What the steps of action.yml share. Sourced; needs bash, curl, jq and the
# `timeout` of coreutils, which GitHub's Linux runners have.
# shellcheck shell=bash

# The log, also where standard output is a file or a value: commands of the
# runner keep their order only within one stream.
exec 3>&1

# Programs of the system first: what a step before this one put into PATH has
# no say in whether a checksum fits.
PATH=/usr/local/bin:/usr/bin:/bin:$PATH

# A place for answers, and beside it for whatever else is passed on.
reply=$(mktemp)
trap 'rm -f "$reply" "$reply".*' EXIT
status=000

# A command of the runner for a message; `%`, line ends and the like are
# escaped as the runner wants it.
annotate() {
  local level=$1 message=$2
  message=${message//'%'/%25}
  message=${message//$'\r'/%0D}
  message=${message//$'\n'/%0A}
  printf '::%s title=lkroute::%s\n' "$level" "$message" >&3
}

die() {
  annotate error "$*"
  exit 1
}

# output NAME VALUE: for the steps after this one. Names and values are ours
# or were checked; a line end in a value would start another output.
output() {
  [[ $2 != *$'\n'* ]] || die "the output $1 has more than one line"
  printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"
}

# number NAME VALUE: dies unless the value is a whole number above zero.
number() {
  [[ $2 =~ ^[1-9][0-9]{0,6}$ ]] || die "$1 must be a whole number above 0"
}

# The name of the environment in file names, artifacts and comments.
environment_label() {
  local name=${ENVIRONMENT:-default}
  [[ $name =~ ^[A-Za-z0-9._-]{1,60}$ ]] ||
    die "the environment's name may have letters, digits, '.', '_' and '-' only"
  printf '%s' "$name"
}

# Where the files of this environment's run lie.
work_dir() {
  local label
  label=$(environment_label) || exit
  printf '%s/lkroute-%s' "$RUNNER_TEMP" "$label"
}

# quote_log FILE: text for the log that may hold anything: the runner takes no
# command from it.
quote_log() {
  local token
  [ -s "$1" ] || return 0
  token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  {
    printf '::stop-commands::%s\n' "$token"
    cat "$1"
    printf '\n::%s::\n' "$token"
  } >&3
}

# limited COMMAND…: ends it after TIME_LIMIT seconds, first as Ctrl-C would,
# half a minute later for good. The exit code is then 124 or 137.
limited() {
  timeout --signal=INT --kill-after=30 "$TIME_LIMIT" "$@" </dev/null
}

# lkroute ARGUMENTS…: runs it with the options that all its commands share.
# What it says on standard error goes to the log. LKROUTE is the program,
# ROUTING the directory of the files, ENVIRONMENT may be empty.
lkroute() {
  local code=0
  local -a options=(--routing "$ROUTING" --color never)
  [ -z "${ENVIRONMENT:-}" ] || options+=(--env "$ENVIRONMENT")
  limited "$LKROUTE" "${options[@]}" "$@" 2>"$reply.said" || code=$?
  quote_log "$reply.said"
  return "$code"
}

# digest_of FILE: of a saved plan, computed from what it holds; what the file
# says of itself is not believed. A plan that is refused has one too.
digest_of() {
  local shown
  shown=$(lkroute show "$1" --format json) || [ -n "$shown" ] || return 1
  jq -r '.digest // empty' <<<"$shown"
}

# plan_artifact ENVIRONMENT PULL-REQUEST BASE HEAD: how the names of the
# artifacts begin that hold plans of this commit for this branch. What follows
# is the attempt of the run and the digest of the plan. The branch, whose name
# may hold anything, stands there by its hash.
plan_artifact() {
  local base
  base=$(printf '%s' "$3" | sha256sum)
  printf 'lkroute-plan-%s-%s-%s-%s-' "$1" "$2" "${base:0:12}" "$4"
}

# ---- GitHub's API ----------------------------------------------------------

# api METHOD PATH [BODY-FILE]: one request. Sets `status` (000: no answer) and
# writes the answer to $reply and its headers to $reply.headers. The token
# goes through a pipe: the list of processes never shows it.
api() {
  local method=$1 path=$2 body=${3:-}
  local -a data=()
  [ -z "$body" ] || data=(--data-binary "@$body" --header 'Content-Type: application/json')
  : >"$reply.headers"
  status=$(curl --silent --request "$method" "${data[@]}" \
    --config <(printf 'header = "Authorization: Bearer %s"\n' "$GITHUB_TOKEN") \
    --header 'Accept: application/vnd.github+json' \
    --header 'X-GitHub-Api-Version: 2022-11-28' \
    --connect-timeout 10 --max-time "${API_SECONDS:-30}" \
    --output "$reply" --dump-header "$reply.headers" --write-out '%{http_code}' \
    "$GITHUB_API_URL$path") || status=000
  [[ $status == 2?? ]]
}

# Whether the same request may work in a moment.
passing() {
  case $status in
    000 | 408 | 429 | 5??) return 0 ;;
    403) grep -qiE '^(retry-after:|x-ratelimit-remaining: *0[^0-9])' "$reply.headers" ;;
    *) return 1 ;;
  esac
}

# Waits before another try: as long as GitHub asks for, a minute at most.
pause() {
  local asked
  asked=$(sed -n 's/^[Rr]etry-[Aa]fter: *\([0-9]\{1,4\}\).*/\1/p' "$reply.headers" | head -n 1)
  asked=${asked:-$((${RETRY_SECONDS:-3} * $1))}
  sleep "$((asked > 60 ? 60 : asked))"
}

# What went wrong, for people.
trouble() {
  local said
  said=$(jq -r '.message // empty' "$reply" 2>/dev/null | head -c 200 || true)
  case $status in
    000) printf 'GitHub did not answer in %s s' "${API_SECONDS:-30}" ;;
    *) printf 'GitHub answered %s%s' "$status" "${said:+ ($said)}" ;;
  esac
}
