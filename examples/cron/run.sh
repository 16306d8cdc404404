#!/usr/bin/env bash
# Runs each line of the crontab beside it as cron would, and checks that a line prints nothing when all is well and why when it
# is not; that a window that is filled again has the same records; and that no line runs twice at a time.
source "$(dirname "$0")/../setting.sh"
needs orders payments dlq.orders

# The crontab's own variables; but where things are is another matter here.
mapfile -t variables < <(grep -E '^[A-Z_]+=' "$here/crontab")
variables+=("PATH=$work/bin:/usr/bin:/bin" "KPIPE_BROKERS=${KPIPE_BROKERS:-$KAFKA_BROKERS}" "KPIPE_REGISTRY=$KPIPE_REGISTRY")

# The commands: without their times, five words or one that begins with @, and with \% as cron hands it on.
sed -E '/^(#|$|[A-Z_]+=)/d; s/^@[a-z]+/@ @ @ @ @/; s/^([^ ]+ +){5}//; s/\\%/%/g' "$here/crontab" >commands
if ! real_kafka; then
    echo "The Kafka in memory finds nothing by time: --since 1d is left out here."
    sed -i 's/ --since 1d//' commands
fi
# command WORDS: the one line that has them.
command_with() { grep -F -- "$1" commands || fail "no line of the crontab has $1"; }

# as_cron COMMAND [VARIABLE=VALUE…]: with what cron gives and nothing else.
as_cron() { env -i HOME="$work" LOGNAME=ops SHELL=/bin/bash PATH=/usr/bin:/bin "${variables[@]}" "${@:2}" /bin/bash -c "$1"; }

# prints STATUS COMMAND [VARIABLE=VALUE…]: runs it as cron would, and shows and keeps in `mail` what cron would mail.
prints() {
    local status=0
    printf '$ %s\n' "$2"
    as_cron "${@:2}" >mail 2>&1 || status=$?
    sed 's/^/    /' mail
    same "$1" "$status" "the status of $2"
}

step "A topic is approved, and billing has read what there is"
try 0 "kpipe topic request orders --by alice"
try 0 "kpipe topic approve orders --by bob"
try 0 "kpipe send orders '{\"id\":0}'"
try 0 "kpipe tail orders -g billing -e > /dev/null"

step "All is well: no line prints anything"
while read -r command; do
    prints 0 "$command"
    same '' "$(cat mail)" "what $command printed"
done <commands
same 6 "$(wc -l <commands)" "the lines of the crontab"

step "They have done what they are for"
same ACTIVE "$(kpipe topic describe orders | jq -r .state)" "the state of the topic"
try 0 "kpipe expect payments --count 300 --timeout 0"
kpipe tail orders -e | sort | cmp - <(sort orders-*.jsonl) || fail "the backup is not what is in the topic"
kpipe tail orders -e | jq -s 'map(.headers[] | select(.key == "gen-seq").value | tonumber) | length > 0 and sort == [range(length)]' >whole
same true "$(cat whole)" "the window is there from its first event to its last"

step "A window that is filled again has the same records, to the byte"
window=$(date -u -d '2 hours ago' +%Y-%m-%dT%H:00)/PT5M
fill=$(command_with 'generate order')
for run in first second; do
    kpipe -q tail orders -g window -e >/dev/null
    prints 0 "${fill/--window 5m/--window $window}"
    kpipe -q tail orders -g window -e -f '%T %k %s %h\n' | sort >"$run"
done
[[ -s first ]] || fail "the window is empty"
cmp first second || fail "the windows differ"
echo "$(wc -l <first) records, and the same $(wc -l <second) again"

step "While a run holds the lock, another leaves with status 3 and says so"
exec {running}< <(exec env -i HOME="$work" "$KPIPE" -q generate order --rate 1/s --lock orders --topic orders)
children+=("$!")
holder=$!
read -r _ <&"$running"
prints 3 "$fill"
grep -q 'lock' mail || fail "it does not say that it is the lock"
end "$holder" || true
prints 0 "$fill"
same '' "$(cat mail)" "what it printed without the lock"

step "A broker that is away is told: which, and why"
prints 3 "$fill" KPIPE_BROKERS=localhost:1
grep -q 'cannot reach Kafka at localhost:1' mail || fail "it does not say what is away"

step "Billing falls behind: its lag is told"
try 0 "seq 10001 | kpipe send orders --lines"
prints 0 "$(command_with 'group lag')"
grep -q '^billing' mail || fail "the lag is not told"

step "A record dies: it is told what of"
try 0 "kpipe -q handle orders -g charge -n 1 --dlq -- sh -c 'echo card expired >&2; exit 65'"
prints 1 "$(command_with 'dlq stats')"
grep -q 'card expired' mail || fail "it is not told what the record died of"
