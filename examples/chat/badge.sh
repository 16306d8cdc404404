#!/usr/bin/env bash
# Notification: notes what was answered and reacted to, so that the badge on a user's icon can be counted. Gets record lines on
# stdin, as many as there are. A record may come twice after a crash; its place is the primary key of badges.sql, so it counts once.
set -euo pipefail
jq -r -f badge.jq | sqlite3 -csv badges.db '.import /dev/stdin event'
