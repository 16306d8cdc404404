# Badges, counted from the log in another way than by badge.sh: user|count, sorted. jq -nr -f expected-badges.jq < record lines
[inputs.value] as $events
| ($events | map(select(.type == "MESSAGE_SENT").payload | {(.message_id): .user_id}) | add) as $author
| $events
| map(select(.type == "MESSAGE_SENT" or .type == "REACTION_ADDED")
    | .payload.user_id as $user
    | $author[if .type == "MESSAGE_SENT" then .payload.reply_to // "" else .payload.message_id end]
    | select(. and . != $user))
| group_by(.)[] | "\(.[0])|\(length)"
