#!/usr/bin/env bash
# What a job in CI waits for: a broker that comes up late, a topic that appears late, a record that comes, and one that
# never does. Takes the Kafka that KAFKA_BROKERS names, up or not; a Kafka in memory where it names none.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:$here/../target/release:$here/../target/debug
kpipe=$(realpath "$(command -v "${KPIPE:-kpipe}")")
[[ -n ${KAFKA_BROKERS:-} ]] || exec env KPIPE="$kpipe" "$kpipe" broker --topic unused -- "$here/late.sh"
topic=late-$$

# Status 3 when it does not come up in time, and then this script ends.
"$kpipe" -q wait broker --timeout 60s

# The program under test makes its topic when it is ready for that; nobody has to know when.
"$kpipe" -q wait topic "$topic" --for leaders,messages=1 --timeout 60s &
waiting=$!
"$kpipe" -q send "$topic" '{"id":1}' -X allow.auto.create.topics=true >/dev/null
wait "$waiting"
"$kpipe" -q expect "$topic" --where /id=1 --timeout 60s

# Runs a command that must fail, and prints what it said.
fails_with() {
    local expected=$1 status=0 said
    shift
    said=$("$@" 2>&1) || status=$?
    ((status == expected)) || { echo "status $status of $*: $said" >&2 && exit 1; }
    echo "$said"
}

# A record that never comes is a no: status 1, and how close it came.
fails_with 1 "$kpipe" expect "$topic" --where /id=2 --timeout 5s | grep 'found 0 among 1'
# A topic that never comes could still come: status 3.
fails_with 3 "$kpipe" wait topic "$topic-never" --timeout 2s | grep "topic \`$topic-never\` does not exist"
echo "waited as expected"
