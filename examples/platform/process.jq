# What became of each order: who processed it, from where, and its headers as a map. One that cannot be charged is an error.
inputs
| if .value.total < 0 then error("order \(.value.order) has a total of \(.value.total)") else . end
| {key, value: {order: .value.order, member: $member, topic, partition, offset, headers: (.headers | from_entries)}}
