# A line for people, with the actor as its key.
.value as {$type, $timestamp, $payload}
| (if $type == "LOGIN_FAILED"
   then "\($payload.reason), attempt \($payload.attempt)"
   else "\($payload.action) of \($payload.resource)"
   end) as $what
| {key, value: "\($timestamp) \($type) \($payload.actor) from \($payload.ip): \($what)"}
