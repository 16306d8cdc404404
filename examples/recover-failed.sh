#!/usr/bin/env bash
# Interrupts a long send, then sends what was left: with --failed, no line is lost, and none is sent twice for nothing.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:$here/../target/release:$here/../target/debug
kpipe=$(realpath "$(command -v "${KPIPE:-kpipe}")")

if [[ -z ${RECOVER_FAILED:-} ]]; then
    exec env RECOVER_FAILED=1 KPIPE="$kpipe" "$kpipe" broker --topic orders:1 -- "$here/recover-failed.sh"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

seq 2000 >day.txt
"$kpipe" send orders --lines --file day.txt --failed left.txt --rate 100/s &
send=$!

# When 20 are there, somebody ends it.
"$kpipe" tail orders -o beginning -n 20 --timeout 30s >/dev/null
kill -TERM "$send"
status=0
wait "$send" || status=$?
echo "status $status, left: $(wc -l <left.txt) of 2000 lines, the first because: $(head -n 1 left.txt.why)"
((status == 143))
[[ -s left.txt ]]

"$kpipe" send orders --lines --file left.txt

"$kpipe" tail orders -e --values | cmp - day.txt
echo "2000 lines, each once and in order"
