//! The payloads of orders and what is around them, and their schemas.

use serde::{Serialize, Serializer};
use serde_json::json;

use super::basket::Basket;
use super::kitchen::{Dish, Kitchen};
use super::menu::CUISINES;
use super::{Order, Reason};
use crate::generate::kinds::fields::{self, Name, Text};
use crate::generate::kinds::people::Person;
use crate::generate::{Id, PayloadSchema};

#[derive(Serialize)]
pub(super) struct OrderCreated<'a> {
    order_id: Id,
    sequence: u32,
    user_id: Name,
    restaurant_id: Name,
    lines: Lines<'a>,
    subtotal_minor: u32,
    delivery_fee_minor: u32,
    discount_minor: u32,
    total_minor: u32,
    currency: &'static str,
    exponent: u8,
    delivery: Delivery,
}

impl<'a> OrderCreated<'a> {
    pub(super) fn new(order: &'a Order, kitchen: &'a Kitchen) -> Self {
        let basket = &order.basket;
        Self {
            order_id: order.id,
            sequence: order.sequence,
            user_id: Name("user", order.user),
            restaurant_id: Name("restaurant", kitchen.number),
            lines: Lines { basket, kitchen },
            subtotal_minor: basket.subtotal_minor(),
            delivery_fee_minor: basket.delivery_fee_minor,
            discount_minor: basket.discount_minor,
            total_minor: basket.total_minor(),
            currency: kitchen.currency().code,
            exponent: kitchen.currency().exponent,
            delivery: Delivery(Person(order.user)),
        }
    }
}

struct Lines<'a> {
    basket: &'a Basket,
    kitchen: &'a Kitchen,
}

impl Serialize for Lines<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Line {
            item_id: Name,
            name: &'static str,
            quantity: u32,
            unit_price_minor: u32,
            total_minor: u32,
        }
        serializer.collect_seq(self.basket.lines.iter().map(|line| Line {
            item_id: item(line.dish),
            name: self.kitchen.dish_name(line.dish),
            quantity: line.quantity,
            unit_price_minor: line.unit_price_minor,
            total_minor: line.total_minor(),
        }))
    }
}

/// Where a user lives.
struct Delivery(Person);

impl Serialize for Delivery {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Address<Name, Street, Phone> {
            name: Name,
            street: Street,
            phone: Phone,
        }
        let address = Address {
            name: Text(self.0),
            street: Text(self.0.street()),
            phone: Text(self.0.phone()),
        };
        address.serialize(serializer)
    }
}

#[derive(Serialize)]
pub(super) struct PaymentProcessed {
    pub order_id: Id,
    pub sequence: u32,
    pub user_id: Name,
    pub payment_id: Id,
    pub attempt: u32,
    pub amount_minor: u32,
    pub currency: &'static str,
    pub exponent: u8,
    pub status: &'static str,
}

#[derive(Serialize)]
pub(super) struct OrderStatusUpdated {
    pub order_id: Id,
    pub sequence: u32,
    pub user_id: Name,
    pub restaurant_id: Name,
    pub previous: &'static str,
    pub status: &'static str,
    pub reason: Option<Reason>,
    pub courier_id: Option<Name>,
}

#[derive(Serialize)]
pub(super) struct MenuItemUpdated {
    restaurant_id: Name,
    item_id: Name,
    name: &'static str,
    previous_price_minor: u32,
    price_minor: u32,
    currency: &'static str,
    exponent: u8,
    available: bool,
}

impl MenuItemUpdated {
    pub(super) fn new(kitchen: &Kitchen, place: usize, before: Dish) -> Self {
        Self {
            restaurant_id: Name("restaurant", kitchen.number),
            item_id: item(place),
            name: kitchen.dish_name(place),
            previous_price_minor: before.price_minor,
            price_minor: kitchen.menu[place].price_minor,
            currency: kitchen.currency().code,
            exponent: kitchen.currency().exponent,
            available: kitchen.menu[place].available,
        }
    }
}

#[derive(Serialize)]
pub(super) struct RestaurantStatusChanged<'a> {
    restaurant_id: Name,
    name: Title<'a>,
    cuisine: &'static str,
    status: &'static str,
    previous: &'static str,
}

impl<'a> RestaurantStatusChanged<'a> {
    pub(super) fn new(kitchen: &'a Kitchen) -> Self {
        let (status, previous) = if kitchen.open {
            ("OPEN", "CLOSED")
        } else {
            ("CLOSED", "OPEN")
        };
        Self {
            restaurant_id: Name("restaurant", kitchen.number),
            name: Title(kitchen),
            cuisine: kitchen.cuisine().name,
            status,
            previous,
        }
    }
}

struct Title<'a>(&'a Kitchen);

impl Serialize for Title<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (word, noun) = self.0.name();
        serializer.collect_str(&format_args!("{word} {noun}"))
    }
}

#[derive(Serialize)]
pub(super) struct UserPreferenceUpdated {
    pub user_id: Name,
    pub cuisine: &'static str,
    pub vegetarian: bool,
    pub notifications: &'static str,
}

fn item(place: usize) -> Name {
    Name("item", u32::try_from(place).unwrap_or(u32::MAX))
}

/// Returns the schema of each.
pub(super) fn schemas() -> Vec<PayloadSchema> {
    let id = fields::id();
    let sequence =
        json!({"type": "integer", "minimum": 1, "description": "counts the events of the order"});
    let (user, restaurant) = (fields::name("user"), fields::name("restaurant"));
    let item = fields::name("item");
    let money = fields::count_from(0);
    let currency = json!({"enum": ["EUR", "USD", "GBP"]});
    let exponent = json!({"const": 2});
    let text = json!({"type": "string", "minLength": 1});
    let cuisine = json!({"enum": CUISINES.map(|cuisine| cuisine.name)});
    let line = fields::object(&json!({
        "item_id": item,
        "name": text,
        "quantity": fields::count_from(1),
        "unit_price_minor": money,
        "total_minor": money,
    }));
    vec![
        fields::payload(
            "OrderCreated",
            &json!({
                "order_id": id,
                "sequence": {"const": 1},
                "user_id": user,
                "restaurant_id": restaurant,
                "lines": {"type": "array", "minItems": 1, "items": line},
                "subtotal_minor": money,
                "delivery_fee_minor": money,
                "discount_minor": money,
                "total_minor": {"type": "integer", "minimum": 1, "description": "lines and delivery less discount"},
                "currency": currency,
                "exponent": exponent,
                "delivery": fields::object(&json!({
                    "name": text,
                    "street": text,
                    "phone": {"type": "string", "pattern": r"^\+1-[0-9]{3}-555-01[0-9]{2}$"},
                })),
            }),
        ),
        fields::payload(
            "PaymentProcessed",
            &json!({
                "order_id": id,
                "sequence": sequence,
                "user_id": user,
                "payment_id": id,
                "attempt": fields::count_from(1),
                "amount_minor": {"type": "integer", "minimum": 1},
                "currency": currency,
                "exponent": exponent,
                "status": {"enum": ["CAPTURED", "DECLINED", "REFUNDED"]},
            }),
        ),
        fields::payload(
            "OrderStatusUpdated",
            &json!({
                "order_id": id,
                "sequence": sequence,
                "user_id": user,
                "restaurant_id": restaurant,
                "previous": {"enum": ["CREATED", "PAYMENT_DECLINED", "PAID", "CONFIRMED", "PREPARING", "READY", "PICKED_UP"]},
                "status": {"enum": ["CONFIRMED", "PREPARING", "READY", "PICKED_UP", "DELIVERED", "CANCELLED"]},
                "reason": fields::nullable(&json!({"enum": ["CHANGED_MIND", "NOT_PAID", "RESTAURANT_REJECTED", "ITEM_UNAVAILABLE", "NO_COURIER", "NOT_DELIVERED"]})),
                "courier_id": fields::nullable(&fields::name("courier")),
            }),
        ),
        fields::payload(
            "MenuItemUpdated",
            &json!({
                "restaurant_id": restaurant,
                "item_id": item,
                "name": text,
                "previous_price_minor": money,
                "price_minor": money,
                "currency": currency,
                "exponent": exponent,
                "available": {"type": "boolean"},
            }),
        ),
        fields::payload(
            "RestaurantStatusChanged",
            &json!({
                "restaurant_id": restaurant,
                "name": text,
                "cuisine": cuisine,
                "status": {"enum": ["OPEN", "CLOSED"]},
                "previous": {"enum": ["OPEN", "CLOSED"]},
            }),
        ),
        fields::payload(
            "UserPreferenceUpdated",
            &json!({
                "user_id": user,
                "cuisine": cuisine,
                "vegetarian": {"type": "boolean"},
                "notifications": {"enum": ["PUSH", "EMAIL", "NONE"]},
            }),
        ),
    ]
}
