//! `payment`: what becomes of payments, and how they spread over people and amounts.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::market::{COUNTRIES, TEST_CARDS};
use super::super::testing::payloads;
use super::{count, share, text};

const COUNT: usize = 100_000;

#[test]
fn a_payment_goes_from_authorized_to_settled_and_stays_itself() {
    let mut known: BTreeMap<String, Value> = BTreeMap::new();
    for (event, payment) in payloads("payment", 1, COUNT) {
        let id = text(&payment, "payment_id").to_owned();
        assert_eq!(event.key, id);
        let status = text(&payment, "status");
        let approved = text(&payment, "response_code") == "00";
        assert_eq!(approved, status != "DECLINED", "{payment}");
        assert_eq!(
            approved,
            payment["authorization_code"].is_string(),
            "{payment}"
        );
        assert_eq!(
            payment["card"].is_null(),
            text(&payment, "method") == "BANK_TRANSFER"
        );
        assert!(
            status != "CHARGEBACK" || payment["card"].is_object(),
            "{payment}"
        );
        let before = known.remove(&id);
        let before_status = before.as_ref().map(|payment| text(payment, "status"));
        let may = match status {
            "AUTHORIZED" | "DECLINED" => before_status.is_none(),
            "CAPTURED" => before_status == Some("AUTHORIZED"),
            "SETTLED" => before_status == Some("CAPTURED"),
            "REFUNDED" | "CHARGEBACK" => before_status == Some("SETTLED"),
            _ => false,
        };
        assert!(may, "{before_status:?} before {payment}");
        if let Some(mut before) = before {
            before["status"].clone_from(&payment["status"]);
            assert_eq!(before, payment);
        }
        known.insert(id, payment);
    }
    let ends = |status| {
        known
            .values()
            .filter(|payment| text(payment, "status") == status)
            .count()
    };
    let declined = share(ends("DECLINED"), known.len());
    let refunded = share(ends("REFUNDED"), known.len());
    assert!((0.03..0.09).contains(&declined), "{declined}");
    assert!((0.02..0.05).contains(&refunded), "{refunded}");
    assert!(ends("CHARGEBACK") > 20);
}

#[test]
fn cards_are_test_cards_that_are_valid_unless_they_are_refused_as_expired() {
    let mut expired = 0;
    for (event, payment) in payloads("payment", 1, 30_000) {
        let card = &payment["card"];
        if card.is_null() || text(&payment, "status") == "SETTLED" {
            continue;
        }
        let number = text(card, "number");
        let shown = |card: &&(&str, &str)| {
            let (scheme, full) = *card;
            *scheme == text(card_of(&payment), "scheme")
                && full.len() == number.len()
                && full[..6] == number[..6]
                && full[full.len() - 4..] == number[number.len() - 4..]
                && number[6..number.len() - 4].bytes().all(|byte| byte == b'*')
        };
        assert!(TEST_CARDS.iter().any(|card| shown(&card)), "{payment}");
        let first_told = ["AUTHORIZED", "DECLINED"].contains(&text(&payment, "status"));
        let now = jiff::Timestamp::from_microsecond(event.at.micros()).unwrap();
        let month = now.strftime("%Y-%m").to_string();
        let is_expired = text(card, "expiry") < month.as_str();
        expired += usize::from(is_expired);
        if first_told {
            assert_eq!(
                is_expired,
                text(&payment, "response_code") == "54",
                "{payment}"
            );
        }
    }
    assert!(expired > 20, "{expired}");
}

fn card_of(payment: &Value) -> &Value {
    &payment["card"]
}

#[test]
fn few_customers_pay_often() {
    let mut payments: BTreeMap<String, usize> = BTreeMap::new();
    let mut at_home = 0;
    let mut all = 0;
    for (_, payment) in payloads("payment", 1, 40_000) {
        if ["AUTHORIZED", "DECLINED"].contains(&text(&payment, "status")) {
            *payments
                .entry(text(&payment["customer"], "id").to_owned())
                .or_default() += 1;
            at_home +=
                usize::from(payment["customer"]["country"] == payment["merchant"]["country"]);
            all += 1;
        }
    }
    let mut counts: Vec<usize> = payments.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    // Zipf with exponent 1.1: the first of 5000 has a share of 1/6.5, the first fifty of 0.57.
    let (first, fifty) = (share(counts[0], all), share(counts[..50].iter().sum(), all));
    assert!((0.13..0.18).contains(&first), "{first}");
    assert!((0.52..0.62).contains(&fifty), "{fifty}");
    assert!(
        (0.92..0.96).contains(&share(at_home, all)),
        "{at_home} of {all}"
    );
}

#[test]
fn a_price_is_worth_the_same_in_every_currency() {
    let mut euros: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (_, payment) in payloads("payment", 1, 40_000) {
        let code = text(&payment, "currency");
        let (_, currency) = COUNTRIES
            .iter()
            .find(|(_, each)| each.code == code)
            .unwrap();
        assert_eq!(count(&payment, "exponent"), u64::from(currency.exponent));
        let minor = f64::from(u32::try_from(count(&payment, "amount_minor")).unwrap());
        let amount = minor / 10_f64.powi(currency.exponent.into()) / currency.per_euro;
        euros.entry(code.to_owned()).or_default().push(amount);
    }
    for (code, amounts) in &mut euros {
        amounts.sort_unstable_by(f64::total_cmp);
        let median = amounts[amounts.len() / 2];
        // Countries differ in what their shops trade in, but not tenfold as with a wrong exponent.
        assert!((12.0..110.0).contains(&median), "{code} {median}");
    }
    assert_eq!(euros.len(), 12);
}
