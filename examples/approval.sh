#!/usr/bin/env bash
# A topic by approval, from the request to its subscriber. Ends with an error where one of its checks fails.
#
#     kpipe broker --topic orders:3 -- examples/approval.sh     in memory, where the topic is there and is adopted
#     ci/kafka examples/approval.sh                             on real Kafka, where it is created
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:$here/../target/release:$here/../target/debug
kpipe=$(realpath "$(command -v "${KPIPE:-kpipe}")")
kpipe() { "$kpipe" "$@"; }

if [[ -z ${KPIPE_BROKERS:-${KAFKA_BROKERS:-}} ]]; then
    exec "$kpipe" broker --topic orders:3 -- "$0"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export KPIPE_REGISTRY=$work/registry.db

# Shows a command, runs it, and compares its status.
try() {
    local wanted=$1 status=0
    shift
    printf '\n$ kpipe %s\n' "$*"
    kpipe "$@" || status=$?
    ((status == wanted)) || { echo "approval: status $status instead of $wanted" >&2 && exit 1; }
}

is() { [[ $(kpipe topic describe orders) == *"\"state\":\"$1\""* ]] || { echo "approval: not $1" >&2 && exit 1; }; }

try 0 topic request orders --by alice --type payment
is PENDING
try 4 send orders '{"id":1}' --approved-only
try 4 subscription add user_1 orders
try 4 topic approve orders --by alice
try 0 topic approve orders --by bob --comment 'as discussed'
is APPROVED
try 1 topic plan
try 0 topic reconcile --by daemon
is ACTIVE
try 0 topic plan

try 0 subscription add user_1 orders
value='{"data_type":"payment","timestamp":"2026-11-20T10:00:00Z","payload":{"amount":12.50}}'
try 0 send orders "$value" --approved-only
try 0 tail --user user_1 -n 1 --values --timeout 30s | tee seen
[[ $(tail -n 1 seen) == "$value" ]]

try 0 topic deactivate orders --by alice --reason 'moved to shop.orders'
try 4 send orders "$value" --approved-only
try 0 topic history orders --output table
