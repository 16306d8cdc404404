//! `payment`: payments from authorisation to settlement, one after the other in each slot.
//!
//! AUTHORIZED → CAPTURED → SETTLED, and then perhaps REFUNDED or CHARGEBACK; or DECLINED.
//! Amounts are log-normal about what the merchant's trade costs, with a Pareto tail.
//! Few customers pay often, and mostly at few merchants of their own country (Zipf).

use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;

use super::fields::{self, Name, Text};
use super::market::{
    COUNTRIES, COUNTRY_COUNT, Currency, MERCHANT_WORDS, TEST_CARDS, TRADES, Trade,
};
use super::month::Month;
use super::shapes::{choice, gamma, log_normal, pareto, rank, scatter, weighted, whole};
use crate::generate::{Dice, Event, Id, Kind, Moment, PayloadSchema};

const CUSTOMERS: u32 = 5000;
const MERCHANTS_OF_COUNTRY: u32 = 40;
/// The most that is paid at once, in euros.
const MOST: f64 = 100_000.0;
const MINUTE: f64 = 60.0;

/// Payments by card and by transfer.
pub(super) struct Payments;

/// One payment after the other.
#[derive(Serialize, Deserialize)]
pub(super) struct Slot(Option<Payment>);

/// A payment as it was last told.
#[derive(Serialize, Deserialize)]
pub(super) struct Payment {
    id: Id,
    order: Id,
    customer: u32,
    merchant: u32,
    amount_minor: u64,
    means: Means,
    /// When the card expires; of no meaning without a card.
    expiry: Month,
    status: Status,
    response: Response,
    authorization: u32,
    risk: u32,
}

/// What is paid with, and how the card is read.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Means {
    Card(Entry),
    Wallet(Entry),
    BankTransfer,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Entry {
    Contactless,
    Chip,
    Ecommerce,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Status {
    Authorized,
    Captured,
    Settled,
    Declined,
    Refunded,
    Chargeback,
}

/// Response codes of ISO 8583.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Response {
    #[serde(rename = "00")]
    Approved,
    #[serde(rename = "05")]
    DoNotHonor,
    #[serde(rename = "51")]
    InsufficientFunds,
    #[serde(rename = "54")]
    ExpiredCard,
    #[serde(rename = "57")]
    NotPermitted,
    #[serde(rename = "61")]
    ExceedsLimit,
    #[serde(rename = "91")]
    IssuerInoperative,
}

const MEANS: [(f64, Means); 6] = [
    (0.35, Means::Card(Entry::Contactless)),
    (0.15, Means::Card(Entry::Chip)),
    (0.20, Means::Card(Entry::Ecommerce)),
    (0.10, Means::Wallet(Entry::Contactless)),
    (0.10, Means::Wallet(Entry::Ecommerce)),
    (0.10, Means::BankTransfer),
];

const CARD_DECLINES: [(f64, Response); 6] = [
    (45.0, Response::InsufficientFunds),
    (30.0, Response::DoNotHonor),
    (8.0, Response::ExpiredCard),
    (7.0, Response::ExceedsLimit),
    (6.0, Response::NotPermitted),
    (4.0, Response::IssuerInoperative),
];

const TRANSFER_DECLINES: [(f64, Response); 2] = [
    (80.0, Response::InsufficientFunds),
    (20.0, Response::IssuerInoperative),
];

#[derive(Serialize)]
struct Payload {
    payment_id: Id,
    order_id: Id,
    customer: Customer,
    merchant: Merchant,
    amount_minor: u64,
    currency: &'static str,
    exponent: u8,
    method: &'static str,
    card: Option<Card>,
    status: Status,
    response_code: Response,
    authorization_code: Option<Code>,
    risk: u32,
}

#[derive(Serialize)]
struct Customer {
    id: Name,
    country: &'static str,
}

#[derive(Serialize)]
struct Merchant {
    id: Name,
    name: Title,
    category: &'static str,
    category_code: &'static str,
    country: &'static str,
}

#[derive(Serialize)]
struct Card {
    scheme: &'static str,
    number: Masked,
    expiry: Text<Month>,
    entry: Entry,
}

impl Kind for Payments {
    type Entity = Slot;

    fn name(&self) -> &'static str {
        "payment"
    }

    fn about(&self) -> &'static str {
        "payments at merchants, authorized to settled, declined, refunded or charged back"
    }

    fn entities(&self) -> u32 {
        1000
    }

    fn interval(&self) -> Duration {
        Duration::from_hours(8)
    }

    fn payloads(&self) -> Vec<PayloadSchema> {
        let countries = COUNTRIES.map(|(code, _)| code);
        let mut currencies = COUNTRIES.map(|(_, currency)| currency.code).to_vec();
        currencies.sort_unstable();
        currencies.dedup();
        vec![fields::payload(
            "payment",
            &json!({
                "payment_id": fields::id(),
                "order_id": fields::id(),
                "customer": fields::object(&json!({
                    "id": fields::name("customer"),
                    "country": {"enum": countries},
                })),
                "merchant": fields::object(&json!({
                    "id": fields::name("merchant"),
                    "name": {"type": "string", "minLength": 1},
                    "category": {"enum": TRADES.map(|trade| trade.category)},
                    "category_code": {"type": "string", "pattern": "^[0-9]{4}$", "description": "ISO 18245"},
                    "country": {"enum": countries},
                })),
                "amount_minor": {"type": "integer", "minimum": 1, "description": "in units of 10^-exponent of the currency"},
                "currency": {"enum": currencies, "description": "ISO 4217"},
                "exponent": {"enum": [0, 2, 3], "description": "decimal digits of the currency"},
                "method": {"enum": ["CARD", "WALLET", "BANK_TRANSFER"]},
                "card": fields::nullable(&fields::object(&json!({
                    "scheme": {"enum": ["VISA", "MASTERCARD", "AMEX", "DISCOVER", "JCB", "DINERS", "UNIONPAY"]},
                    "number": {"type": "string", "pattern": r"^[0-9]{6}\*{4,6}[0-9]{4}$"},
                    "expiry": {"type": "string", "pattern": "^[0-9]{4,}-(0[1-9]|1[0-2])$"},
                    "entry": {"enum": ["CONTACTLESS", "CHIP", "ECOMMERCE"]},
                }))),
                "status": {"enum": ["AUTHORIZED", "CAPTURED", "SETTLED", "DECLINED", "REFUNDED", "CHARGEBACK"]},
                "response_code": {"enum": ["00", "05", "51", "54", "57", "61", "91"], "description": "ISO 8583; 00 is approved"},
                "authorization_code": fields::nullable(&json!({"type": "string", "pattern": "^[0-9]{6}$"})),
                "risk": {"type": "integer", "minimum": 0, "maximum": 100},
            }),
        )]
    }

    fn birth(&self, _: u32, _: Moment, _: &mut Dice, _: &mut Dice) -> Slot {
        Slot(None)
    }

    fn next(&self, slot: &mut Slot, at: Moment, life: &mut Dice, event: &mut Event) {
        let next = slot.0.as_ref().and_then(|payment| payment.next(life));
        let payment = match (&mut slot.0, next) {
            (Some(payment), Some(status)) => {
                payment.status = status;
                payment
            }
            (slot, _) => slot.insert(Payment::new(at, life)),
        };
        event.key(payment.id);
        event.payload(&payment.payload());
        event.wait_seconds(match payment.status {
            Status::Authorized => log_normal(life, 20.0 * MINUTE, 1.0),
            Status::Captured => log_normal(life, 1440.0 * MINUTE, 0.3),
            _ => log_normal(life, 30.0 * MINUTE, 1.0),
        });
    }
}

impl Payment {
    fn new(at: Moment, life: &mut Dice) -> Self {
        let customer = rank(life, CUSTOMERS);
        let is_abroad = life.chance(0.06);
        let place = if is_abroad {
            1 + rank(life, COUNTRY_COUNT - 1)
        } else {
            0
        };
        // Numbers that leave the same remainder are of the same country.
        let merchant =
            rank(life, MERCHANTS_OF_COUNTRY) * COUNTRY_COUNT + (customer + place) % COUNTRY_COUNT;
        let (euros, is_tail) = amount(life, trade(merchant));
        let means = weighted(life, &MEANS);
        let is_remote = matches!(
            means,
            Means::Card(Entry::Ecommerce) | Means::Wallet(Entry::Ecommerce)
        );
        let risk = risk(life, is_tail, is_abroad, is_remote);
        let is_declined = life.chance(0.02 + 0.4 * (f64::from(risk) / 100.0).powi(2));
        let response = match means {
            _ if !is_declined => Response::Approved,
            Means::BankTransfer => weighted(life, &TRANSFER_DECLINES),
            _ => weighted(life, &CARD_DECLINES),
        };
        let expiry = Month::of_expiry(at, scatter(customer.into()) >> 16);
        Self {
            id: life.id(at),
            order: life.id(at),
            customer,
            merchant,
            amount_minor: in_minor_units(life, euros, &country(merchant).1),
            means,
            expiry: if response == Response::ExpiredCard {
                expiry.of_card_before()
            } else {
                expiry
            },
            status: if is_declined {
                Status::Declined
            } else {
                Status::Authorized
            },
            response,
            authorization: whole(life.between(0.0, 999_999.0)),
            risk,
        }
    }

    /// Returns what it becomes; `None` when nothing more happens to it.
    fn next(&self, life: &mut Dice) -> Option<Status> {
        // A transfer cannot be charged back.
        let chargeback = if self.means == Means::BankTransfer {
            0.0
        } else {
            0.004
        };
        match self.status {
            Status::Authorized => Some(Status::Captured),
            Status::Captured => Some(Status::Settled),
            Status::Settled => weighted(
                life,
                &[
                    (0.956, None),
                    (0.04, Some(Status::Refunded)),
                    (chargeback, Some(Status::Chargeback)),
                ],
            ),
            Status::Declined | Status::Refunded | Status::Chargeback => None,
        }
    }

    fn payload(&self) -> Payload {
        let (merchant_country, currency) = country(self.merchant);
        let trade = trade(self.merchant);
        let (method, entry) = match self.means {
            Means::Card(entry) => ("CARD", Some(entry)),
            Means::Wallet(entry) => ("WALLET", Some(entry)),
            Means::BankTransfer => ("BANK_TRANSFER", None),
        };
        let (scheme, card) = choice(&TEST_CARDS, scatter(self.customer.into()) >> 8);
        Payload {
            payment_id: self.id,
            order_id: self.order,
            customer: Customer {
                id: Name("customer", self.customer),
                country: country(self.customer).0,
            },
            merchant: Merchant {
                id: Name("merchant", self.merchant),
                name: Title(self.merchant, trade.noun),
                category: trade.category,
                category_code: trade.code,
                country: merchant_country,
            },
            amount_minor: self.amount_minor,
            currency: currency.code,
            exponent: currency.exponent,
            method,
            card: entry.map(|entry| Card {
                scheme,
                number: Masked(card),
                expiry: Text(self.expiry),
                entry,
            }),
            status: self.status,
            response_code: self.response,
            authorization_code: (self.response == Response::Approved)
                .then_some(Code(self.authorization)),
            risk: self.risk,
        }
    }
}

/// Returns the country of a customer or a merchant, and what is paid with there.
fn country(number: u32) -> &'static (&'static str, Currency) {
    choice(&COUNTRIES, number.into())
}

/// Returns what a merchant trades in.
fn trade(merchant: u32) -> &'static Trade {
    choice(&TRADES, scatter(u64::from(merchant)))
}

/// Draws what is paid in a trade, in euros, and whether it is of the heavy tail.
fn amount(life: &mut Dice, trade: &Trade) -> (f64, bool) {
    let euros = log_normal(life, trade.median, trade.spread);
    if life.chance(trade.tail) {
        ((euros * 2.0 * pareto(life, 1.6)).min(MOST), true)
    } else {
        (euros.min(MOST), false)
    }
}

/// Draws the amount as shops write prices: many end in .99, .00 or .50.
fn in_minor_units(life: &mut Dice, euros: f64, currency: &Currency) -> u64 {
    let unit = 10_u32.pow(currency.exponent.into());
    let exact = whole(euros * currency.per_euro * f64::from(unit)).max(1);
    // Where there is no minor unit, hundreds take the place of wholes.
    let (step, below) = match unit {
        1 => (100, 20),
        _ => (unit, unit / 100),
    };
    let up = exact.next_multiple_of(step);
    (weighted(
        life,
        &[
            (0.45, exact),
            (0.30, up - below),
            (0.15, up),
            (0.10, up - step / 2),
        ],
    ))
    .into()
}

/// Draws from 0 to 100; payments that look unusual are higher.
fn risk(life: &mut Dice, is_tail: bool, is_abroad: bool, is_remote: bool) -> u32 {
    let reasons = [(is_tail, 25.0), (is_abroad, 20.0), (is_remote, 8.0)];
    let reasons = reasons.iter().filter(|(is, _)| *is).map(|(_, risk)| risk);
    whole(reasons.sum::<f64>() + gamma(life, 1.5, 9.0)).min(100)
}

/// A merchant's name, from its number and what it is.
struct Title(u32, &'static str);

impl Serialize for Title {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let word = choice(&MERCHANT_WORDS, self.0.into());
        serializer.collect_str(&format_args!("{word} {}", self.1))
    }
}

/// A card number of which only the first six and the last four digits show (PCI DSS 3.4).
struct Masked(&'static str);

impl Serialize for Masked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (first, rest) = self.0.split_at(6);
        let (hidden, last) = rest.split_at(rest.len() - 4);
        serializer.collect_str(&format_args!("{first}{:*<1$}{last}", "", hidden.len()))
    }
}

/// What an issuer approves with.
struct Code(u32);

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:06}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Seed;

    #[test]
    fn amounts_are_log_normal_with_a_heavy_tail() {
        let electronics = &TRADES[4];
        let mut dice = Seed::new(1).dice(0);
        let draws = (0..200_000).map(|_| amount(&mut dice, electronics).0);
        let mut amounts: Vec<f64> = draws.collect();
        amounts.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| amounts[whole(share * 200_000.0) as usize];
        let middle = at(0.5) / electronics.median;
        assert!((0.99..1.06).contains(&middle), "{middle}");
        // One deviation up and down is where a log-normal has it.
        let spread = (at(0.8413) / at(0.1587)).ln() / 2.0;
        assert!((spread / electronics.spread - 1.0).abs() < 0.06, "{spread}");
        // Three and a half deviations up, where the log-normal alone has 47 of them.
        let far = electronics.median * (3.5 * electronics.spread).exp();
        let beyond = amounts.iter().filter(|amount| **amount > far).count();
        assert!((250..500).contains(&beyond), "{beyond}");
    }

    #[test]
    fn many_prices_end_in_99() {
        let mut dice = Seed::new(1).dice(0);
        let euro = &country(0).1;
        let ending = |minor: u64| minor % 100 == 99;
        let many = (0..10_000)
            .filter(|_| ending(in_minor_units(&mut dice, 23.4, euro)))
            .count();
        assert!((2800..3200).contains(&many), "{many}");
        assert!((0..1000).all(|_| in_minor_units(&mut dice, 0.0001, euro) > 0));
    }
}
