#!/usr/bin/env bash
# Installs what is missing for a purpose, by Debian package name: scripts/install.sh [build|test|bench|fuzz|run]...
# With everything there it only asks dpkg, which takes a few hundredths of a second. Needs root or sudo to install.
set -euo pipefail

# A package is there when dpkg has it, or, for `name=command`, when the command is found (another source may bring it).
build=(g++=g++ cmake=cmake ninja-build=ninja pkg-config=pkg-config python3=python3
       libfmt-dev libjemalloc-dev libxxhash-dev liblzf-dev libluajit-5.1-dev libssl-dev libre2-dev)
test=(libgtest-dev python3-redis python3-hiredis python3-pytest openssl=openssl redis-tools nodejs=node npm=npm)
bench=(redis-tools python3=python3 python3-matplotlib libbenchmark-dev libgtest-dev)
fuzz=(clang=clang++ libclang-rt-14-dev libgtest-dev)

wanted=("${build[@]}")
for purpose in "${@:-build}"; do
  case $purpose in
    build | run) ;;
    test) wanted+=("${test[@]}") ;;
    bench) wanted+=("${bench[@]}") ;;
    fuzz) wanted+=("${fuzz[@]}") ;;
    *) echo "usage: $0 [build|test|bench|fuzz|run]..." >&2; exit 2 ;;
  esac
done

missing() {
  local ask=() item name installed
  for item in "${wanted[@]}"; do
    [[ $item == *=* ]] && command -v "${item#*=}" >/dev/null && continue
    ask+=("${item%%=*}")
  done
  [[ ${#ask[@]} -eq 0 ]] && return
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${ask[@]}" 2>/dev/null |
              awk '$2 == "installed" {print $1}' || true)
  for name in "${ask[@]}"; do
    grep -qxF -- "$name" <<<"$installed" || echo "$name"
  done | sort -u
}

if ! command -v dpkg-query >/dev/null; then
  echo "install.sh knows Debian's packages only; have these ready yourself: ${wanted[*]%%=*}" >&2
  exit 0
fi
mapfile -t absent < <(missing)
[[ ${#absent[@]} -eq 0 ]] && exit 0

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "Missing packages: ${absent[*]}. As root: apt-get install ${absent[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "Installing ${absent[*]}"
export DEBIAN_FRONTEND=noninteractive
apt_install() { "${as_root[@]}" apt-get install -y -q --no-install-recommends "${absent[@]}"; }
# Package lists that are there may be good enough; where they are not, fetch them once.
if ! apt_install >/dev/null 2>&1; then
  "${as_root[@]}" apt-get update -q
  apt_install
fi
