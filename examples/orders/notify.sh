#!/usr/bin/env bash
# Tells a customer what became of an order: a line in sent.log, where a real one would call a gateway. `kpipe handle` runs it
# for each record, and its status is the verdict: 0 told, 65 nobody ever will (a dead letter at once), 69 the gateway is down.
set -euo pipefail

[[ ! -e gateway-is-down ]] || exit 69

read -r user what < <(jq -r '[.payload.user_id // "everybody", .data_type, .payload.status // empty] | join(" ")')
if [[ -e unknown-addresses ]] && grep -qx "$user" unknown-addresses; then
    echo "no address for this customer" >&2
    exit 65
fi
echo "$KAFKA_KEY $what to $user" >>sent.log
