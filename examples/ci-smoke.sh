#!/usr/bin/env bash
# A test of a program that reads one topic and writes another, in the verbs for CI: wait, send, expect. Here it runs on a
# Kafka in memory; in a real pipeline Kafka is a service, and the program a container.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:$here/../target/release:$here/../target/debug
kpipe=$(realpath "$(command -v "${KPIPE:-kpipe}")")

# The second time round, within the broker, is the test.
if [[ -z ${CI_SMOKE:-} ]]; then
    exec env CI_SMOKE=1 KPIPE="$kpipe" "$kpipe" broker --topic orders --topic invoices --topic orders.dlq -- "$here/ci-smoke.sh"
fi
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT

# No loop, no sleep: status 3 when they are not there in time.
"$kpipe" -q wait broker --timeout 60s
"$kpipe" -q wait topic orders --for partitions=3,leaders

# The program under test: bills each order above 100. Yours finds the address in KAFKA_BROKERS.
"$kpipe" tail orders -g billing -o beginning --where '/total>100' > >(exec "$kpipe" -q send invoices --repartition) &
billing=$!
trap 'kill "$billing"; wait "$billing" || true; rm -rf "$home"' EXIT

"$kpipe" -q send orders --lines --key-from /user <<'ORDERS'
{"id":1,"user":"u-17","total":120}
{"id":2,"user":"u-18","total":80}
{"id":3,"user":"u-19","total":300}
ORDERS

# As soon as they are there; exactly two, and still two a moment later.
"$kpipe" -q expect invoices --count 2 --distinct /user=2 --settle 200ms --timeout 30s
echo '{"id":3,"total":300}' >"$home/want.json"
"$kpipe" -q expect invoices --subset "$home/want.json" --show-seen
"$kpipe" -q expect orders.dlq --none
"$kpipe" -q wait group billing --for lag=0 --timeout 30s

# The answer can also be no, and says how close it came.
if why=$("$kpipe" expect invoices --where '/id=2' --timeout 0 2>&1); then
    echo "invoice 2 should not be there" >&2
    exit 1
fi
grep -q 'expected at least 1 matching record, found 0 among 2' <<<"$why"
echo "billed as expected"
