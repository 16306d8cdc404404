#!/usr/bin/env bash
# Topics from a file, in a job of CI. The file is in the repository, and whoever merged the change of it has approved it:
# the job asks, with that name as the approver's, shows what it would do, and does it. Run again, it does nothing.
source "$(dirname "$0")/../setting.sh"

given shop.orders:6 shop.payments shop.sensors
export KPIPE_CONFIG=$here/config.toml # the shop's rules
cp "$here/topics.jsonl" .
# In CI these two come from the job: who opened the merge request, and who approved it.
author=alice approver=bob

step "The file: a topic a line. The registry is a file of its own here; a real job keeps it, or restores it from a backup"
try 0 "cat topics.jsonl"

step "Ask for all of them, with the name of who approved the change"
try 0 "kpipe topic request - --by $author --approved-by $approver < topics.jsonl | jq -c '[.name, .partitions, .state, .decided_by]'"
same "shop.orders shop.payments shop.sensors" "$(kpipe topic list --state APPROVED | jq -r .name | sort | xargs)" "what is approved"

step "The plan: status 1, because there is something to do"
try 1 "kpipe topic plan --output table"
real_kafka && action=create || action=adopt
same "3 $action" "$(kpipe topic plan | jq -r .action | uniq -c | xargs)" "what is planned"

step "Do it: all of them are ACTIVE, as the file has them"
try 0 "kpipe topic reconcile --by ci --output table"
same "shop.orders 6,shop.payments 3,shop.sensors 3" \
    "$(kpipe topic list '^shop\.' | jq -r 'select(.state == "ACTIVE" and .in_kafka) | "\(.name) \(.partitions)"' | sort | paste -sd ,)" \
    "the topics that are ACTIVE"
real_kafka || echo "(the Kafka in memory creates no topics: those that were there just so were adopted)"
history=$(kpipe topic history | wc -l)

step "The job runs again, the file is the same: nothing to ask, nothing to plan, nothing to do"
try 0 "kpipe topic request - --by $author --approved-by $approver < topics.jsonl | jq -c '[.name, .partitions, .state, .decided_by]'"
try 0 "kpipe topic plan"
try 0 "kpipe topic reconcile --by ci"
same "$history" "$(kpipe topic history | wc -l)" "entries in the history"

step "A line that breaks the shop's rules: status 4 with all of them, before Kafka is asked; the job ends there"
echo '{"name":"Orders","partitions":24}' >wrong.jsonl
try 4 "kpipe topic request - --by $author --approved-by $approver < wrong.jsonl 2> why"
cat why
[[ $(<why) == *name* && $(<why) == *partitions* ]] || fail "the error does not name both rules"
same "$history" "$(kpipe topic history | wc -l)" "entries in the history"

step "Who approves is not who asked, in CI neither"
echo '{"name":"shop.returns"}' >more.jsonl
try 4 "kpipe topic request - --by $author --approved-by $author < more.jsonl"
same "$history" "$(kpipe topic history | wc -l)" "entries in the history"

step "The file changes: more partitions for the payments"
try 0 "sed -i '/payments/s/\"type\"/\"partitions\":6,\"type\"/' topics.jsonl"
if real_kafka; then
    try 0 "kpipe topic request - --by $author --approved-by $approver < topics.jsonl | jq -c '[.name, .partitions, .state]'"
    try 1 "kpipe topic plan --output table"
    try 0 "kpipe topic reconcile --by ci --output table"
    kpipe -q wait topic shop.payments --for partitions=6
    try 0 "kpipe topic plan"
else
    echo "(left out: the Kafka in memory cannot add partitions)"
fi

step "What is in the file can be sent to, and nothing else: that too is one of the shop's rules"
try 0 "kpipe send shop.orders '{\"id\":7}'"
try 4 "kpipe send shop.returns '{\"id\":7}'"
