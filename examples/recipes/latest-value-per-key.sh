#!/usr/bin/env bash
# A table of the latest value of each key, kept in SQLite in one transaction with how far it is: a price list, the state of
# devices, whatever a compacted topic holds. Run it again, and it goes on.
source "$(dirname "$0")/../setting.sh"
wants sqlite3
needs prices
cp "$here/latest.sql" .

step "Three prices, one of them changed"
printf '%s\n' 'tea 2.50' 'coffee 3.00' 'cake 4.20' 'tea 2.80' >prices
try 0 "kpipe send prices --lines --key-separator ' ' < prices"
try 0 "kpipe store prices -g price-list --db prices.db --sql latest.sql -e"
same 'cake=4.20 coffee=3.00 tea=2.80' "$(sqlite3 -separator = prices.db 'SELECT key, value FROM latest ORDER BY key' | paste -sd ' ')" \
    "the prices"

step "One more changes, one is taken off the list; the next run stores these two alone"
try 0 "kpipe send prices 3.10 -k coffee"
try 0 "kpipe send prices -k cake --tombstone"
try 0 "kpipe store prices -g price-list --db prices.db --sql latest.sql -e"
try 0 "sqlite3 -box prices.db 'SELECT key, value FROM latest ORDER BY key'"
same 'coffee=3.10 tea=2.80' "$(sqlite3 -separator = prices.db 'SELECT key, value FROM latest ORDER BY key' | paste -sd ' ')" \
    "the prices"
same 6 "$(sqlite3 prices.db 'SELECT count(*) FROM records')" "records that were stored"
