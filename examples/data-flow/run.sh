#!/usr/bin/env bash
# A message's way: a gateway's requests are validated, enriched and sent to `messages`; a consumer enriches, stores and
# broadcasts them; a browser shows them. At the end, one message is followed through the ten stages of its life.
source "$(dirname "$0")/../setting.sh"
wants jq sqlite3
needs messages kpipe.stages:6
ln -s "$here"/*.{sh,jq,sql,toml} .
mkfifo websocket screen

# shows LINE…: what the browser shows next; sorted, because records of several partitions come in any order.
shows() {
    local line lines=
    for _ in "$@"; do
        read -r -t 30 line <&4 || fail "the browser shows no more than: $lines"
        lines+=$line$'\n'
    done
    printf %s "$lines"
    same "$(printf '%s\n' "$@")" "$(printf %s "$lines" | LC_ALL=C sort)" "what the browser shows"
}

step "Start the consumer, which handles, stores, broadcasts and then commits"
try 0 "cat consumer.sh"
try 0 "background kpipe -q handle messages -g consumer -o beginning --batch 100 --flush-interval 10ms --trace --service consumer -- ./consumer.sh"
consumer=$!

step "Start the browser, which reads the websocket: a named pipe"
try 0 "background ./browser.sh"
browser=$!
# Held open from now on: a websocket does not end between two messages.
exec 3>websocket 4<screen

step "Send one message: it is validated, completed and acknowledged, and the answer says where it is"
try 0 "cat producer.sh"
try 0 "echo '{\"message\":\"Hello World\",\"user_id\":\"user123\"}' | ./producer.sh | tee answer"
same '["success","Message published to Kafka","messages",0]' "$(jq -c '[.status, .message, .topic, .offset]' answer)" "the answer"
shows "user123: Hello World"

step "Send one without a user: it is anonymous"
try 0 "echo '{\"message\":\"Hi\"}' | ./producer.sh"
shows "anonymous: Hi"

step "Send a batch: each of its messages is a record"
try 0 "cat batch.jq"
try 0 "echo '{\"messages\":[\"msg1\",\"msg2\",\"msg3\"],\"user_id\":\"user123\"}' | jq -c -f batch.jq | ./producer.sh | tee answer"
same 3 "$(grep -c '"status":"success"' answer)" "messages of the batch that were acknowledged"
shows "user123: msg1" "user123: msg2" "user123: msg3"

step "Send three lines of which the second has no message: it is refused with the reason, and the others go on"
cat >requests.jsonl <<'REQUESTS'
{"message":"before","user_id":"user456"}
{"user_id":"user456","message_id":"without-message"}
{"message":"after","user_id":"user456"}
REQUESTS
try 1 "./producer.sh <requests.jsonl 2>said | tee answer"
try 0 "cat said"
same "error: stdin:2: /message: required, and missing" "$(cat said)" "the reason"
same 1 "$(grep -cFx '{"error":"Message is required"}' answer)" "refusals among the answers"
same 2 "$(grep -c '"status":"success"' answer)" "acknowledged among the answers"
shows "user456: after" "user456: before"

step "The refused line was kept as it came, with its reason, and its trace says where it ended"
try 0 "cat refused.jsonl refused.jsonl.why"
same "$(sed -n 2p requests.jsonl)" "$(cat refused.jsonl)" "what was kept"
same '[2,"INVALID","no"]' "$(jq -c '[.line, .error.code, .persisted]' refused.jsonl.why)" "why it was kept"
try 0 "kpipe -q trace without-message --output table"
same "error: /message: required, and missing" "$(kpipe -q trace without-message | jq -r 'select(.stage == "VALIDATED") | "\(.status): \(.error)"')" "VALIDATED"

step "Mended, it is sent again, so that nothing is lost"
try 0 "jq -c '.message = \"between\"' refused.jsonl | ./producer.sh"
shows "user456: between"

step "End the consumer: what it has in hand it stores, broadcasts and commits"
try 0 "kpipe wait group consumer --for lag=0"
try 143 "end $consumer"

step "Statistics come from what is stored, without Kafka"
try 0 "sqlite3 -header messages.db 'SELECT messages, users FROM stats'"
same "8|3" "$(sqlite3 messages.db 'SELECT messages, users FROM stats')" "messages and users"
try 0 "sqlite3 -header messages.db 'SELECT user_id, count(*) FROM message GROUP BY user_id ORDER BY user_id'"
same "anonymous|1 user123|4 user456|3" "$(sqlite3 messages.db 'SELECT user_id, count(*) FROM message GROUP BY user_id ORDER BY user_id' | paste -sd ' ')" \
    "messages of each user"

step "Each message in the topic is stored once, with all that producer and consumer added"
try 0 "kpipe tail messages -e --where '/message=Hello World' --values | jq ."
try 0 "sqlite3 messages.db \"SELECT value FROM records WHERE value ->> 'message' = 'Hello World'\" | jq ."
kpipe tail messages -e | jq -r '"\(.partition)|\(.offset)|\(.value.message)|\(.value.timestamp)"' | sort >sent
sqlite3 messages.db 'SELECT partition, offset, message, timestamp FROM message' | sort | cmp - sent ||
    fail "what is stored is not what was sent"
same 8 "$(wc -l <sent)" "messages"
same '["consumed_at","consumer_service","message","message_id","offset","partition","service","timestamp","user_id"]' \
    "$(sqlite3 messages.db 'SELECT value FROM records' | jq -cs 'map(keys) | unique[]')" "fields"
same 8 "$(sqlite3 messages.db "SELECT count(*) FROM message WHERE timestamp GLOB '20??-??-??T??:??:??.??????Z'
    AND consumed_at GLOB '20??-??-??T??:??:??.??????Z' AND consumed_at > timestamp AND consumer_service = 'consumer'")" \
    "messages with the times of both and the name of the consumer"

step "Follow one message through its life; it is expected to have come through all ten stages"
id=$(sqlite3 messages.db "SELECT id FROM message WHERE message = 'Hello World'")
try 0 "cat life.toml"
try 0 "kpipe trace $id --follow --expect life.toml --output table"
same "CREATED VALIDATED ENRICHED PUBLISHED PERSISTED CONSUMED PROCESSED STORED BROADCASTED DISPLAYED" \
    "$(kpipe -q trace "$id" | jq -r 'select(.status == "ok" and .stage != "TOTAL").stage' | uniq | paste -sd ' ')" "stages"

step "How long messages take, and what is missing: the refused one failed once, and came through in the end"
try 0 "kpipe -q expect kpipe.stages --where /stage=DISPLAYED --count 8"
try 0 "kpipe -q trace stats --output table"
same "VALIDATED 8 0 1" "$(kpipe -q trace stats | jq -r '"\(.stage) \(.messages) \(.missing) \(.errors)"' | grep -v ' 8 0 0$')" \
    "what does not have 8 messages, none missing and no error"
same 10 "$(kpipe -q trace stats | wc -l)" "stages"

step "The websocket closes, and the browser ends"
exec 3>&-
try 0 "wait $browser"
