#!/usr/bin/env bash
# The first minute: a topic from its request to the trace of one record. Ends with an error where one of its checks fails.
#
#     kpipe broker --topic orders --topic copy --topic dlq.orders --topic kpipe.stages -- examples/tour.sh     in memory
#     ci/kafka examples/tour.sh                                     on real Kafka, started for the occasion
source "$(dirname "$0")/setting.sh"

given orders copy dlq.orders kpipe.stages

step "Ask for a topic. Nobody may send to it before somebody else has approved it"
try 0 "kpipe topic request orders --by alice --type order --config retention.ms=-1"
try 4 "kpipe send orders '{\"id\":1}' --approved-only"
try 4 "kpipe topic approve orders --by alice"
try 0 "kpipe topic approve orders --by bob --comment 'for the new shop'"

step "Reconcile creates what is approved, or takes what is there already"
try 0 "kpipe topic reconcile"
for name in copy dlq.orders; do
    kpipe topic request "$name" --config retention.ms=-1 --by alice --approved-by bob >topics
done
try 0 "kpipe -q topic reconcile && kpipe trace init"

step "Generate two hundred events of a food delivery, the same every time, and send them: each is acknowledged"
try 0 "kpipe generate order -n 200 --seed 7 --start 2026-11-20T00:00:00Z --topic orders --manifest made.json | kpipe send --approved-only"

step "Tail: all there is, in a form of your own, then end"
try 0 "kpipe tail orders -e --where '/data_type=OrderCreated' --where '/payload/total_minor>7000' -f '%T{RFC3339} partition %p: order %k\n'"
try 0 "kpipe -q tail orders -e | kpipe generate verify made.json"

step "Send what other tools lose: a null, bytes that are not text, a header twice, a time"
cat >odd.jsonl <<'RECORDS'
{"topic":"orders","key":"u-18","value":null}
{"topic":"orders","key":"u-19","value_base64":"/wAB","headers":[{"key":"hop","value":"a"},{"key":"hop","value":"b"},{"key":"hop","value":null}]}
{"topic":"orders","timestamp":"2025-11-20T20:00:00.123Z","key":"u-17","value":"the text null is not null, and neither is: null"}
RECORDS
try 0 "kpipe send < odd.jsonl"

step "Copy the topic: every byte, every header, every time"
try 0 "kpipe tail orders -e | kpipe send copy"
content() { sed -E 's/^\{"topic":"[^"]*",("partition":[0-9]+,)"offset":[0-9]+,/{\1/' | sort; }
same "$(kpipe -q tail orders -e | content | cksum)" "$(kpipe -q tail copy -e | content | cksum)" "the copy"
same 203 "$(kpipe -q tail copy -e | wc -l)" "records in the copy"

step "Handle: a command per order. The kitchen is out of churros; those are set aside, and the rest is committed"
try 0 "kpipe handle orders -g kitchen -e --where /data_type=OrderCreated --on 1=reject --dlq -- grep -qv Churros"
try 1 "kpipe dlq stats dlq.orders"
same "$(kpipe -q tail orders -e --where /data_type=OrderCreated --grep Churros | wc -l)" \
    "$(kpipe -q tail dlq.orders -e | wc -l)" "orders with churros, and dead letters"

step "Trace: one record, through whoever had it in hand. Where is it?"
try 0 "kpipe send orders '{\"id\":\"order-4711\",\"total\":9.50}' -k u-17 --trace"
try 0 "kpipe handle orders -g kitchen -n 1 --grep order-4711 --trace -- sh -c 'cat >/dev/null'"
try 0 "kpipe trace order-4711 --output table"
try 0 "kpipe trace order-4711 | grep '\"stage\":\"PROCESSED\"' | grep -q '\"status\":\"ok\"'"

step "A line that is bad is named and kept; nothing is lost, and the status says so"
printf '{"key":"u-17","value":"good"}\n{"key":"u-18","vlaue":"bad"}\n' >input.jsonl
try 1 "kpipe send orders --file input.jsonl --failed left.jsonl"
try 0 "sed s/vlaue/value/ left.jsonl | kpipe send orders"

step "Statuses tell a script what to do next"
try 0 "kpipe -q tail orders -e -n 1 >/dev/null               # done"
try 1 "kpipe expect orders --where /id=nobody --timeout 0    # the answer is no"
try 2 "kpipe send orders --lines --key-from user </dev/null  # wrong usage"
try 3 "kpipe -b localhost:1 tail orders -e                   # cannot be reached: try again later"

printf '\nThat was the tour. Next: kpipe --help, kpipe handle --help, kpipe help record-line\n'
