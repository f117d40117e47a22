#!/usr/bin/env bash
# Gives the steps after this one an lkroute: the one that was named, the one
# of the release that the action's own commit is, or one built from the
# action's sources. Environment:
#   GIVEN_LKROUTE       a program; may be empty
#   BUILD               true: build it from the sources
#   ACTION_REPOSITORY   where the action comes from, as OWNER/NAME
#   ACTION_REF          what it was asked for by: a full commit SHA, or a tag
#   GITHUB_ACTION_PATH  its sources
#   GITHUB_API_URL GITHUB_SERVER_URL GITHUB_TOKEN
#   RUNNER_TEMP RUNNER_TOOL_CACHE RUNNER_OS RUNNER_ARCH
#   TIME_LIMIT          in seconds
# Output: lkroute, the program.
# shellcheck disable=SC2016 # the filters of jq have dollars of their own
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

instead="Name a program that is there ('lkroute: PATH'), or set 'build: true' to build one from the action's sources."

# Nothing of the caller's repository has a say in a build: not its
# rust-toolchain.toml or .cargo/config.toml (it runs elsewhere), no program
# that it put before others in PATH, none of its variables, no secret.
build() {
  local home=$work/home cargo
  cargo=$(caller_free cargo) ||
    die "Building lkroute needs cargo (rustup.rs) in ~/.cargo/bin or a directory of the system."
  rm -rf "$work"
  mkdir -p "$home"
  local -a keep=("HOME=$HOME" "CARGO_HOME=$home" "PATH=$(dirname "$cargo"):$system_path")
  local name
  for name in RUSTUP_HOME HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy \
      SSL_CERT_FILE; do
    [ -z "${!name:-}" ] || keep+=("$name=${!name}")
  done
  cd "$work"
  limited env -i "${keep[@]}" "$cargo" install --locked --no-track --force \
    --path "$GITHUB_ACTION_PATH" --root "$work" --target-dir "$work/target" ||
    die 'lkroute could not be built.'
  rm -rf "$work/target" "$home"
  lkroute=$work/bin/lkroute
}

# Where programs of the system are; GITHUB_PATH can put nothing before them.
readonly system_path=/usr/local/bin:/usr/bin:/bin
caller_free() {
  local dir
  for dir in "$HOME/.cargo/bin" ${system_path//:/ }; do
    if [ -x "$dir/$1" ]; then
      printf '%s' "$dir/$1"
      return
    fi
  done
  return 1
}

# The archive for this machine, as the release names it.
archive_name() {
  local system
  case ${RUNNER_OS:-}-${RUNNER_ARCH:-} in
    Linux-X64) system=x86_64-unknown-linux-musl ;;
    Linux-ARM64) system=aarch64-unknown-linux-musl ;;
    *) die "There is no release for ${RUNNER_OS:-this system} on ${RUNNER_ARCH:-this processor}. $instead" ;;
  esac
  printf 'lkroute-%s-%s.tar.gz' "$version" "$system"
}

# download NAME FILE: an asset of the release. It needs no token and gets none.
download() {
  local try
  for try in 1 2 3; do
    curl --silent --show-error --fail --location --max-redirs 5 --proto-redir '=https' \
      --connect-timeout 10 --max-time 120 --max-filesize 200000000 --output "$2" \
      "$GITHUB_SERVER_URL/$ACTION_REPOSITORY/releases/download/v$version/$1" && return
    [ "$try" = 3 ] || sleep "$((${RETRY_SECONDS:-3} * try))"
  done
  die "$1 of release v$version could not be downloaded. $instead"
}

# Whether a file is what the list of checksums says.
fits() {
  [ -f "$1" ] && [ "$(sha256sum <"$1" | cut -d' ' -f1)" = "$2" ]
}

# The release has to be that of the action's own commit: a tag can be moved.
check_commit() {
  local found
  api GET "/repos/$ACTION_REPOSITORY/commits/v$version" ||
    die "Release v$version could not be looked up: $(trouble). $instead"
  found=$(jq -r '.sha | strings' "$reply")
  [[ $found =~ ^[0-9a-f]{40,64}$ ]] || die "Release v$version has no commit."
  case $ACTION_REF in
    "$found" | "v$version") commit=$found ;;
    *) die "The action was asked for by '$ACTION_REF', which is not release v$version (${found:0:12}). Use the full SHA of a release. $instead" ;;
  esac
}

# Who built the archive: the release workflow, from this commit.
check_attestation() {
  local gh
  if ! gh=$(caller_free gh) || ! "$gh" attestation verify --help >/dev/null 2>&1; then
    annotate notice 'No gh that knows attestations is here: the checksum of lkroute was checked, its attestation was not.'
    return
  fi
  GH_TOKEN=$GITHUB_TOKEN limited "$gh" attestation verify "$1" --repo "$ACTION_REPOSITORY" \
    --signer-workflow "$ACTION_REPOSITORY/.github/workflows/release.yml" \
    --source-digest "$commit" --deny-self-hosted-runners >"$reply.attested" 2>&1 || {
    quote_log "$reply.attested"
    die "The attestation of $(basename "$1") does not hold: it was not built by the release workflow from ${commit:0:12}."
  }
}

# What is kept between runs is the archive, which anybody who runs a job here
# can write to: it is checked at each use, and unpacked anew.
release() {
  local name sums kept=$RUNNER_TOOL_CACHE/lkroute sum
  version=$(sed -n 's/^version = "\([0-9A-Za-z.+-]*\)"$/\1/p' "$GITHUB_ACTION_PATH/Cargo.toml" | head -n 1)
  [ -n "$version" ] || die 'The action has no version.'
  [[ ${ACTION_REPOSITORY:-} =~ ^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$ && -n ${ACTION_REF:-} ]] ||
    die "The action was not taken from a repository, so no release is its own. $instead"
  name=$(archive_name)
  check_commit
  rm -rf "$work"
  mkdir -p "$work" "$kept"
  sums=$work/SHA256SUMS
  download SHA256SUMS "$sums"
  sum=$(awk -v name="$name" '$2 == name || $2 == "*" name { print $1 }' "$sums")
  [[ $sum =~ ^[0-9a-f]{64}$ ]] || die "Release v$version has no checksum of $name. $instead"
  if fits "$kept/$sum.tar.gz" "$sum"; then
    cp "$kept/$sum.tar.gz" "$work/$name"
  else
    download "$name" "$work/$name"
  fi
  fits "$work/$name" "$sum" || die "$name is not what release v$version says: its checksum differs."
  check_attestation "$work/$name"
  cp "$work/$name" "$kept/.$sum.$$" && mv "$kept/.$sum.$$" "$kept/$sum.tar.gz"
  tar -xzf "$work/$name" -C "$work" --strip-components=1 --no-same-owner
  lkroute=$work/lkroute
}

number 'the time limit' "$TIME_LIMIT"
work=$RUNNER_TEMP/lkroute-program
if [ -n "${GIVEN_LKROUTE:-}" ]; then
  lkroute=$(realpath -e -- "$GIVEN_LKROUTE") || die "there is no $GIVEN_LKROUTE"
elif [ "${BUILD:-}" = true ]; then
  build
else
  release
fi
said=$(limited "$lkroute" --version) || die "$lkroute does not run here"
[ "$said" = "lkroute ${version:-${said#lkroute }}" ] || die "the program says it is $said"
echo "$said"
output lkroute "$lkroute"
