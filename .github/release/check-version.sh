#!/usr/bin/env bash
# Whether a tag, Cargo.toml, that of the Python module, the program and
# CHANGELOG.md speak of the same version: check-version.sh TAG [PROGRAM]
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

tag=${1:?the tag}
version=$(version)
[ "$tag" = "v$version" ] || die "the tag is $tag, and Cargo.toml says $version"
module=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$top/python/Cargo.toml" | head -n 1)
[ "$module" = "$version" ] || die "python/Cargo.toml says $module, and Cargo.toml $version"
heading=$(sed -n 's/^## \[\{0,1\}\([0-9][0-9A-Za-z.+-]*\).*/\1/p' "$top/CHANGELOG.md" | head -n 1)
[ "$heading" = "$version" ] || die "the newest version in CHANGELOG.md is '$heading', not $version"
if [ -n "${2:-}" ]; then
  said=$("$2" --version)
  [ "$said" = "lkroute $version" ] || die "the program says it is $said"
fi
