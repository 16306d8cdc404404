#!/usr/bin/env bash
# Interrupts a long send, then sends what was left: with --failed no line is lost, and none is sent twice for nothing.
source "$(dirname "$0")/../setting.sh"
needs orders:1

step "Send a day's lines, slowly, and interrupt that when some are there"
seq 2000 >day.txt
background kpipe send orders --lines --file day.txt --failed left.txt --rate 100/s
send=$!
try 0 "kpipe tail orders -o beginning -n 20 --timeout 30s > some"
status=0
end "$send" || status=$?
same 143 "$status" "status"
[[ -s left.txt ]] || fail "nothing was left"
echo "left are $(wc -l <left.txt) of 2000 lines, the first because: $(head -n 1 left.txt.why)"

step "Send what was left"
try 0 "kpipe send orders --lines --file left.txt"

kpipe tail orders -e --values | cmp - day.txt || fail "not the day's lines"
echo "2000 lines, each once and in order"
