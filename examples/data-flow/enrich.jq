# A record line whose value says who consumed it, when, and where it was.
def iso8601:
    floor as $seconds
    | (1000000 * (. - $seconds) | floor + 1000000 | tostring[1:]) as $microseconds
    | ($seconds | strftime("%Y-%m-%dT%H:%M:%S")) + "." + $microseconds + "Z";

.value += {consumed_at: (now | iso8601), partition, offset, consumer_service: "consumer"}
