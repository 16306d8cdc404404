#!/usr/bin/env bash
# Copies a topic from one cluster to another, each named by a profile, so that neither address stands in a command line. Starts
# two clusters in memory to do it on.
source "$(dirname "$0")/../setting.sh"

exec {prod}< <(exec kpipe broker --topic orders)
children+=("$!")
exec {dev}< <(exec kpipe broker --topic orders)
children+=("$!")

# A broker's first line is {"brokers":"127.0.0.1:40401"}.
address() { head -n 1 | jq -r .brokers; }
cat >config.toml <<TOML
[profiles.prod]
brokers = "$(address <&"$prod")"

[profiles.dev]
brokers = "$(address <&"$dev")"
properties = { "compression.type" = "zstd" }
TOML

step "Fill the topic of one cluster"
try 0 "seq 1000 | kpipe -C prod send orders --lines"

step "Copy it to the other"
try 0 "kpipe -C prod tail orders -e | kpipe -C dev send orders"

kpipe -C prod tail orders -e | sort >original
kpipe -C dev tail orders -e | sort >copied
same 1000 "$(wc -l <copied)" "records"
cmp original copied || fail "the copy differs"
echo "1000 records, each at its place, every byte the same"
