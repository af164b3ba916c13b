#!/usr/bin/env bash
# Runs every fuzzer in turn: scripts/fuzz.sh [NAME...], each for SECONDS_EACH (30) seconds. Corpora grow in
# fuzz/corpus/NAME, findings stay in fuzz/findings/NAME. One finding fails the run, after the others had their turn.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${SECONDS_EACH:-30}
names=("$@")
if [[ ${#names[@]} -eq 0 ]]; then
  for source in fuzz/*_fuzz.cc; do
    [[ -e $source ]] || continue
    name=${source##*/}
    names+=("${name%_fuzz.cc}")
  done
fi
passed=0 failed=0
for name in "${names[@]}"; do
  corpus=fuzz/corpus/$name findings=fuzz/findings/$name
  mkdir -p "$corpus" "$findings"
  echo "== $name for $seconds s"
  if build/fuzz/fuzz/"${name}_fuzz" "$corpus" -max_total_time="$seconds" -artifact_prefix="$findings/" \
      -timeout=10 -rss_limit_mb=3000 -print_final_stats=1 2>"$findings/log"; then
    grep -E 'number_of_executed_units|new_units_added' "$findings/log" || true
    passed=$((passed + 1))
  else
    tail -n 40 "$findings/log"
    failed=$((failed + 1))
  fi
done
echo "$passed passed, $failed failed, 0 skipped"
[[ $failed -eq 0 ]]
