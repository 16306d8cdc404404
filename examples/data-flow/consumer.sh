#!/usr/bin/env bash
# The consumer, run by `kpipe handle` for up to 100 record lines: enriches, stores, broadcasts. Only then are they
# committed. Should they come again, they are not stored twice, because a record's place is its primary key.
set -euo pipefail
files=$(dirname "$0")
lines=$(jq -c -f "$files/enrich.jq")
kpipe -q store --db messages.db --sql "$files/messages.sql" --trace --service consumer <<<"$lines"
kpipe -q trace mark BROADCASTED --service consumer <<<"$lines" |
    jq -c '{type: "new_message", message: .value}' >websocket
