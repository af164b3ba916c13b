#!/bin/sh
# The tests that talk to a running server: tests/run.sh [--quick|--full] [--peer oracle]
#   --quick  (default) within four minutes: a fixed budget of random commands
#   --full   two million random commands, more scenarios, the slow tests
# VITRINE_SERVER names the binary, VITRINE_FACTS the folder of facts. Ends with one summary line.
cd "$(dirname "$0")/.." || exit 1
mode=--quick
peer=vitrine
while [ $# -gt 0 ]; do
  case "$1" in
    --quick|--full) mode=$1 ;;
    --peer) peer=$2; shift ;;
    *) echo "tests/run.sh [--quick|--full] [--peer oracle]" >&2; exit 2 ;;
  esac
  shift
done
export VITRINE_PEER=$peer
python=/usr/bin/python3
pytest="$python -m pytest -q -p no:cacheprovider --no-header"
if [ $mode = --full ]; then
  commands=2000000 scenarios=150 slow=--slow
else
  commands=500000 scenarios=25 slow=
fi
passed=0 failed=0 skipped=0 names=
start=$(date +%s)

part() {  # part NAME COMMAND...: runs it, shows its output, counts it
  name=$1; shift
  echo "== $name"
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1)); names="$names $name"
  fi
}

skip() { echo "== $1: skipped ($2)"; skipped=$((skipped + 1)); }

part compat $python tests/compat/run.py --peer $([ $peer = oracle ] && echo oracle || echo both)
if [ -x /usr/bin/redis-check-rdb ]; then
  part differential-selftest $pytest tests/differential/selftest.py
  part differential $python tests/differential/run.py --peer $peer --commands $commands --jobs 2
  part blocking $python tests/differential/blocking.py --peer $peer --scenarios $scenarios
  part acl-rules $python tests/differential/acl.py --peer $peer --users $((scenarios * 12))
  part transactions $python tests/differential/transactions.py --peer $peer --episodes $((scenarios * 2))
  part notifications $python tests/differential/notifications.py --peer $peer --commands $((scenarios * 600))
else
  skip differential "redis-tools is not installed"
fi
[ $peer = oracle ] || part facts $pytest tests/facts_test.py
part redis-py $pytest tests/clients/redis_py_test.py
if command -v npm >/dev/null; then
  [ -d tests/clients/node/node_modules/redis ] || (cd tests/clients/node && npm ci --no-audit --no-fund --silent)
  part node sh -c 'cd tests/clients/node && node --test --test-reporter=dot'
else
  skip node "npm is not installed"
fi
[ $peer = oracle ] || part console $pytest tests/console_test.py
[ $peer = oracle ] || part memory $pytest tests/memory_test.py $slow
part server $pytest tests/server_test.py tests/settings_test.py tests/tools_test.py $slow
part acl $pytest tests/acl_test.py
part connections $pytest tests/connection_test.py tests/client_state_test.py tests/input_test.py tests/wording_test.py \
  tests/tracking_test.py tests/pubsub_test.py $slow
[ $peer = oracle ] || part persist $pytest tests/persist_test.py tests/persist_rules_test.py tests/migrate_test.py \
  tests/check_test.py
[ $peer = oracle ] || part log $pytest tests/aof_load_test.py tests/aof_test.py tests/crash_test.py
part tls $pytest tests/tls_test.py $slow
[ $peer = oracle ] || part groups $pytest tests/stream_group_test.py $slow
[ $peer = oracle ] || part scripts $pytest tests/script_test.py tests/script_dialect_test.py tests/script_kill_test.py \
  tests/script_escape_test.py
part abuse $pytest tests/abuse_test.py $slow

echo "tests/run.sh $mode against $peer, $(( $(date +%s) - start )) s:${names:+ failed:$names}"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
