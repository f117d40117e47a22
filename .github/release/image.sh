#!/usr/bin/env bash
# Builds the container image from the static archives of a release:
#   image.sh DIR NAME [options of the builder…]
#   DIR   holds lkroute-VERSION-x86_64-unknown-linux-musl.tar.gz and the same for aarch64
#   NAME  ghcr.io/OWNER/lkroute:VERSION
# BUILDER is docker buildx build, or one that needs no daemon:
#   BUILDER='buildah build' image.sh DIR NAME --manifest NAME
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dir=${1:?the directory} name=${2:?the name of the image}
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for pair in x86_64:amd64 aarch64:arm64; do
  inside=lkroute-$(version)-${pair%:*}-unknown-linux-musl
  tar -xzf "$dir/$inside.tar.gz" -C "$work" "$inside/lkroute"
  mv "$work/$inside/lkroute" "$work/lkroute-linux-${pair#*:}"
  rmdir "$work/$inside"
done
# A registry knows names in small letters alone.
read -r -a builder <<<"${BUILDER:-docker buildx build}"
"${builder[@]}" --file "$top/.github/release/Dockerfile" --platform linux/amd64,linux/arm64 \
  --label "org.opencontainers.image.version=$(version)" \
  --label "org.opencontainers.image.licenses=MIT OR Apache-2.0" \
  --tag "$(printf '%s' "$name" | tr '[:upper:]' '[:lower:]')" "$@" "$work"
