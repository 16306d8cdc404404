# Record lines of the orders $from to $to, of ten customers. Two of them nobody can charge.
range($from; $to + 1) | {
    key: (if $keyed then "customer-\(. % 10)" else null end),
    value: {order: ., customer: "customer-\(. % 10)", total: (if . == 100 or . == 400 then -1 else . end)},
    headers: [{key: "source", value: "shop"}, {key: "version", value: "2"}]
}
