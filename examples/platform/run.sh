#!/usr/bin/env bash
# A Kafka platform: keys and partitions, a group whose members come, go and are killed while records flow, batches that
# are tried again and taken apart around what fails, dead letters, lag and metrics. At the end every record that was
# acknowledged was handled at least once, or is a dead letter.
source "$(dirname "$0")/../setting.sh"
needs test-topic:3 handled dlq.test-topic:1
ln -s "$here"/*.{sh,jq} .
# Kafka misses a killed member after 45 s, unless told otherwise; the built-in broker after 1.5 s.
if real_kafka; then export KPIPE_X_SESSION_TIMEOUT_MS=6000; fi

step "Every broker answers"
try 0 "kpipe ping"

step "Send 300 orders of ten customers; each customer's are on one partition"
try 0 "cat orders.jq"
try 0 "jq -nc --argjson from 1 --argjson to 300 --argjson keyed true -f orders.jq | kpipe send test-topic --receipts all >>receipts"
try 0 "kpipe expect test-topic --count 300 --distinct key=10"
try 0 "kpipe tail test-topic -e -f '%k is on partition %p\n' | sort -u"
same 10 "$(kpipe tail test-topic -e -f '%k %p\n' | sort -u | wc -l)" "pairs of customer and partition"

step "Send 300 without a key; they are spread over all partitions"
# Kafka's clients else send those of a few milliseconds to one partition, and choose anew for the next.
try 0 "jq -nc --argjson from 301 --argjson to 600 --argjson keyed false -f orders.jq | kpipe send test-topic -X sticky.partitioning.linger.ms=0 --receipts all >>receipts"
try 0 "kpipe tail test-topic -e --where '/order>300' -f 'partition %p\n' | sort | uniq -c"
same "0 1 2" "$(kpipe tail test-topic -e --where '/order>300' -f '%p\n' | sort -u | paste -sd ' ')" "partitions without keys"
same "600 acknowledged" "$(jq -r 'select(.error == null) | "acknowledged"' receipts | sort | uniq -c | xargs)" "receipts"

step "Statistics tell records, keys and the spread over partitions"
try 0 "kpipe stats test-topic | jq '{records, keys, top_key_share, partitions}'"
same "600 10 600" "$(kpipe stats test-topic | jq -r '"\(.records) \(.keys) \(.partitions | add)"')" "records, keys, records of all partitions"

step "Start two members of a group; what they make of up to 100 orders at once goes to a topic"
try 0 "cat process.sh process.jq"
for member in 1 2; do
    try 0 "background kpipe handle test-topic -g order-processors -o beginning --batch 100 --flush-interval 1s --max-attempts 3 --backoff 10ms..100ms --dlq --to handled --metrics member-$member.prom -- ./process.sh member-$member 2>member-$member.log"
    members[member]=$!
done
try 0 "kpipe expect handled --distinct /order=598"

step "Two orders fail: their batches are tried again, then halved, until they are alone and die after three attempts"
try 0 "kpipe expect dlq.test-topic --distinct /order=2"
try 0 "kpipe wait group order-processors --for lag=0"
try 0 "grep -h 'dead letter' member-?.log"
same 2 "$(cat member-?.log | grep ': dead letter after 3 attempts: exit 5: ' | sort -u | wc -l)" "dead letters in the logs"
try 1 "kpipe dlq stats dlq.test-topic --output table"
same "100 3 400 3" "$(kpipe tail dlq.test-topic -e |
    jq -r '"\(.value.order) \(.headers | from_entries["__dlq.errors.delivery.count"])"' | sort -u | paste -sd ' ')" "orders and their attempts"

step "The handler saw the headers as a map"
try 0 "kpipe tail handled -n 1 --values | jq -c ."
same '{"source":"shop","version":"2"}' "$(kpipe tail handled -e --values | jq -c .headers | sort -u)" "headers"

step "Records flow, 500 a second, and both members handle them"
try 0 "background kpipe send test-topic --rate 500/s --receipts all < <(jq -nc --argjson from 601 --argjson to 1000000 --argjson keyed true -f orders.jq) >>receipts"
sender=$!
try 0 "kpipe expect handled --where /member=member-1"
try 0 "kpipe expect handled --where /member=member-2"

step "A third member joins late, and gets its share"
try 0 "background kpipe handle test-topic -g order-processors -o beginning --batch 100 --flush-interval 1s --max-attempts 3 --backoff 10ms..100ms --dlq --to handled --metrics member-3.prom -- ./process.sh member-3 2>member-3.log"
members[3]=$!
try 0 "kpipe expect handled --where /member=member-3"
if real_kafka; then
    try 0 "kpipe wait group order-processors --for stable"
    try 0 "kpipe group describe order-processors --output table"
    same 3 "$(kpipe group describe order-processors | jq '.members | length')" "members"
else
    echo "(Who its members are, the broker in memory cannot tell: run this with ci/kafka.)"
fi

step "The first leaves: what it has in hand it finishes and commits"
try 143 "end ${members[1]}"
try 0 "cat member-1.log"

step "The second is killed: what it had in hand was not committed, and comes to the one that is left"
try 137 "kill -KILL ${members[2]}; wait ${members[2]} 2>/dev/null"

step "The flow ends; each order that was acknowledged was handled by somebody, or is a dead letter"
try 143 "end $sender"
sent=$(jq -r 'select(.error == null).offset' receipts | wc -l)
try 0 "kpipe expect handled --distinct /order=$((sent - 2)) --timeout 60s"
jq -r 'select(.error == null) | "\(.partition) \(.offset)"' receipts | sort >acknowledged
{
    kpipe tail handled -e --values | jq -r '"\(.partition) \(.offset)"'
    kpipe tail dlq.test-topic -e | jq -r '.headers | from_entries | "\(.["__dlq.errors.partition"]) \(.["__dlq.errors.offset"])"'
} | sort >seen
sort -u seen | cmp - acknowledged || fail "what was handled is not what was acknowledged"
echo "$sent orders acknowledged, $sent handled or dead, $(($(wc -l <seen) - sent)) of them more than once"
for member in 1 2 3; do kpipe -q expect handled --where "/member=member-$member" --timeout 0; done

step "The group has caught up; the last member goes, too"
try 0 "kpipe wait group order-processors --for lag=0"
try 143 "end ${members[3]}"

step "Metrics of a member, for Prometheus: what it processed, and no batch larger than 100"
try 0 "grep -E '^kpipe_(processed|dead|batch_size_records_(count|sum))' member-3.prom"
metric() { grep "^$1 " member-3.prom | cut -d ' ' -f 2; }
same "$(grep -oE '^[0-9]+ handled' member-3.log)" "$(metric kpipe_processed_records_total) handled" "what the third member processed"
same "$(metric kpipe_batch_size_records_count)" "$(metric 'kpipe_batch_size_records_bucket{le="100"}')" "batches of up to 100"

step "Nobody is at work: 30 more orders, and the group is 30 behind, which raises an alarm"
try 0 "jq -nc --argjson from 2000001 --argjson to 2000030 --argjson keyed true -f orders.jq | kpipe send test-topic"
try 1 "kpipe group lag order-processors --fail-over 10 --output table"
same 30 "$(kpipe group lag order-processors | jq -s 'map(.lag) | add')" "lag"
try 0 "kpipe stats test-topic -q --metrics topics.prom >/dev/null"
try 0 "grep -E '^kafka_(brokers|topic_partitions|consumergroup_lag_sum)' topics.prom || true"
same "kafka_brokers $(kpipe ping | wc -l)" "$(grep '^kafka_brokers ' topics.prom)" "brokers in metrics"
if real_kafka; then
    same 30 "$(grep '^kafka_consumergroup_lag{.*"order-processors"' topics.prom | cut -d ' ' -f 2 | jq -s add)" "lag in metrics"
else
    echo "(Which groups there are, the broker in memory cannot tell, so there is no lag in the metrics: run this with ci/kafka.)"
fi

step "One run handles what there is, and ends"
try 0 "kpipe handle test-topic -g order-processors -e --batch 100 --to handled -- ./process.sh evening"
try 0 "kpipe expect handled --where /member=evening --distinct /order=30 --timeout 0"
try 0 "kpipe group lag order-processors --fail-over 0 --output table"

step "Another group skips what fails instead, and logs it"
try 0 "kpipe handle test-topic -g auditors -e --where '/total<0' --max-attempts 3 --backoff 10ms..100ms --skip -- ./process.sh auditor 2>auditors.log"
try 0 "cat auditors.log"
same 2 "$(grep ': skipped after 3 attempts: exit 5: ' auditors.log | sort -u | wc -l)" "skipped records in the log"
try 0 "kpipe group lag auditors --fail-over 0 --output table"
