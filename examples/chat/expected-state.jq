# The state of messages, made from the log in another way than by SQL: what messages/*.sql make is compared with it.
# jq -n -c -f expected-state.jq < record lines
reduce (inputs | .value) as {$type, $payload} ({};
  $payload.message_id as $id
  | if $type == "MESSAGE_SENT" then
      .[$id] = ($payload | {id: .message_id, channel: .channel_id, user: .user_id, text, edits: 0, reactions: 0, deleted_by: null})
    elif $type == "MESSAGE_EDITED" then .[$id] += {text: $payload.text, edits: $payload.edit}
    elif $type == "MESSAGE_DELETED" then .[$id] += {text: null, deleted_by: $payload.by}
    else .[$id].reactions += 1
    end)
| to_entries | sort_by(.key) | .[].value
