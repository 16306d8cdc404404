# A receipt as the gateway answers: 201 with the first form, 400 or 502 with the second.
if .error == null then
    {status: "success", message: "Message published to Kafka", topic, partition, offset}
elif .error.message | startswith("/message: required") then
    {error: "Message is required"}
else
    {error: .error.message}
end
