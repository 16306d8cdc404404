#!/usr/bin/env bash
# The producer: values in, answers out, as the gateway hands them to clients. What is refused is kept in refused.jsonl.
# message_id is for tracing; a client may bring its own.
set -euo pipefail
kpipe -q send messages --lines --receipts all --failed refused.jsonl --delivery-timeout 10s \
    --require message \
    --default user_id=anonymous --default message_id=uuid --assign timestamp=now --assign service=producer \
    --trace --service producer |
    jq -c -f "$(dirname "$0")/answer.jq"
