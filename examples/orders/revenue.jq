# A batch of OrderCreated, slurped, becomes a record for each currency: how many orders, and how much they come to.
group_by(.value.payload.currency)[]
| {
    key: .[0].value.payload.currency,
    value: {orders: length, total_minor: map(.value.payload.total_minor) | add}
  }
