#!/usr/bin/env bash
# What a job in CI waits for: a broker that comes up late, a topic that appears late, a record that comes, and one that never
# does. Takes the Kafka that KAFKA_BROKERS names, up or not; a Kafka in memory where it names none.
source "$(dirname "$0")/../setting.sh"
# shellcheck disable=SC2119 # It makes its topic itself.
given
topic=late-$$

step "Wait for a broker; status 3 if it does not come up in time"
try 0 "kpipe wait broker --timeout 60s"

step "Wait for a topic that somebody else makes, and for the first record in it, whenever that is"
background kpipe -q wait topic "$topic" --for leaders,messages=1 --timeout 60s
waiting=$!
# The Kafka in memory creates no topic, but makes one when it is asked about it like this.
kpipe -q topic create "$topic" --partitions 3 2>/dev/null || echo "(not created by request here, but by the first record)"
try 0 "kpipe send $topic '{\"id\":1}' -X allow.auto.create.topics=true"
wait "$waiting" || fail "the topic was not seen"
try 0 "kpipe expect $topic --where /id=1 --timeout 60s"

step "A record that never comes is a no: status 1, and how close it came"
try 1 "kpipe expect $topic --where /id=2 --timeout 2s 2> why"
cat why
grep -q 'found 0 among 1' why || fail "it does not say how close it came"

step "A topic that never comes could still come: status 3"
try 3 "kpipe wait topic $topic-never --timeout 2s 2> why"
cat why
grep -q "topic \`$topic-never\` does not exist" why || fail "it does not say which topic"
