#!/usr/bin/env bash
# Keeps an index of restaurants and their dishes: a file each, with what was said last. With `--stream` it is started once, and
# answers each record line with a verdict line. Writing the same twice does no harm, so a record may come again.
set -euo pipefail

mkdir -p index
while IFS= read -r line; do
    name=$(jq -r '.value.payload | [.restaurant_id, .item_id // "status"] | join(".")' <<<"$line")
    jq -c .value.payload <<<"$line" >"index/$name"
    jq -c '{partition, offset, verdict: "accept"}' <<<"$line"
done
