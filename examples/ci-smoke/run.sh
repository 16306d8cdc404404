#!/usr/bin/env bash
# The test of a service that reads one topic and writes another, in the words for CI: wait, send, expect. There is no loop and
# no sleep in it: each line ends as soon as it is so, and says what is wrong when it is not so in time.
source "$(dirname "$0")/../setting.sh"
needs orders invoices dlq.orders

step "Wait until Kafka answers, and the topic takes records"
try 0 "kpipe wait broker --timeout 60s"
try 0 "kpipe wait topic orders --for partitions=3,leaders"

step "Start the service under test, which bills the orders above 100"
background "$here/billing.sh"
service=$!

step "Send it three orders"
cat >orders.jsonl <<'ORDERS'
{"id":1,"user":"u-17","total":120}
{"id":2,"user":"u-18","total":80}
{"id":3,"user":"u-19","total":300}
ORDERS
try 0 "kpipe send orders --lines --key-from /user < orders.jsonl"

step "Expect two invoices for two users, and still two a moment later"
try 0 "kpipe expect invoices --count 2 --distinct key=2 --settle 200ms --timeout 30s"

step "Expect that one of them bills order 3 with 300, whatever else is in it"
echo '{"order":3,"amount":300}' >want.json
try 0 "kpipe expect invoices --subset want.json --show-seen"

step "Expect that nothing went wrong, and that the service has read all there is"
try 0 "kpipe expect dlq.orders --none"
try 0 "kpipe wait group billing --for lag=0 --timeout 30s"

step "Order 2 is not billed: the answer is no, and says how close it came"
try 1 "kpipe expect invoices --where '/order=2' --timeout 0 2> no"
cat no
grep -q 'expected at least 1 matching record, found 0 among 2' no || fail "the answer does not say how close it came"

step "The service ends when it is asked to"
status=0
end "$service" || status=$?
same 143 "$status" "the status of the service"
