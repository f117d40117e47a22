#!/usr/bin/env bash
# Makes a Debian package: deb.sh PROGRAM ARCHITECTURE OUT-DIR [LKROUTE]
#   PROGRAM       best a static one (musl), which depends on no package
#   ARCHITECTURE  of Debian: amd64, arm64
#   LKROUTE       as for archive.sh
# Prints the path of the package. With dpkg-deb, which is wherever such a
# package is of use; cargo-deb takes minutes to build and adds nothing here.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

program=${1:?the program} architecture=${2:?the architecture} out=${3:?a directory}
here=${4:-$program}
version=$(version)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
share=$work/usr/share
mkdir -p "$work/DEBIAN" "$work/usr/bin" "$share/man/man1" "$share/doc/lkroute" \
  "$share/bash-completion/completions" "$share/zsh/vendor-completions" \
  "$share/fish/vendor_completions.d" "$out"
install -m 755 "$program" "$work/usr/bin/lkroute"
extras "$here" "$work/extras"
gzip -9n "$work/extras/man/"*.1
install -m 644 "$work/extras/man/"*.1.gz "$share/man/man1/"
install -m 644 "$work/extras/completions/lkroute.bash" "$share/bash-completion/completions/lkroute"
install -m 644 "$work/extras/completions/_lkroute" "$share/zsh/vendor-completions/"
install -m 644 "$work/extras/completions/lkroute.fish" "$share/fish/vendor_completions.d/"
rm -rf "$work/extras"
cat "$top/LICENSE-MIT" "$top/LICENSE-APACHE" >"$share/doc/lkroute/copyright"
gzip -9nc "$top/CHANGELOG.md" >"$share/doc/lkroute/changelog.gz"

# A program that is linked to a libc needs one as new as its newest symbol.
depends=$(readelf -V "$program" 2>/dev/null | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1 || true)
size=$(du -sk "$work/usr" | cut -f1)
{
  printf 'Package: lkroute\nVersion: %s\nArchitecture: %s\n' "$version" "$architecture"
  printf 'Maintainer: lkroute maintainers <maintainers@lkroute.example>\n'
  printf 'Installed-Size: %s\nSection: utils\nPriority: optional\n' "$size"
  [ -z "$depends" ] || printf 'Depends: libc6 (>= %s), libgcc-s1\n' "${depends#GLIBC_}"
  printf 'Recommends: ca-certificates, git\n'
  printf 'Description: config-as-code for LiveKit call routing\n'
  printf ' Which LiveKit server, SIP trunk and worker each caller number uses is written\n'
  printf ' in TOML files. lkroute checks them, shows what a change would do to live calls,\n'
  printf ' and applies it to the database all at once.\n'
} >"$work/DEBIAN/control"
file=$out/lkroute_${version}_$architecture.deb
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0} dpkg-deb --root-owner-group --build "$work" "$file" >&2
printf '%s\n' "$file"
