#!/usr/bin/env bash
# Fills topics with payments and with parcels of one's own making, and proves that all of it arrived.
source "$(dirname "$0")/../setting.sh"
needs payments parcels

step "Send 3000 payments, keep a manifest of them, and compare what arrived with it"
try 0 "kpipe generate payment -n 3000 --manifest payments.json | kpipe send payments"
try 0 "kpipe tail payments -e | kpipe generate verify payments.json"

step "The same with parcels, which parcel.toml describes; one in a hundred is sent twice, which is no surprise to verify"
cp "$here/parcel.toml" .
try 0 "kpipe generate --spec parcel.toml -n 3000 --seed 7 --dup 1% --topic parcels --manifest parcels.json | kpipe send"
try 0 "kpipe tail parcels -e | kpipe generate verify parcels.json"

step "What is missing is told: one payment fewer"
try 1 "kpipe tail payments -e | tail -n +2 | kpipe generate verify payments.json | tee lost"
same 1 "$(jq .lost lost)" "payments that were lost"

step "The same seed and start make the same bytes, whenever and wherever"
try 0 "kpipe generate order -n 1000 --seed 7 --start 2026-11-20T00:00:00Z > one"
try 0 "kpipe generate order -n 1000 --seed 7 --start 2026-11-20T00:00:00Z > two"
cmp one two || fail "two runs differ"
