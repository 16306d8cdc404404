//! `order`: food orders from basket to door, and the changes around them.
//!
//! A slot is a restaurant that has one order at a time: created, paid for, confirmed,
//! prepared, picked up, delivered. Whatever goes wrong after it was paid for is made good
//! by a refund of that payment (a saga's compensation). Between orders the restaurant
//! changes its menu, closes and opens; what is ordered is on the menu, at its price.

mod basket;
mod kitchen;
mod menu;
mod payloads;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fields::Name;
use super::shapes::{log_normal, one_of, rank};
use crate::generate::{Dice, Event, Id, Kind, Moment, PayloadSchema};
use basket::Basket;
use kitchen::Kitchen;
use menu::CUISINES;
use payloads::{
    MenuItemUpdated, OrderCreated, OrderStatusUpdated, PaymentProcessed, RestaurantStatusChanged,
    UserPreferenceUpdated,
};

const USERS: u32 = 2000;
const COURIERS: u32 = 300;

/// Orders of food, with what they need around them.
pub(super) struct Orders;

/// A restaurant and the order it has.
#[derive(Serialize, Deserialize)]
pub(super) struct Slot {
    kitchen: Kitchen,
    order: Option<Order>,
}

/// An order that is not yet over.
#[derive(Serialize, Deserialize)]
struct Order {
    id: Id,
    user: u32,
    courier: u32,
    basket: Basket,
    /// How many events it had.
    sequence: u32,
    stage: Stage,
    /// The payment that was tried last.
    payment: Id,
    /// How often it was tried to pay.
    attempts: u32,
}

/// How far an order is.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    Created,
    Declined,
    Paid,
    Confirmed,
    Preparing,
    Ready,
    PickedUp,
    /// Paid for and cancelled: a refund is owed.
    Owed,
    /// Delivered, refunded, or cancelled with nothing owed.
    Over,
}

/// What an order goes through next.
#[derive(Clone, Copy)]
enum Turn {
    Pay,
    Refund,
    Reach(Stage),
    Cancel(Reason),
}

/// Why an order is cancelled.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Reason {
    ChangedMind,
    NotPaid,
    RestaurantRejected,
    ItemUnavailable,
    NoCourier,
    NotDelivered,
}

impl Kind for Orders {
    type Entity = Slot;

    fn name(&self) -> &'static str {
        "order"
    }

    fn about(&self) -> &'static str {
        "food orders from basket to door, with payments, refunds, menus and restaurants"
    }

    fn entities(&self) -> u32 {
        200
    }

    fn interval(&self) -> Duration {
        Duration::from_mins(8)
    }

    fn payloads(&self) -> Vec<PayloadSchema> {
        payloads::schemas()
    }

    fn birth(&self, number: u32, _: Moment, _: &mut Dice, _: &mut Dice) -> Slot {
        Slot {
            kitchen: Kitchen::new(number),
            order: None,
        }
    }

    fn next(&self, slot: &mut Slot, at: Moment, life: &mut Dice, event: &mut Event) {
        match &mut slot.order {
            Some(order) => {
                order.go_on(&slot.kitchen, at, life, event);
                if order.stage == Stage::Over {
                    slot.order = None;
                }
            }
            None => slot.idle(at, life, event),
        }
        let minutes = match slot.order.as_ref().map(|order| order.stage) {
            None => 12.0,
            Some(Stage::Created | Stage::Declined | Stage::Owed) => 0.5,
            Some(Stage::Paid | Stage::Confirmed) => 1.5,
            Some(Stage::Preparing) => 14.0,
            Some(_) => 9.0,
        };
        event.wait_seconds(log_normal(life, minutes * 60.0, 0.6));
    }
}

impl Slot {
    /// What happens while there is no order: mostly one comes.
    fn idle(&mut self, at: Moment, life: &mut Dice, event: &mut Event) {
        let kitchen = &mut self.kitchen;
        let restaurant = Name("restaurant", kitchen.number);
        if !kitchen.open || life.chance(0.03) {
            kitchen.open = !kitchen.open;
            event.event_type("RestaurantStatusChanged");
            event.key(restaurant);
            event.payload(&RestaurantStatusChanged::new(kitchen));
        } else if life.chance(0.1) {
            let (place, before) = kitchen.change(life);
            event.event_type("MenuItemUpdated");
            event.key(restaurant);
            event.payload(&MenuItemUpdated::new(kitchen, place, before));
        } else if life.chance(0.05) {
            let user_id = Name("user", rank(life, USERS));
            event.event_type("UserPreferenceUpdated");
            event.key(user_id);
            event.payload(&UserPreferenceUpdated {
                user_id,
                cuisine: life.pick(&CUISINES).name,
                vegetarian: life.chance(0.2),
                notifications: one_of(life, &["PUSH", "EMAIL", "NONE"]),
            });
        } else {
            let order = Order::new(kitchen, at, life);
            event.event_type("OrderCreated");
            event.key(order.id);
            event.payload(&OrderCreated::new(&order, kitchen));
            self.order = Some(order);
        }
    }
}

impl Order {
    fn new(kitchen: &Kitchen, at: Moment, life: &mut Dice) -> Self {
        let id = life.id(at);
        Self {
            id,
            user: rank(life, USERS),
            courier: rank(life, COURIERS),
            basket: Basket::fill(kitchen, life),
            sequence: 1,
            stage: Stage::Created,
            payment: id,
            attempts: 0,
        }
    }

    fn go_on(&mut self, kitchen: &Kitchen, at: Moment, life: &mut Dice, event: &mut Event) {
        self.sequence += 1;
        event.key(self.id);
        match self.turn(life) {
            Turn::Pay => {
                self.attempts += 1;
                self.payment = life.id(at);
                let is_declined = life.chance(0.05);
                self.stage = if is_declined {
                    Stage::Declined
                } else {
                    Stage::Paid
                };
                let status = if is_declined { "DECLINED" } else { "CAPTURED" };
                self.tell_payment(kitchen, status, event);
            }
            Turn::Refund => {
                self.stage = Stage::Over;
                self.tell_payment(kitchen, "REFUNDED", event);
            }
            Turn::Reach(stage) => {
                let previous = std::mem::replace(&mut self.stage, stage);
                self.tell_status(kitchen, previous, None, event);
            }
            Turn::Cancel(reason) => {
                let is_paid = !matches!(self.stage, Stage::Created | Stage::Declined);
                let stage = if is_paid { Stage::Owed } else { Stage::Over };
                let previous = std::mem::replace(&mut self.stage, stage);
                self.tell_status(kitchen, previous, Some(reason), event);
            }
        }
    }

    /// Decides what comes next; most orders go well.
    fn turn(&self, life: &mut Dice) -> Turn {
        let (goes_wrong, reason, goes_well) = match self.stage {
            Stage::Created => (0.01, Reason::ChangedMind, Turn::Pay),
            Stage::Declined if self.attempts < 3 => (0.4, Reason::NotPaid, Turn::Pay),
            Stage::Declined => return Turn::Cancel(Reason::NotPaid),
            Stage::Paid => (
                0.03,
                Reason::RestaurantRejected,
                Turn::Reach(Stage::Confirmed),
            ),
            Stage::Confirmed => (0.015, Reason::ChangedMind, Turn::Reach(Stage::Preparing)),
            Stage::Preparing => (0.01, Reason::ItemUnavailable, Turn::Reach(Stage::Ready)),
            Stage::Ready => (0.003, Reason::NoCourier, Turn::Reach(Stage::PickedUp)),
            Stage::PickedUp => (0.005, Reason::NotDelivered, Turn::Reach(Stage::Over)),
            Stage::Owed | Stage::Over => return Turn::Refund,
        };
        if life.chance(goes_wrong) {
            Turn::Cancel(reason)
        } else {
            goes_well
        }
    }

    fn tell_payment(&self, kitchen: &Kitchen, status: &'static str, event: &mut Event) {
        event.event_type("PaymentProcessed");
        event.payload(&PaymentProcessed {
            order_id: self.id,
            sequence: self.sequence,
            user_id: Name("user", self.user),
            payment_id: self.payment,
            attempt: self.attempts,
            amount_minor: self.basket.total_minor(),
            currency: kitchen.currency().code,
            exponent: kitchen.currency().exponent,
            status,
        });
    }

    fn tell_status(
        &self,
        kitchen: &Kitchen,
        previous: Stage,
        reason: Option<Reason>,
        event: &mut Event,
    ) {
        let status = match self.stage {
            _ if reason.is_some() => "CANCELLED",
            Stage::Over => "DELIVERED",
            stage => stage.name(),
        };
        event.event_type("OrderStatusUpdated");
        event.payload(&OrderStatusUpdated {
            order_id: self.id,
            sequence: self.sequence,
            user_id: Name("user", self.user),
            restaurant_id: Name("restaurant", kitchen.number),
            previous: previous.name(),
            status,
            reason,
            courier_id: (status == "PICKED_UP" || previous == Stage::PickedUp)
                .then_some(Name("courier", self.courier)),
        });
    }
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Declined => "PAYMENT_DECLINED",
            Self::Paid => "PAID",
            Self::Confirmed => "CONFIRMED",
            Self::Preparing => "PREPARING",
            Self::Ready => "READY",
            Self::PickedUp => "PICKED_UP",
            Self::Owed | Self::Over => "CANCELLED",
        }
    }
}
