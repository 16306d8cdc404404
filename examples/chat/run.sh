#!/usr/bin/env bash
# A chat application's events: six topics with typed events, and what lives on them: a badge per user, aggregates, an audit log
# with alerts, and the state of messages, which follows from their events alone.
source "$(dirname "$0")/../setting.sh"
wants jq sqlite3
needs users messages presence calls audit analytics alerts
cp -r "$here"/{analytics,messages,badge.sh,badge.jq,badges.sql,alert.jq,expected-badges.jq,expected-state.jq,types} .

step "Events of a morning go to the six topics"
# The same events in each run. --now, because retention goes by the time of a record, and a fixed day is past it sooner or later.
try 0 "kpipe -q generate user      -n 300 --seed 5 --start 2026-11-20T00:00:00Z | kpipe send users --now"
try 0 "kpipe -q generate message   -n 600 --seed 5 --start 2026-11-20T00:00:00Z | kpipe send messages --now"
try 0 "kpipe -q generate presence  -n 300 --seed 5 --start 2026-11-20T00:00:00Z | kpipe send presence --now"
try 0 "kpipe -q generate call      -n 300 --seed 5 --start 2026-11-20T00:00:00Z | kpipe send calls --now"
try 0 "kpipe -q generate audit     -n 300 --seed 5 --start 2026-11-20T00:00:00Z | kpipe send audit --now"
try 0 "kpipe -q generate analytics -n 900 --seed 5 --start 2026-11-20T00:00:00Z | kpipe send analytics --now"

step "Each topic has the types that are its own, and all of them"
kpipe tail users messages presence calls audit analytics -e | jq -r '"\(.topic) \(.value.type)"' | LC_ALL=C sort >events
uniq events | cmp - types || fail "other types than expected"
same 2700 "$(wc -l <events)" "events"
uniq -c events

step "Notification: a handler notes answers and reactions, and each user's badge is their count"
sqlite3 badges.db <badges.sql
try 0 "kpipe handle messages -g notification -e --batch 100 -- ./badge.sh"
try 0 "sqlite3 -box badges.db 'SELECT * FROM badge ORDER BY badge DESC, user LIMIT 3'"
kpipe tail messages -e | jq -nr -f expected-badges.jq >expected
[[ -s expected ]] || fail "nobody has a badge"
sqlite3 badges.db 'SELECT * FROM badge ORDER BY user' | cmp - expected || fail "other badges than expected"

step "All of it comes once more, to another group: no badge changes"
try 0 "kpipe handle messages -g notification-again -e --batch 100 -- ./badge.sh"
sqlite3 badges.db 'SELECT * FROM badge ORDER BY user' | cmp - expected || fail "badges were counted twice"

step "Analytics: aggregates by type, each event counted exactly once"
try 0 "kpipe store analytics -g analytics -e --db analytics.db --sql PAGE_VIEW=analytics/PAGE_VIEW.sql \\
    --sql FEATURE_USED=analytics/FEATURE_USED.sql --sql ERROR_OCCURRED=analytics/ERROR_OCCURRED.sql \\
    --sql PERFORMANCE_METRIC=analytics/PERFORMANCE_METRIC.sql"
try 0 "sqlite3 -box analytics.db 'SELECT * FROM page ORDER BY views DESC LIMIT 3'"
try 0 "sqlite3 -box analytics.db 'SELECT metric, count, round(total / count, 2) AS mean, highest, unit FROM metric'"
# counted TYPE: how many events of a type the log has.
counted() { grep -c " $1\$" events; }
same "$(counted PAGE_VIEW)" "$(sqlite3 analytics.db 'SELECT sum(views) FROM page')" "page views"
same "$(counted FEATURE_USED)" "$(sqlite3 analytics.db 'SELECT sum(uses) FROM feature')" "uses of features"
same "$(counted ERROR_OCCURRED)" "$(sqlite3 analytics.db 'SELECT sum(errors) FROM error')" "errors"
kpipe tail analytics -e --where /type=PERFORMANCE_METRIC --values |
    jq -sr 'group_by(.payload.metric)[] | map(.payload) | "\(.[0].metric)|\(length)|\(map(.value) | max)"' >expected
sqlite3 analytics.db 'SELECT metric, count, printf("%g", highest) FROM metric ORDER BY metric' | cmp - expected ||
    fail "other metrics than expected"

step "Audit: every event is stored"
try 0 "kpipe store audit -g audit -e --db audit.db"
same 300 "$(sqlite3 audit.db 'SELECT count(*) FROM records')" "audit events"

step "Audit: failed logins and denied permissions become alerts"
try 0 "kpipe handle audit -g alerts -e --grep 'v:\"type\":\"(LOGIN_FAILED|PERMISSION_DENIED)\"' --batch 100 --to alerts -- jq -c -f alert.jq"
alerts=$(($(counted LOGIN_FAILED) + $(counted PERMISSION_DENIED)))
try 0 "kpipe expect alerts --count $alerts --timeout 0"
try 0 "kpipe tail alerts -n 2 --values"
same "$(counted LOGIN_FAILED)" "$(kpipe tail alerts -e --grep ' LOGIN_FAILED ' | wc -l)" "alerts of failed logins"

step "Event sourcing: the state of each message follows from what happened to it"
try 0 "kpipe store messages -g message-state -e --db messages.db --sql messages/tables.sql \\
    --sql MESSAGE_SENT=messages/MESSAGE_SENT.sql --sql MESSAGE_EDITED=messages/MESSAGE_EDITED.sql \\
    --sql MESSAGE_DELETED=messages/MESSAGE_DELETED.sql --sql REACTION_ADDED=messages/REACTION_ADDED.sql"
state="SELECT json_object('id', id, 'channel', channel, 'user', user, 'text', text, 'edits', edits, 'reactions', reactions,
    'deleted_by', deleted_by) FROM message ORDER BY id"
kpipe tail messages -e | jq -nc -f expected-state.jq >expected
sqlite3 messages.db "$state" | cmp - expected || fail "the state is not what the log says"
echo "$(wc -l <expected) messages, $(jq 'select(.edits > 0).id' expected | wc -l) edited, $(jq 'select(.deleted_by).id' expected | wc -l) deleted"

step "The log is the truth: the state can be made anew from it at any time"
try 0 "kpipe store messages -g message-state --db messages.db --rebuild --sql messages/tables.sql \\
    --sql MESSAGE_SENT=messages/MESSAGE_SENT.sql --sql MESSAGE_EDITED=messages/MESSAGE_EDITED.sql \\
    --sql MESSAGE_DELETED=messages/MESSAGE_DELETED.sql --sql REACTION_ADDED=messages/REACTION_ADDED.sql"
sqlite3 messages.db "$state" | cmp - expected || fail "the state that was made anew differs"
