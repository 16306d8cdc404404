#!/usr/bin/env bash
# Topics by approval, the whole way: asked for, decided, created by a daemon, filled by a producer, read by two subscribers
# who are each in a group of their own. Then three things go wrong, and each is mended. README.md has the picture.
source "$(dirname "$0")/../setting.sh"

wants jq sqlite3
given sensor-readings payments weather-reports

# The numbers of the registry, as `pending active rejected subscriptions`.
numbers() { kpipe topic stats | jq -r '"\(.pending) \(.active) \(.rejected) \(.subscriptions)"'; }
# How far a user's group is behind in a topic, all partitions together.
behind() { kpipe group lag "consumer_group_$1" --topic "$2" | jq -s 'map(.lag) | add'; }

step "Alice asks for three topics. They are PENDING: Kafka has not heard of them"
try 0 "kpipe topic request sensor-readings --by alice --type sensor --description 'one record a reading' --output table"
try 0 "kpipe topic request payments --by alice --output table"
try 0 "kpipe topic request everything --by alice --partitions 48 --output table"
same "3 0 0 0" "$(numbers)" "pending, active, rejected, subscriptions"

step "Who asked does not decide: Alice is refused. Bob approves two and rejects the third"
try 4 "kpipe topic approve payments --by alice"
try 0 "kpipe topic approve sensor-readings payments --by bob --comment 'as discussed' --output table"
try 0 "kpipe topic reject everything --by bob --reason 'a topic for each kind, please' --output table"
same "0 0 1 0" "$(numbers)" "pending, active, rejected, subscriptions"

step "Only the daemon may activate: it has the producer key, of which the registry keeps a hash. Without it: refused"
try 0 "kpipe topic key new > producer.key"
try 4 "kpipe topic reconcile"

step "With the key the daemon goes to work in the background, and says what it did"
# Looks every 5 s unless told otherwise; here nobody wants to wait so long.
echo '$ kpipe topic reconcile --watch --producer-key-file producer.key --by daemon &'
exec {daemon}< <(exec kpipe topic reconcile --watch=200ms --producer-key-file producer.key --by daemon)
children+=("$!")
reconciler=$!
real_kafka && made=created || made=adopted
for topic in payments sensor-readings; do
    read -rt 30 line <&"$daemon" || fail "the daemon did not say that it activated $topic"
    same "$topic $made ACTIVE" "$(jq -r '"\(.name) \(.action) \(.state)"' <<<"$line")" "what the daemon did"
    echo "$line"
done
real_kafka || echo "(the Kafka in memory creates no topics: the daemon adopted those that were there just so)"
try 0 "kpipe topic plan"
same "0 2 1 0" "$(numbers)" "pending, active, rejected, subscriptions"

step "The producer daemon: a record for a random ACTIVE topic, of the kind that its request or its name says"
# One every 0.5 to 1.5 s unless told otherwise.
try 0 "kpipe generate --active --every 5ms..15ms -n 30 | kpipe send --approved-only"
sensors=$(kpipe tail sensor-readings -e | wc -l) payments=$(kpipe tail payments -e | wc -l)
same 30 $((sensors + payments)) "records in both topics"
((sensors > 0 && payments > 0)) || fail "one of the topics got nothing: $sensors and $payments"
echo "$sensors readings and $payments payments, of which one is:"
try 0 "kpipe tail sensor-readings -n 1 --values"
same true "$(kpipe tail sensor-readings -n 1 | jq '.value.data_type == "sensor" and
    (.value.payload | keys | contains(["sensor_id", "temperature", "humidity", "pressure"]))')" "a reading has all its fields"

step "Two users subscribe. Each reads in a group of their own, and logs what was seen in SQLite"
try 0 "kpipe subscription add user_1 sensor-readings"
try 0 "kpipe subscription add user_1 payments"
try 0 "kpipe subscription add user_2 sensor-readings"
same "0 2 1 3" "$(numbers)" "pending, active, rejected, subscriptions"
try 0 "kpipe tail --user user_1 -e | kpipe store --db user_1.db"
try 0 "kpipe tail --user user_2 -e | kpipe store --db user_2.db"
same 30 "$(sqlite3 user_1.db 'SELECT count(*) FROM records')" "what user_1 has logged"
same "sensor-readings|$sensors" "$(sqlite3 user_2.db 'SELECT topic, count(*) FROM records GROUP BY topic')" "what user_2 has logged"
same "0 0 0" "$(behind user_1 sensor-readings) $(behind user_1 payments) $(behind user_2 sensor-readings)" "how far the groups are behind"

step "user_1 gives up the payments, and sees no more of them"
try 0 "kpipe subscription remove user_1 payments"
try 0 "seq 3 | kpipe send payments --lines --approved-only"
try 0 "seq 2 | kpipe send sensor-readings --lines --approved-only"
try 0 "kpipe tail --user user_1 -e > seen"
same "sensor-readings 2" "$(jq -r .topic seen | uniq -c | awk '{print $2, $1}')" "what user_1 saw"

step "user_1 subscribes again and goes on where it was: the three that were missed, and nothing twice"
try 0 "kpipe subscription add user_1 payments"
try 0 "kpipe tail --user user_1 -e --values > seen"
same "1 2 3" "$(sort seen | xargs)" "what user_1 had missed"

step "A subscriber that runs follows what it subscribes to: user_2 is reading when the payments are added"
echo '$ kpipe tail --user user_2 -o beginning &'
exec {reader}< <(exec kpipe tail --user user_2 -o beginning)
children+=("$!")
for _ in 1 2; do # those that came to sensor-readings meanwhile
    read -rt 30 line <&"$reader" || fail "user_2 read nothing"
done
try 0 "kpipe subscription add user_2 payments"
for ((seen = 0; seen < payments + 3; seen++)); do
    read -rt 30 line <&"$reader" || fail "user_2 has seen $seen payments and no more"
    same payments "$(jq -r .topic <<<"$line")" "the topic that user_2 reads"
done
echo "user_2 has seen all $seen payments"

step "The numbers, as they stand now"
try 0 "kpipe topic stats --output table"
same "0 2 1 4" "$(numbers)" "pending, active, rejected, subscriptions"
same '{"total":3,"pending":0,"approved":0,"active":2,"inactive":0,"rejected":1,"subscriptions":4}' "$(kpipe topic stats)" "all the numbers"

step "FAILURE 1: a topic is pending, or misspelt. Both are refused, and the hint says what to do"
try 0 "kpipe topic request weather-reports --by alice --output table"
try 4 "kpipe send weather-reports sunny --approved-only"
try 4 "kpipe subscription add user_1 weather-reports 2> why"
cat why
grep -q 'is PENDING' why || fail "the reason is not that the topic is pending"
grep -q 'hint: .kpipe topic approve weather-reports' why || fail "no hint says what to do"
try 4 "kpipe subscription add user_1 sensor-raedings 2> why"
cat why
grep -q 'did you mean .sensor-readings.' why || fail "no hint has the right spelling"
try 4 "kpipe send sensor-raedings 7 --approved-only"

step "… recovered: Bob approves, the daemon that is still at work activates it, and the same lines go through"
try 0 "kpipe topic approve weather-reports --by bob --output table"
read -rt 30 line <&"$daemon" || fail "the daemon did not say that it activated weather-reports"
same "weather-reports $made ACTIVE" "$(jq -r '"\(.name) \(.action) \(.state)"' <<<"$line")" "what the daemon did"
try 0 "kpipe send weather-reports sunny --approved-only"
try 0 "kpipe subscription add user_1 weather-reports"
try 0 "kpipe tail --user user_1 -n 1 --timeout 30s --values > seen"
same sunny "$(cat seen)" "what user_1 saw"

step "FAILURE 2: the broker is gone, or its address is wrong: status 3, trying again may help. What was not sent is kept"
cat >config.toml <<TOML
[profiles.shop]
brokers = "127.0.0.1:1"
TOML
printf '{"topic":"weather-reports","value":"%s"}\n' rain hail >reports.jsonl
try 3 "kpipe -C shop send --approved-only --failed left.jsonl < reports.jsonl 2> why"
cat why
grep -q 'cannot reach Kafka at 127.0.0.1:1' why || fail "the reason is not that the broker is gone"
cmp reports.jsonl left.jsonl || fail "what was not sent is not in left.jsonl"

step "… recovered: with the right address, what was left is sent, and user_1 reads it"
cat >config.toml <<TOML
[profiles.shop]
brokers = "${KPIPE_BROKERS:-$KAFKA_BROKERS}"
TOML
try 0 "kpipe -C shop send --approved-only < left.jsonl"
try 0 "kpipe -C shop tail --user user_1 -n 2 --timeout 30s --values > seen"
same "hail rain" "$(sort seen | xargs)" "what user_1 saw"

step "FAILURE 3: the registry cannot be reached. Then nothing is sent, for nobody knows what is approved"
# A copy that is whole, also while the daemon is at work.
try 0 "kpipe topic backup saved.db"
kill "$reconciler"
wait "$reconciler" || same 143 $? "the status of the daemon that was ended"
numbers >before
mkdir lost
mv registry.db* lost
try 2 "kpipe topic stats"
try 2 "kpipe send weather-reports fog --approved-only"
try 2 "kpipe tail --user user_1 -e"
try 2 "kpipe topic plan"
same 3 "$(kpipe tail weather-reports -e | wc -l)" "records in weather-reports"

step "… recovered: the last backup takes its place, and all goes on where it was"
try 0 "cp saved.db registry.db"
same "$(cat before)" "$(numbers)" "pending, active, rejected, subscriptions"
try 0 "kpipe topic reconcile --producer-key-file producer.key"
try 0 "kpipe send weather-reports fog --approved-only"
try 0 "kpipe tail --user user_1 -n 1 --timeout 30s --values > seen"
same fog "$(cat seen)" "what user_1 saw"

step "A topic is taken out of use: INACTIVE. Its records stay, nobody sends to it"
try 0 "kpipe topic deactivate weather-reports --by bob --reason 'the station is closed' --output table"
try 4 "kpipe send weather-reports snow --approved-only"
same 4 "$(kpipe tail weather-reports -e | wc -l)" "records in weather-reports"

step "The history has it all: who asked, who decided, who did it"
try 0 "kpipe topic history weather-reports --output table"
same "alice request|bob approve|daemon activate|bob deactivate" \
    "$(kpipe topic history weather-reports | jq -r 'select(.action | test("subscribe") | not) | "\(.actor) \(.action)"' | paste -sd '|')" \
    "the history of weather-reports"
