#!/usr/bin/env bash
# The handler: up to 100 orders in, what became of them out. Any status but 0 says that the whole batch is to come again.
# Without -n and inputs, jq would end with the status of the last order alone.
exec jq -nc --arg member "$1" -f "$(dirname "$0")/process.jq"
