#!/usr/bin/env bash
# Copies a topic from one cluster to another, each named by a profile. Starts two clusters in memory to do it on.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:$here/../target/release:$here/../target/debug
kpipe=$(realpath "$(command -v "${KPIPE:-kpipe}")")
work=$(mktemp -d)
cd "$work"

exec {prod}< <(exec "$kpipe" broker --topic orders)
brokers=("$!")
exec {dev}< <(exec "$kpipe" broker --topic orders)
brokers+=("$!")
trap 'kill "${brokers[@]}"; rm -rf "$work"' EXIT

# A broker's first line is {"brokers":"127.0.0.1:40401"}.
address() { head -n 1 | cut -d '"' -f 4; }
cat >config.toml <<TOML
[profiles.prod]
brokers = "$(address <&"$prod")"

[profiles.dev]
brokers = "$(address <&"$dev")"
properties = { "compression.type" = "zstd" }
TOML
export KPIPE_CONFIG=$work/config.toml

seq 1000 | "$kpipe" -q -C prod send orders --lines

# This line is the example.
"$kpipe" -C prod tail orders -e | "$kpipe" -C dev send orders

"$kpipe" -C prod tail orders -e | sort >original
"$kpipe" -C dev tail orders -e | sort >copied
(($(wc -l <original) == 1000))
cmp original copied
echo "copied $(wc -l <copied) records, every byte the same"
