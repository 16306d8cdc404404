#!/usr/bin/env bash
# Fills topics with payments and with parcels of one's own making, and proves that all of it arrived.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:$here/../target/release:$here/../target/debug
kpipe=$(realpath "$(command -v "${KPIPE:-kpipe}")")

# The second time round, within the broker, is the example.
if [[ -z ${GENERATE_EXAMPLE:-} ]]; then
    exec env GENERATE_EXAMPLE=1 KPIPE="$kpipe" "$kpipe" broker --topic payments --topic parcels -- "$here/generate.sh"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$kpipe" -q generate payment -n 3000 --manifest "$work/payments.json" | "$kpipe" -q send payments
"$kpipe" -q tail payments -e | "$kpipe" generate verify "$work/payments.json"

# parcel.toml says what a parcel is; one in a hundred is sent twice, which is no surprise to `verify`.
"$kpipe" -q generate --spec "$here/parcel.toml" -n 3000 --dup 1% --topic parcels --manifest "$work/parcels.json" |
    "$kpipe" -q send
"$kpipe" -q tail parcels -e | "$kpipe" generate verify "$work/parcels.json"

# The same seed and start are the same bytes, whenever and wherever.
for run in one two; do
    "$kpipe" -q generate order -n 1000 --seed 7 --start 2026-11-20 >"$work/$run"
done
cmp "$work/one" "$work/two"
