#!/usr/bin/env bash
# The main job in under a minute: send, tail, copy, resume, mend. Ends with an error where one of its checks fails.
#
#     kpipe broker --topic orders --topic copy -- examples/tour.sh     in memory
#     ci/kafka examples/tour.sh                                        on real Kafka, started for the occasion
#
# Elsewhere it wants two empty topics: examples/tour.sh ORDERS COPY
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:$here/../target/release:$here/../target/debug
kpipe=$(command -v "${KPIPE:-kpipe}") || { echo "tour: no kpipe on PATH or in target; cargo build makes one" >&2 && exit 2; }
kpipe=$(realpath "$kpipe")
kpipe() { "$kpipe" "$@"; }
orders=${1:-orders} copy=${2:-copy}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

step() { printf '\n== %s\n' "$1"; }

fail() {
    echo "tour: $1" >&2
    exit 1
}

# Shows a command, runs it, and compares its status.
try() {
    local status=0
    printf '$ %s\n' "$2"
    eval "$2" || status=$?
    ((status == $1)) || fail "status $status instead of $1"
    ((status == 0)) || printf '[status %s]\n' "$status"
}

# Record lines without topic and offset, in an order of their own: what a copy has in common with its original.
content() { sed -E 's/^\{"topic":"[^"]*",("partition":[0-9]+,)"offset":[0-9]+,/{\1/' | sort; }

if [[ -n ${KAFKA_CLASSPATH:-} ]]; then
    for topic in "$orders" "$copy"; do
        java -XX:TieredStopAtLevel=1 -cp "$KAFKA_CLASSPATH" org.apache.kafka.tools.TopicCommand \
            --bootstrap-server "${KAFKA_BROKERS:?}" --create --topic "$topic" --partitions 3 >/dev/null
    done
fi
for topic in "$orders" "$copy"; do
    [[ -z $(kpipe tail "$topic" -e -n 1) ]] || fail "topic $topic is not empty"
done

step "Send one record; its receipt says where it is"
try 0 "kpipe send $orders '{\"id\":1,\"user\":\"u-17\",\"total\":9.50}' -k u-17 -H source=tour"

step "Send lines; each is a value, and its key is taken out of it"
printf '{"id":%d,"user":"u-%d","total":%d}\n' 2 17 120 3 18 80 4 19 300 >lines
try 0 "kpipe send $orders --lines --key-from /user < lines"

step "Send what other tools lose: a null, bytes that are not text, a header twice, a time"
cat >records.jsonl <<'RECORDS'
{"key":"u-18","value":null}
{"key":"u-19","value_base64":"/wAB","headers":[{"key":"hop","value":"a"},{"key":"hop","value":"b"},{"key":"hop","value":null}]}
{"timestamp":"2025-11-20T20:00:00.123Z","key":"u-17","value":"the text null is not null, and neither is: null"}
RECORDS
try 0 "kpipe send $orders --file records.jsonl"

step "Tail: all there is, as record lines, then end"
try 0 "kpipe tail $orders -e"

step "Tail: only what is wanted, in a form of your own"
try 0 "kpipe tail $orders -e --where '/total>100' -f '%k ordered at %T{RFC3339}: %s\n'"

step "Copy a topic"
try 0 "kpipe tail $orders -e | kpipe send $copy"
kpipe tail "$orders" -e | content >original
kpipe tail "$copy" -e | content >copied
cmp original copied || fail "the copy differs"
(($(wc -l <copied) == 7)) || fail "the copy does not have 7 records"
echo "7 records, every byte the same"

step "Tail in a group: two records, then the rest, none twice"
group=tour-$$-$RANDOM
try 0 "kpipe tail $orders -g $group -n 2 > first"
try 0 "kpipe tail $orders -g $group -e > rest"
(($(wc -l <first) == 2)) || fail "the first member did not get 2 records"
content <first >both
content <rest >>both
sort both | cmp - original || fail "the group lost or repeated a record"
echo "2 and $(wc -l <rest) records"

step "Send lines of which one is bad: it is named, kept, and the status is 1"
printf '{"key":"u-17","value":"good"}\n{"key":"u-18","vlaue":"bad"}\n' >input.jsonl
try 1 "kpipe send $orders --file input.jsonl --failed left.jsonl"
try 0 "cat left.jsonl"
try 0 "sed s/vlaue/value/ left.jsonl | kpipe send $orders"

step "Statuses tell a script what to do"
try 0 "kpipe -q tail $orders -e -n 1 > /dev/null          # done"
try 1 "kpipe tail $orders -e --grep k:nobody --fail-empty  # the answer is no"
try 2 "kpipe send $orders --lines --key-from user < /dev/null  # wrong usage"
try 3 "kpipe -b localhost:1 tail $orders -e                # cannot be reached: try again later"

printf '\nThat was the tour. Next: kpipe send --help, kpipe tail --help, kpipe help record-line\n'
