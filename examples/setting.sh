# Sourced by the examples. Finds kpipe, makes a folder to work in that goes away at the end, with a registry and a
# configuration of its own in it, and gives words to tell what is done and to check it.
# shellcheck shell=bash
set -euo pipefail

# The folder of the example that sources this.
here=$(cd "$(dirname "$0")" && pwd)
built=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/target
PATH=$PATH:$built/release:$built/debug

fail() {
    echo "${0##*/}: $1" >&2
    exit 1
}

found=$(command -v "${KPIPE:-kpipe}") || { echo "${0##*/}: no kpipe on PATH or in target; cargo build makes one" >&2 && exit 2; }
KPIPE=$(realpath "$found")
export KPIPE

# wants TOOL…: ends with status 2 where one of them is not there.
wants() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || { echo "${0##*/}: needs $tool" >&2 && exit 2; }
    done
}

# needs TOPIC[:PARTITIONS]…: the topics of the example. Without a Kafka in KPIPE_BROKERS or KAFKA_BROKERS it starts the
# script again within one in memory that has them; on another it creates those that are not there.
needs() {
    local topic
    given "$@"
    for topic in "$@"; do
        kpipe -q wait topic "${topic%:*}" --timeout 0 2>/dev/null ||
            kpipe -q topic create "${topic%:*}" --partitions "$(partitions "$topic")"
    done
}

# given TOPIC[:PARTITIONS]…: the same where the example itself makes its topics, which the Kafka in memory cannot: that has
# them from the start, and another is left as it is.
given() {
    [[ -z ${KPIPE_BROKERS:-${KAFKA_BROKERS:-}} ]] || return 0
    cd "$here"
    rm -rf "$work"
    exec env -u KPIPE_CONFIG -u KPIPE_REGISTRY KPIPE_BUILT_IN=1 "$KPIPE" broker "${@/#/--topic=}" -- "$here/${0##*/}"
}

# Whether this is more than the Kafka in memory, which creates no topics, shows no groups and has no transactions of consumers.
real_kafka() { [[ -z ${KPIPE_BUILT_IN:-} ]]; }

# The count behind the colon, 3 where there is none, as with `kpipe broker`.
partitions() { if [[ $1 == *:* ]]; then echo "${1#*:}"; else echo 3; fi; }

# Says what comes next.
step() { printf '\n== %s\n' "$1"; }

# try STATUS COMMAND: shows a command line, runs it, and compares its status.
try() {
    local status=0
    printf '$ %s\n' "$2"
    eval "$2" || status=$?
    ((status == $1)) || fail "status $status instead of $1: $2"
    ((status == 0)) || printf '[status %s]\n' "$status"
}

# same EXPECTED ACTUAL WHAT: ends with both where they differ.
same() { [[ $1 == "$2" ]] || fail "$3: expected $(printf %q "$1"), got $(printf %q "$2")"; }

# Starts a command in the background; it is ended with the example. Its process id is $!. Without <&0 it would have nothing
# to read, whatever is redirected.
children=()
background() {
    "$@" <&0 &
    children+=("$!")
}

# end PROCESS: asks one of them to end, and waits until it has: its status.
end() {
    kill "$1" 2>/dev/null || true
    wait "$1"
}

leave() {
    local child
    for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
    wait
    rm -rf "$work"
}

work=$(mktemp -d)
trap leave EXIT
cd "$work"
mkdir bin
ln -s "$KPIPE" bin/kpipe
PATH=$work/bin:$PATH
: >config.toml
export KPIPE_CONFIG=$work/config.toml KPIPE_REGISTRY=$work/registry.db
