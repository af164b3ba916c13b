#!/usr/bin/env bash
# Starts the release server in the foreground: scripts/run.sh [--setting value ...]. PORT=6380 chooses another port.
set -euo pipefail
cd "$(dirname "$0")/.."

port=${PORT:-6379}
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

if answers; then
  echo "Port $port on 127.0.0.1 is taken: something already listens there." >&2
  command -v ss >/dev/null && ss -Hltnp "sport = :$port" | awk '{print "  " $4 " " $6}' >&2
  echo "Stop it, or choose another port: make run PORT=$((port + 1))" >&2
  exit 1
fi
# The server stays in the foreground; this waits beside it until it answers.
(
  for _ in {1..200}; do
    if answers; then
      echo "Vitrine listens on 127.0.0.1:$port. Try: redis-cli -p $port ping. Ctrl-C ends it."
      exit
    fi
    sleep 0.02
  done
) &
exec build/release/vitrine-server conf/vitrine.conf --port "$port" "$@"
