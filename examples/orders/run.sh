#!/usr/bin/env bash
# Food orders: the events of an order's life in one topic, and those who live on them. Notification, analytics and search are
# handlers; the orders themselves are a read model that is made of an event store and can be made again; a declined payment is
# compensated; what cannot be delivered is a dead letter until it can. README.md has the picture.
source "$(dirname "$0")/../setting.sh"

wants jq sqlite3
given orders orders.revenue orders.compensations orders.notification dlq.notification
cp "$here"/*.{sh,jq,sql} .

step "The topic of the events is kept for good, because read models are made of it. Kafka's default is a week of event time"
if real_kafka; then
    try 0 "kpipe topic create orders --config retention.ms=-1"
else
    echo "(left out: the Kafka in memory makes no topics, and keeps everything)"
fi
needs orders.revenue orders.compensations orders.notification dlq.notification

step "The life of some orders: 300 events of six types, the same ones every time"
try 0 "kpipe generate order --seed 7 --start 2026-11-20T00:00:00Z --entities 20 -n 300 --manifest made.json | kpipe send orders"
try 0 "kpipe tail orders -e | kpipe generate verify made.json"
kpipe tail orders -e >log.jsonl # to compare with
jq -r .value.data_type log.jsonl | sort | uniq -c
same "MenuItemUpdated OrderCreated OrderStatusUpdated PaymentProcessed RestaurantStatusChanged UserPreferenceUpdated" \
    "$(jq -r .value.data_type log.jsonl | sort -u | xargs)" "types of events"

step "One order, from the basket to the door: its events have its id as their key, and so they keep their order"
order=$(jq -rn 'first(inputs | select(.value.payload.status == "DELIVERED")).key' log.jsonl)
try 0 "kpipe tail orders -e --grep k:$order | jq -r '.value | \"\\(.timestamp) \\(.data_type) \\(.payload.status // \"\")\"' | tee life"
same "OrderCreated,PaymentProcessed CAPTURED,OrderStatusUpdated CONFIRMED,OrderStatusUpdated PREPARING,OrderStatusUpdated READY,OrderStatusUpdated PICKED_UP,OrderStatusUpdated DELIVERED" \
    "$(sed -E 's/^[^ ]+ //; s/ $//' life | paste -sd ,)" "the life of an order"

step "Analytics takes orders by the batch, and sends on what each batch comes to"
try 0 "kpipe handle orders -g analytics -e --where /data_type=OrderCreated --batch 50 --to orders.revenue -- jq -csf revenue.jq"
sums='group_by(.key) | map({key: .[0].key, value: map(.value.total_minor) | add}) | from_entries | tostring'
wanted=$(jq -rs "map(select(.value.data_type == \"OrderCreated\") | {key: .value.payload.currency, value: .value.payload}) | $sums" log.jsonl)
same "$wanted" "$(kpipe tail orders.revenue -e | jq -rs "$sums")" "revenue by currency, in hundredths"
same 50 "$(kpipe tail orders.revenue -e | jq -s 'map(.value.orders) | add')" "orders in the revenue"
echo "revenue: $wanted"

step "Search stays for the whole run, and answers each record with a verdict: its index has the last word on each dish"
try 0 "kpipe handle orders -g search -e --grep 'v:\"data_type\":\"(MenuItemUpdated|RestaurantStatusChanged)\"' --stream -- ./search.sh"
wanted=$(jq -cs 'map(select(.value.data_type | test("^(MenuItem|Restaurant)")).value.payload)
    | group_by([.restaurant_id, .item_id]) | map(last) | sort' log.jsonl)
same "$wanted" "$(cat index/* | jq -cs sort)" "the index"
echo "$(find index -type f | wc -l) files in the index"

step "Notification, while its gateway is down: no record is blamed, none is lost; time is up with status 3"
# Whom it is for: what was ordered and paid, where an order ended or is on its way, and which restaurants are open.
news='"data_type":"(OrderCreated|PaymentProcessed|RestaurantStatusChanged)"|"status":"(PICKED_UP|DELIVERED|CANCELLED)"'
jq -c .value log.jsonl | grep -E "$news" >news.jsonl
wanted=$(wc -l <news.jsonl)
echo user_4 >unknown-addresses
touch gateway-is-down
try 3 "kpipe handle orders -g notification --timeout 1s --grep \"v:\$news\" --values --dlq=dlq.notification -- ./notify.sh"
[[ ! -e sent.log ]] || fail "something was sent while the gateway was down"
kpipe -q expect dlq.notification --none

step "The gateway is back: all are told, but for the customer whose address nobody knows. Those are dead letters"
rm gateway-is-down
try 0 "kpipe handle orders -g notification -e --grep \"v:\$news\" --values --concurrency 4 --dlq=dlq.notification -- ./notify.sh"
dead=$(grep -c '"user_id":"user_4"' news.jsonl)
same "$((wanted - dead))" "$(wc -l <sent.log)" "notifications sent"
kpipe -q expect dlq.notification --count "$dead"

step "What died of what: status 1, because there are dead letters"
try 1 "kpipe dlq stats dlq.notification --output table"
same "orders notification exit 65 $dead" "$(kpipe dlq stats dlq.notification | jq -r '"\(.origin) \(.group) \(.status) \(.records)"')" "what died of what"
try 0 "kpipe dlq show dlq.notification -l 1 | jq -c '.headers[] | select(.key | test(\"dlq\"))'"

step "The address is known now: they are sent back, to a topic that notification alone reads, so that nobody else sees them twice"
rm unknown-addresses
try 0 "kpipe dlq replay dlq.notification --to orders.notification --yes"
try 0 "kpipe handle orders orders.notification -g notification -e --grep \"v:\$news\" --values --dlq=dlq.notification -- ./notify.sh"
same "$wanted" "$(wc -l <sent.log)" "notifications sent"
same "$(jq -r '[.data_type, .payload.status // empty, "to", .payload.user_id // "everybody"] | join(" ")' news.jsonl | sort | cksum)" \
    "$(cut -d ' ' -f 2- sent.log | sort | cksum)" "what was sent, each as often as it happened"
echo "$wanted notifications, each once"

step "The saga: a payment was declined, so what was done for it is undone. First two of them, as if the rest came later"
if real_kafka; then
    saga="kpipe handle orders -g saga --where /data_type=PaymentProcessed --where /payload/status=DECLINED --to orders.compensations --exactly-once"
else
    echo "(--exactly-once is left out: the Kafka in memory has no such transactions)"
    saga="kpipe handle orders -g saga --where /data_type=PaymentProcessed --where /payload/status=DECLINED --to orders.compensations"
fi
try 0 "$saga -n 2 -- jq -cf compensate.jq"
try 0 "$saga -e -- jq -cf compensate.jq"
# Waits for them: a transaction shows a moment after its end, and `-e` takes the end as it is now.
try 0 "kpipe expect orders.compensations --count 4"
jq -r '.value | select(.data_type == "PaymentProcessed" and .payload.status == "DECLINED").payload.payment_id' log.jsonl | sort >declined
kpipe tail orders.compensations -e | jq -r .value.payload.payment_id | sort >compensated
same 4 "$(wc -l <declined)" "declined payments"
cmp declined compensated || fail "not each declined payment has exactly one compensation: $(diff declined compensated)"
echo "$(wc -l <compensated) declined payments, $(wc -l <compensated) compensations, one for each"

step "Event store and read model (CQRS): every event in SQLite exactly once, and in the same transaction what it means for the orders"
model="--sql OrderCreated=created.sql --sql PaymentProcessed=payment.sql --sql OrderStatusUpdated=status.sql --sql UserPreferenceUpdated=preference.sql --sql KitchenReleased=released.sql"
try 0 "kpipe store orders orders.compensations -g order-store --db orders.db -e $model"
same "300 4" "$(sqlite3 orders.db "SELECT count(*) FILTER (WHERE topic = 'orders'), count(*) FILTER (WHERE topic <> 'orders') FROM records" | tr '|' ' ')" "records"
try 0 "sqlite3 orders.db 'SELECT status, payment, count(*) FROM food_order GROUP BY status, payment'"
wanted=$(jq -rs 'map(select(.value.data_type | test("^Order")).value)
    | group_by(.payload.order_id) | map(max_by(.payload.sequence).payload.status // "CREATED")
    | group_by(.) | map("\(.[0])|\(length)") | sort[]' log.jsonl)
same "$wanted" "$(sqlite3 orders.db 'SELECT status, count(*) FROM food_order GROUP BY status ORDER BY status')" "orders by status"
same DELIVERED "$(sqlite3 orders.db "SELECT status FROM food_order WHERE id = '$order'")" "the order that we followed"
same 4 "$(sqlite3 orders.db 'SELECT count(*) FROM released')" "places given back"

step "A compensation that comes twice, as after a crash without --exactly-once, counts once"
try 0 "kpipe tail orders.compensations -n 1 | kpipe send"
try 0 "kpipe store orders orders.compensations -g order-store --db orders.db -e $model"
same "5 4" "$(sqlite3 orders.db "SELECT (SELECT count(*) FROM records WHERE topic <> 'orders'), (SELECT count(*) FROM released)" | tr '|' ' ')" "compensations and places given back"

step "Somebody has spoilt the read model, and somebody else wants another one: both are made from the log, and replace the old at once"
dump() { sqlite3 orders.db 'SELECT * FROM food_order ORDER BY id' 'SELECT * FROM preference ORDER BY customer' 'SELECT * FROM released ORDER BY payment_id'; }
dump >before
try 0 "sqlite3 orders.db \"UPDATE food_order SET status = 'LOST'\""
cmp -s before <(dump) && fail "the read model is not spoilt"
try 0 "kpipe store orders orders.compensations -g order-store --db orders.db --rebuild $model --sql OrderCreated=customer.sql"
cmp before <(dump) || fail "the rebuilt read model is another one"
same "50 $(jq -s 'map(.value.payload.total_minor // 0) | add' log.jsonl)" \
    "$(sqlite3 orders.db 'SELECT sum(orders), sum(total_minor) FROM customer' | tr '|' ' ')" "orders and their totals in the new read model"
try 0 "sqlite3 orders.db 'SELECT * FROM customer ORDER BY orders DESC, id LIMIT 3'"

step "Nobody is behind in the orders"
groups=(analytics search notification order-store)
# With --exactly-once a group commits with what it sends, so what its filter leaves out at the end still counts as to be read.
if real_kafka; then echo "(saga is not looked at: its last commit is that of its last compensation)"; else groups+=(saga); fi
for group in "${groups[@]}"; do
    same 0 "$(kpipe group lag "$group" --topic orders | jq -s 'map(.lag) | add')" "how far $group is behind"
done
echo "${groups[*]}: 0"
