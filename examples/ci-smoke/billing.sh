#!/usr/bin/env bash
# The program under test: an invoice for each order above 100. Yours is a service in any language, and finds the address of
# Kafka in KAFKA_BROKERS.
exec kpipe -q handle orders -g billing -o beginning --where '/total>100' --to invoices -- \
    jq -c '.value |= {order: .id, amount: .total}'
