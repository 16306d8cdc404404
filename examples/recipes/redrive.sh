#!/usr/bin/env bash
# Records that failed are set aside; once the cause is mended they go back to where they came from, and are handled.
source "$(dirname "$0")/../setting.sh"
needs orders dlq.orders

cat >charge.sh <<'HANDLER'
#!/usr/bin/env bash
# Charges an order, and knows the currencies that the file currencies lists.
grep -qxF "$(jq -r .value.currency)" currencies || { echo "unknown currency" >&2 && exit 65; }
HANDLER
chmod +x charge.sh
echo EUR >currencies

step "Of three orders, one is in a currency that the handler does not know: it becomes a dead letter"
printf '{"id":%d,"currency":"%s"}\n' 1 EUR 2 CHF 3 EUR >orders.jsonl
try 0 "kpipe send orders --lines < orders.jsonl"
try 0 "kpipe handle orders -g billing --dlq -e -- ./charge.sh"
try 1 "kpipe dlq stats dlq.orders | tee dead"
same '1 exit 65' "$(jq -r '"\(.records) \(.status)"' dead)" "the dead letters"

step "Mend the cause, look what would go where, and send it back"
echo CHF >>currencies
try 0 "kpipe dlq replay dlq.orders --dry-run"
try 0 "kpipe dlq replay dlq.orders --yes"

step "It is handled, as a record like any other; the header tells a handler that it is there again"
try 0 "kpipe handle orders -g billing --dlq -e -- ./charge.sh"
try 0 "kpipe expect orders --where /id=2 --grep 'h:dlq.replay.count=1' --count 1 --timeout 0"
try 0 "kpipe expect dlq.orders --count 1 --timeout 0"
same 0 "$(kpipe dlq replay dlq.orders --dry-run | wc -l)" "dead letters that are left to send back"
