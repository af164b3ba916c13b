#!/usr/bin/env bash
# Builds one kind of the tree: scripts/build.sh release|asan|tsan|fuzz [TARGET...]; with `tests` as a target, every
# unit test too. Configures only once: ninja itself notices changed build files and new sources.
set -euo pipefail
cd "$(dirname "$0")/.."

kind=${1:-release}
shift || true
dir=build/$kind
log=$dir/configure.log
mkdir -p "$dir"
options=(-DCMAKE_BUILD_TYPE="${kind^}")
[[ $kind == release ]] && options+=(-DVITRINE_LTO=ON)
[[ $kind == fuzz ]] && options+=(-DCMAKE_CXX_COMPILER=clang++ -DVITRINE_FUZZ=ON)

targets=("$@")
[[ ${#targets[@]} -eq 0 ]] && targets=(vitrine-server vitrine-check)
tests=OFF
for i in "${!targets[@]}"; do
  if [[ ${targets[i]} == tests ]]; then
    tests=ON
    targets[i]=all
  elif [[ ${targets[i]} == *_test || ${targets[i]} == *_bench ]]; then
    tests=ON
  fi
done

configured() { [[ -f $dir/build.ninja ]] && grep -q "^VITRINE_TESTS:BOOL=$1" "$dir/CMakeCache.txt"; }
# A tree configured with the tests serves a plain build as well; the other way round it must be told.
if ! configured ON && { [[ $tests == ON ]] || ! configured OFF; }; then
  cmake -S . -B "$dir" -G Ninja "${options[@]}" -DVITRINE_TESTS=$tests >"$log" 2>&1 || {
    cat "$log" >&2
    exit 1
  }
fi
exec cmake --build "$dir" --target "${targets[@]}" -j "${JOBS:-$(nproc)}" -- ${VERBOSE:+-v}
