# A line of CSV for each message and each reaction: place, message, who, and which message it is about.
select(.value.type == "MESSAGE_SENT" or .value.type == "REACTION_ADDED")
| .value.payload as $payload
| if .value.type == "MESSAGE_SENT"
  then [.partition, .offset, $payload.message_id, $payload.user_id, $payload.reply_to]
  else [.partition, .offset, null, $payload.user_id, $payload.message_id]
  end
| @csv
