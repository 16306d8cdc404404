#!/usr/bin/env bash
# A smoke test for CI: starts a Kafka in memory, feeds the program under test, checks what it wrote.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:$here/../target/release:$here/../target/debug
kpipe=$(realpath "$(command -v "${KPIPE:-kpipe}")")

# The second time round, within the broker, is the test.
if [[ -z ${SMOKE_TEST:-} ]]; then
    exec env SMOKE_TEST=1 KPIPE="$kpipe" "$kpipe" broker --topic orders --topic invoices -- "$here/smoke-test.sh"
fi

# The program under test: bills each order above 100. Yours finds the address in KAFKA_BROKERS.
"$kpipe" tail orders -g billing --where '/total>100' > >(exec "$kpipe" -q send invoices --repartition) &
billing=$!
trap 'kill "$billing"; wait "$billing" || true' EXIT

"$kpipe" -q send orders --lines --key-from /user <<'ORDERS'
{"id":1,"user":"u-17","total":120}
{"id":2,"user":"u-18","total":80}
{"id":3,"user":"u-17","total":300}
ORDERS

# Status 3, and so the end of this script, when they do not come in time.
invoices=$("$kpipe" tail invoices -o beginning -n 2 --timeout 30s -f '%k %s\n')
diff - <(echo "$invoices") <<'EXPECTED'
u-17 {"id":1,"user":"u-17","total":120}
u-17 {"id":3,"user":"u-17","total":300}
EXPECTED
echo "2 invoices, as expected"
