#!/usr/bin/env bash
# Records into PostgreSQL, 500 in a transaction, or those that there are after a second. psql's status 2 says that the database
# cannot be reached: records wait. 3 is an error in SQL: the batch is halved until the record at fault is alone.
source "$(dirname "$0")/../setting.sh"
programs=$(compgen -G '/usr/lib/postgresql/*/bin' | tail -n 1) || true
PATH=$PATH:$programs
for tool in psql initdb postgres; do
    command -v $tool >/dev/null || { echo "skipped: $tool is not installed" && exit 0; }
done
needs payments:1 dlq.payments

# A PostgreSQL for the occasion, which does not run as root.
mkdir database
as=()
if ((UID == 0)); then
    id postgres >/dev/null 2>&1 || { echo "skipped: PostgreSQL does not run as root, and there is no user postgres" && exit 0; }
    chmod 711 .
    chown postgres database
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
fi
"${as[@]}" "$(type -P initdb)" -D "$work/database" -U postgres -A trust -E UTF8 --no-locale --no-sync >/dev/null
exec {log}< <(exec "${as[@]}" "$(type -P postgres)" -D "$work/database" -k "$work/database" -c listen_addresses= 2>&1)
children+=("$!")
postgres=$!
grep -q -m 1 'ready to accept connections' <&"$log" || fail "PostgreSQL does not start"
export PGHOST=$work/database PGUSER=postgres
psql -Xqc 'CREATE TABLE payment (partition integer, "offset" bigint, id text NOT NULL, amount bigint, currency text, PRIMARY KEY (partition, "offset"))'
cp "$here/load.sql" .

step "1250 payments, in transactions of 500"
# --now, because retention goes by the time of a record, and a fixed day is past it sooner or later.
try 0 "kpipe -q generate payment -n 1250 --seed 1 --start 2026-11-20T00:00:00Z | kpipe send payments --now"
try 0 "kpipe handle payments -g load --batch 500 --flush-interval 30s --dlq --on 2=down -e -- \
    psql -Xq -v ON_ERROR_STOP=1 -v VERBOSITY=terse --single-transaction -f load.sql"
same '250 500 500' "$(psql -XAtc 'SELECT count(*) FROM payment GROUP BY xmin::text ORDER BY 1' | paste -sd ' ')" "the transactions"
kpipe tail payments -e --values | jq -r '.payload | "\(.payment_id) \(.amount_minor) \(.currency)"' | sort >sent
psql -XAt -F ' ' -c 'SELECT id, amount, currency FROM payment' | sort | cmp - sent || fail "what was loaded is not what was sent"

step "Three more, of which one is no payment: it alone becomes a dead letter"
printf '{"payload":{"%s":"p-%d","amount_minor":1,"currency":"EUR"}}\n' payment_id 1 paiment_id 2 payment_id 3 >three.jsonl
try 0 "kpipe send payments --lines < three.jsonl"
try 0 "kpipe handle payments -g load --batch 500 --flush-interval 30s --backoff 10ms..50ms --dlq --on 2=down -e -- \
    psql -Xq -v ON_ERROR_STOP=1 -v VERBOSITY=terse --single-transaction -f load.sql"
same 'p-1 p-3' "$(psql -XAtc "SELECT id FROM payment WHERE id LIKE 'p-_' ORDER BY 1" | paste -sd ' ')" "the payments that were loaded"
try 0 "kpipe expect dlq.payments --where /payload/paiment_id=p-2 --count 1 --timeout 0"
end "$postgres" || true
