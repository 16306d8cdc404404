# {"messages":["msg1","msg2"],"user_id":"user123"} as a value for each message.
del(.messages) + (.messages[] | {message: .})
