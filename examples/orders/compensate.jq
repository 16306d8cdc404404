# The saga's way back: a place in the kitchen was held while the payment was tried. It was declined, so the place is given back.
# The payment's id goes along: whoever gets the record twice can tell.
{
  key,
  value: {
    data_type: "KitchenReleased",
    timestamp: .value.timestamp,
    payload: (.value.payload | {order_id, payment_id, attempt, reason: "PAYMENT_DECLINED"})
  }
}
