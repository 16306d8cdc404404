#!/usr/bin/env bash
# The browser: reads the websocket, here a named pipe, shows each message, and reports that it did.
set -euo pipefail
jq -c --unbuffered '{value: .message}' <websocket |
    kpipe -q trace mark DISPLAYED --service browser |
    jq -r --unbuffered '"\(.value.user_id): \(.value.message)"' >screen
