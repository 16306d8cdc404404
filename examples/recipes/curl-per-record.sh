#!/usr/bin/env bash
# A request for each record. What the service refuses becomes a dead letter at once; while it is down records wait, and none is
# blamed. curl's statuses say which: 22 is an HTTP error (with -f), 6, 7 and 28 are no such host, no connection, too slow.
source "$(dirname "$0")/../setting.sh"
wants curl python3
needs orders dlq.orders

exec {service}< <(exec python3 "$here/charges.py" 0 charged.jsonl)
children+=("$!")
server=$!
read -r port <&"$service"
url=http://127.0.0.1:$port/charge

step "Three orders; the service does not take the one with a negative total"
printf '{"id":%d,"total":%d}\n' 1 120 2 -5 3 80 >orders.jsonl
try 0 "kpipe send orders --lines < orders.jsonl"
try 0 "kpipe handle orders -g charges --values --dlq --on 22=reject --on 6,7,28=down -e -- \
    curl -fsS --max-time 10 --data-binary @- $url"
same '1 3' "$(jq .id charged.jsonl | sort | paste -sd ' ')" "the orders that were charged"
try 1 "kpipe dlq stats dlq.orders | jq -c '{origin, status, error, records}'"
try 0 "kpipe expect dlq.orders --where /id=2 --grep 'h:__dlq.errors.delivery.count=^1\$' --count 1 --timeout 0"

step "The service goes down, and an order comes: it waits"
end "$server" || true
try 0 "kpipe send orders '{\"id\":4,\"total\":40}'"
exec {said}< <(exec kpipe handle orders -g charges --values --dlq --on 22=reject --on 6,7,28=down -n 1 -- \
    curl -fsS --max-time 10 --data-binary @- "$url" 2>&1)
children+=("$!")
handler=$!
grep -m 1 'Failed to connect\|Couldn.t connect' <&"$said" || fail "it was not told that the service is down"

step "The service comes up: the order is charged, and is no dead letter"
exec {service}< <(exec python3 "$here/charges.py" "$port" charged.jsonl)
children+=("$!")
wait "$handler" || fail "the order was not handled"
cat <&"$said"
same '1 3 4' "$(jq .id charged.jsonl | sort | paste -sd ' ')" "the orders that were charged"
try 0 "kpipe expect dlq.orders --count 1 --timeout 0"
