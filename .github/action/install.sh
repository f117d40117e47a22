#!/usr/bin/env bash
# Gives the steps after this one an lkroute: the one that was named, else the
# one that was built before, else one built from the action's own sources.
# Environment:
#   GIVEN_LKROUTE       a program; may be empty
#   GITHUB_ACTION_PATH  the sources
#   RUNNER_TOOL_CACHE   where what is built is kept
#   TIME_LIMIT          in seconds
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Cargo runs the build scripts of others: they see no secret of the job.
build() {
  local -a keep=()
  local name
  for name in PATH HOME USER TMPDIR CARGO_HOME RUSTUP_HOME RUSTUP_TOOLCHAIN CC \
      HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy SSL_CERT_FILE; do
    [ -z "${!name:-}" ] || keep+=("$name=${!name}")
  done
  limited env -i "${keep[@]}" \
    cargo install --locked --path "$GITHUB_ACTION_PATH" --root "$1" --no-track --force
}

number 'the time limit' "$TIME_LIMIT"
if [ -n "${GIVEN_LKROUTE:-}" ]; then
  lkroute=$(realpath -e -- "$GIVEN_LKROUTE") || die "there is no $GIVEN_LKROUTE"
else
  root=$RUNNER_TOOL_CACHE/lkroute
  lkroute=$root/bin/lkroute
  if [ ! -x "$lkroute" ]; then
    command -v cargo >/dev/null ||
      die "Building lkroute needs cargo (rustup.rs). A program that is there already is named with 'lkroute: PATH'."
    build "$root" || die 'lkroute could not be built.'
  fi
fi
version=$(limited "$lkroute" --version) || die "$lkroute does not run here"
echo "$version"
output lkroute "$lkroute"
