//! Reference data of payments: currencies, countries, trades and test cards.

/// A currency of ISO 4217.
pub(super) struct Currency {
    pub code: &'static str,
    /// How many decimal digits its minor unit has.
    pub exponent: u8,
    /// What a euro is taken to be worth; a round figure, not a rate of any day.
    pub per_euro: f64,
}

const fn currency(code: &'static str, exponent: u8, per_euro: f64) -> Currency {
    Currency {
        code,
        exponent,
        per_euro,
    }
}

const EURO: Currency = currency("EUR", 2, 1.0);

/// How many countries there are.
pub(super) const COUNTRY_COUNT: u32 = 14;

/// Countries (ISO 3166-1) and what is paid with there.
pub(super) const COUNTRIES: [(&str, Currency); COUNTRY_COUNT as usize] = [
    ("DE", EURO),
    ("US", currency("USD", 2, 1.1)),
    ("GB", currency("GBP", 2, 0.85)),
    ("JP", currency("JPY", 0, 160.0)),
    ("FR", EURO),
    ("IN", currency("INR", 2, 90.0)),
    ("BR", currency("BRL", 2, 6.0)),
    ("KW", currency("KWD", 3, 0.33)),
    ("SE", currency("SEK", 2, 11.0)),
    ("CH", currency("CHF", 2, 0.95)),
    ("KR", currency("KRW", 0, 1500.0)),
    ("NL", EURO),
    ("BH", currency("BHD", 3, 0.41)),
    ("CA", currency("CAD", 2, 1.5)),
];

/// What a merchant trades in.
pub(super) struct Trade {
    pub category: &'static str,
    /// Merchant category code of ISO 18245.
    pub code: &'static str,
    /// The word a merchant's name ends with.
    pub noun: &'static str,
    /// Half of the amounts are below this, in euros.
    pub median: f64,
    /// Standard deviation of the amount's logarithm.
    pub spread: f64,
    /// Share of amounts that are of the heavy tail.
    pub tail: f64,
}

const fn trade(
    category: &'static str,
    code: &'static str,
    noun: &'static str,
    (median, spread, tail): (f64, f64, f64),
) -> Trade {
    Trade {
        category,
        code,
        noun,
        median,
        spread,
        tail,
    }
}

/// The trades there are.
pub(super) const TRADES: [Trade; 12] = [
    trade("GROCERIES", "5411", "Market", (31.0, 0.7, 0.005)),
    trade("RESTAURANT", "5812", "Kitchen", (24.0, 0.6, 0.01)),
    trade("FAST_FOOD", "5814", "Diner", (9.5, 0.45, 0.002)),
    trade("FUEL", "5541", "Fuel", (48.0, 0.4, 0.002)),
    trade("ELECTRONICS", "5732", "Electronics", (140.0, 0.9, 0.03)),
    trade("CLOTHING", "5651", "Clothing", (55.0, 0.7, 0.015)),
    trade("PHARMACY", "5912", "Pharmacy", (15.0, 0.6, 0.005)),
    trade("TRAVEL", "4722", "Travel", (380.0, 0.8, 0.03)),
    trade("HOTEL", "7011", "Hotel", (160.0, 0.6, 0.02)),
    trade("SOFTWARE", "5734", "Software", (29.0, 0.8, 0.03)),
    trade("TAXI", "4121", "Cabs", (17.0, 0.5, 0.005)),
    trade("BOOKS", "5942", "Books", (19.0, 0.5, 0.005)),
];

/// First words of merchants' names.
pub(super) const MERCHANT_WORDS: [&str; 20] = [
    "Amber", "Birch", "Cedar", "Copper", "Delta", "Ember", "Falcon", "Granite", "Harbor", "Indigo",
    "Juniper", "Kestrel", "Lantern", "Maple", "Nimbus", "Orchard", "Pebble", "Quill", "Raven",
    "Summit",
];

/// Card numbers that schemes and processors publish for tests, and no bank issues.
pub(super) const TEST_CARDS: [(&str, &str); 11] = [
    ("VISA", "4242424242424242"),
    ("VISA", "4000056655665556"),
    ("MASTERCARD", "5555555555554444"),
    ("MASTERCARD", "2223003122003222"),
    ("MASTERCARD", "5105105105105100"),
    ("AMEX", "378282246310005"),
    ("AMEX", "371449635398431"),
    ("DISCOVER", "6011111111111117"),
    ("JCB", "3566002020360505"),
    ("DINERS", "36227206271667"),
    ("UNIONPAY", "6200000000000005"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_card_passes_luhn() {
        for (scheme, number) in TEST_CARDS {
            let sum: u32 = number
                .bytes()
                .rev()
                .zip([1, 2].into_iter().cycle())
                .map(|(digit, times)| u32::from(digit - b'0') * times)
                .map(|product| product / 10 + product % 10)
                .sum();
            assert_eq!(sum % 10, 0, "{scheme} {number}");
        }
    }

    #[test]
    fn exponents_are_those_of_iso_4217() {
        for (country, currency) in COUNTRIES {
            let exponent = match currency.code {
                "JPY" | "KRW" => 0,
                "KWD" | "BHD" => 3,
                _ => 2,
            };
            assert_eq!(currency.exponent, exponent, "{country}");
        }
    }
}
