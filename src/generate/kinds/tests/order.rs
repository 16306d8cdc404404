//! `order`: totals, the order of events, and what becomes of money.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::testing::payloads;
use super::{count, share, text};

const COUNT: usize = 100_000;

/// An order as a consumer sees it.
struct Seen {
    created: Value,
    sequence: u64,
    stage: String,
    captured: Option<String>,
    /// Cancelled after it was paid for.
    owed: bool,
    is_over: bool,
}

/// Follows the events of all orders and checks each against what was before.
#[derive(Default)]
struct Ledger {
    orders: BTreeMap<String, Seen>,
    payments: BTreeSet<String>,
    refunds: usize,
}

impl Ledger {
    fn take(&mut self, name: &str, key: &str, payload: &Value) {
        assert_eq!(key, text(payload, "order_id"));
        if name == "OrderCreated" {
            let created = Seen {
                created: payload.clone(),
                sequence: 1,
                stage: "CREATED".to_owned(),
                captured: None,
                owed: false,
                is_over: false,
            };
            assert_eq!(count(payload, "sequence"), 1);
            assert!(
                self.orders.insert(key.to_owned(), created).is_none(),
                "twice: {payload}"
            );
            return;
        }
        let order = self.orders.get_mut(key).expect("an order that was created");
        assert!(!order.is_over, "{payload}");
        order.sequence += 1;
        assert_eq!(count(payload, "sequence"), order.sequence, "{payload}");
        assert_eq!(payload["user_id"], order.created["user_id"]);
        if name == "PaymentProcessed" {
            let id = text(payload, "payment_id").to_owned();
            assert_eq!(payload["amount_minor"], order.created["total_minor"]);
            assert_eq!(payload["currency"], order.created["currency"]);
            let status = text(payload, "status");
            if status == "REFUNDED" {
                assert!(
                    order.owed && order.captured.as_ref() == Some(&id),
                    "{payload}"
                );
                order.is_over = true;
                self.refunds += 1;
                return;
            }
            assert!(self.payments.insert(id.clone()), "{payload}");
            assert!(
                ["CREATED", "PAYMENT_DECLINED"].contains(&order.stage.as_str()),
                "{payload}"
            );
            order.stage = if status == "CAPTURED" {
                order.captured = Some(id);
                "PAID".to_owned()
            } else {
                "PAYMENT_DECLINED".to_owned()
            };
            return;
        }
        assert!(!order.owed, "only its refund may follow: {payload}");
        assert_eq!(payload["previous"], order.stage.as_str());
        assert_eq!(payload["restaurant_id"], order.created["restaurant_id"]);
        let status = text(payload, "status");
        assert_eq!(
            payload["reason"].is_string(),
            status == "CANCELLED",
            "{payload}"
        );
        let before = match status {
            "CONFIRMED" => "PAID",
            "PREPARING" => "CONFIRMED",
            "READY" => "PREPARING",
            "PICKED_UP" => "READY",
            "DELIVERED" => "PICKED_UP",
            _ => order.stage.as_str(),
        };
        assert_eq!(order.stage, before, "{payload}");
        order.owed = status == "CANCELLED" && order.captured.is_some();
        order.is_over = status == "DELIVERED" || (status == "CANCELLED" && !order.owed);
        order.stage = status.to_owned();
    }
}

#[test]
fn an_order_goes_its_way_and_is_refunded_exactly_when_it_was_paid_for_and_cancelled() {
    let mut ledger = Ledger::default();
    for (event, payload) in payloads("order", 1, COUNT) {
        let name = event.name.unwrap();
        if payload["order_id"].is_string() {
            ledger.take(name, &event.key, &payload);
        }
    }
    let over: Vec<&Seen> = ledger
        .orders
        .values()
        .filter(|order| order.is_over)
        .collect();
    let delivered = over
        .iter()
        .filter(|order| order.stage == "DELIVERED")
        .count();
    assert!(
        (0.85..0.97).contains(&share(delivered, over.len())),
        "{delivered} of {}",
        over.len()
    );
    assert!(ledger.refunds > 300, "{}", ledger.refunds);
    // What is still open is no more than one order a slot.
    assert!(ledger.orders.len() - over.len() <= 200);
}

#[test]
fn lines_add_up_and_are_on_the_menu_of_an_open_restaurant() {
    let mut closed: BTreeSet<String> = BTreeSet::new();
    let mut gone: BTreeSet<(String, String)> = BTreeSet::new();
    let mut prices: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut discounts = 0;
    for (event, payload) in payloads("order", 1, COUNT) {
        let item = |item: &Value| {
            (
                text(&payload, "restaurant_id").to_owned(),
                text(item, "item_id").to_owned(),
            )
        };
        match event.name.unwrap() {
            "OrderCreated" => {
                assert!(
                    !closed.contains(text(&payload, "restaurant_id")),
                    "{payload}"
                );
                let mut subtotal = 0;
                for line in payload["lines"].as_array().unwrap() {
                    let price = count(line, "unit_price_minor");
                    assert_eq!(count(line, "total_minor"), count(line, "quantity") * price);
                    subtotal += count(line, "total_minor");
                    assert!(!gone.contains(&item(line)), "{payload}");
                    assert_eq!(
                        *prices.entry(item(line)).or_insert(price),
                        price,
                        "{payload}"
                    );
                }
                assert_eq!(count(&payload, "subtotal_minor"), subtotal);
                let discount = count(&payload, "discount_minor");
                discounts += usize::from(discount > 0);
                let total = subtotal + count(&payload, "delivery_fee_minor") - discount;
                assert_eq!(count(&payload, "total_minor"), total, "{payload}");
            }
            "MenuItemUpdated" => {
                let place = item(&payload);
                let before = count(&payload, "previous_price_minor");
                assert_eq!(*prices.get(&place).unwrap_or(&before), before, "{payload}");
                prices.insert(place.clone(), count(&payload, "price_minor"));
                let was_gone = gone.remove(&place);
                if payload["available"] == false {
                    assert!(!was_gone, "{payload}");
                    gone.insert(place);
                } else {
                    assert!(
                        was_gone || payload["price_minor"] != before,
                        "nothing new: {payload}"
                    );
                }
            }
            "RestaurantStatusChanged" => {
                let name = text(&payload, "restaurant_id").to_owned();
                let is_closing = payload["status"] == "CLOSED";
                assert_ne!(payload["status"], payload["previous"]);
                assert_eq!(is_closing, !closed.remove(&name), "{payload}");
                if is_closing {
                    closed.insert(name);
                }
            }
            _ => {}
        }
    }
    assert!(discounts > 500, "{discounts}");
}
