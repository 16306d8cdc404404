#!/usr/bin/env bash
# One percent of a topic: all records of one key in a hundred, the same keys on every machine and every day, so that what a
# user did stays together, and samples of several topics fit each other.
source "$(dirname "$0")/../setting.sh"
needs visits sample
cp "$here/sample.awk" .

step "20000 events of 2000 users"
# --now, because retention goes by the time of a record, and a fixed day is past it sooner or later.
try 0 "kpipe -q generate analytics -n 20000 --entities 2000 --seed 1 --start 2026-11-20T00:00:00Z | kpipe send visits --now"

step "Copy what one user in a hundred did"
try 0 "kpipe tail visits -e | LC_ALL=C awk -f sample.awk | kpipe send sample"
kpipe tail visits -e -f '%k %s\n' | sort >all
kpipe tail sample -e -f '%k %s\n' | sort >sampled
cut -d ' ' -f 1 sampled | sort -u >users
echo "$(wc -l <users) of 2000 users, $(wc -l <sampled) of $(wc -l <all) records"
same 18 "$(wc -l <users)" "users in the sample"

step "Each of them is there with all that he did, every byte the same"
grep -wFf users all | sort | cmp - sampled || fail "a user is there in part"
