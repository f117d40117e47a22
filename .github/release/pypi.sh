#!/usr/bin/env bash
# Puts the wheels and sources of a release on PyPI: pypi.sh DIR [options of uv publish…]
# In a job of GitHub's with `id-token: write` no token is needed. To try it, with
# --publish-url of an index of your own. uv comes from PyPI.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dir=${1:?the directory}
shift
version=$(version)
# The command, and the module; archives of the program are named otherwise.
shopt -s nullglob
files=("$dir/lkroute_cli-$version"-*.whl "$dir/lkroute_cli-$version.tar.gz"
  "$dir/lkroute-$version"-*.whl "$dir/lkroute-$version.tar.gz")
wheels=0
for file in "${files[@]}"; do
  [ -f "$file" ] || die "there is no $(basename "$file")"
  case $file in *.whl) wheels=$((wheels + 1)) ;; esac
done
[ "$wheels" -gt 0 ] || die "there is no wheel of $version in $dir"
python3 -m venv "$top/target/release-tools" >&2
"$top/target/release-tools/bin/python" -m pip install --quiet --disable-pip-version-check \
  --only-binary :all: uv==0.13.8 >&2
"$top/target/release-tools/bin/uv" publish "$@" "${files[@]}"
