//! Reading a spec: every setting is known, of its form, and where it belongs.

use rand_distr::{Gamma, Zipf};
use serde_json::Value;

use super::SpecError;
use super::generator::{Field, Generator, State};
use super::number::{Distribution, Number};
use super::settings::Settings;
use crate::suggest::nearest;

/// How many objects may be inside each other.
const MOST_DEPTH: usize = 16;
/// How many names may be popular, or ranks there may be.
const MOST_COUNT: u32 = 1_000_000_000;

/// The names that `is` can have, and the settings of each besides `is`, `null` and `per`.
const GENERATORS: [(&str, &[&str]); 24] = [
    ("id", &["is", "null", "per"]),
    ("name", &["is", "null", "word"]),
    ("popular", &["is", "null", "per", "word", "count"]),
    ("sequence", &["is", "null", "first"]),
    ("constant", &["is", "null", "value"]),
    ("choice", &["is", "null", "per", "values", "weights"]),
    ("chain", &["is", "null", "next", "begin"]),
    ("boolean", &["is", "null", "per", "probability"]),
    ("person", &["is", "null"]),
    ("username", &["is", "null"]),
    ("email", &["is", "null"]),
    ("phone", &["is", "null"]),
    ("street", &["is", "null"]),
    ("ip", &["is", "null", "per"]),
    ("sentence", &["is", "null", "per"]),
    ("object", &["is", "null", "fields"]),
    (
        "uniform",
        &[
            "is", "null", "per", "decimals", "minimum", "maximum", "low", "high",
        ],
    ),
    (
        "normal",
        &[
            "is",
            "null",
            "per",
            "decimals",
            "minimum",
            "maximum",
            "mean",
            "deviation",
        ],
    ),
    (
        "log_normal",
        &[
            "is",
            "null",
            "per",
            "decimals",
            "minimum",
            "maximum",
            "median",
            "deviation",
        ],
    ),
    (
        "exponential",
        &[
            "is", "null", "per", "decimals", "minimum", "maximum", "mean",
        ],
    ),
    (
        "gamma",
        &[
            "is", "null", "per", "decimals", "minimum", "maximum", "shape", "mean",
        ],
    ),
    (
        "pareto",
        &[
            "is", "null", "per", "decimals", "minimum", "maximum", "least", "shape",
        ],
    ),
    (
        "zipf",
        &[
            "is", "null", "per", "minimum", "maximum", "count", "exponent",
        ],
    ),
    (
        "walk",
        &[
            "is",
            "null",
            "decimals",
            "minimum",
            "maximum",
            "mean",
            "deviation",
            "memory",
            "daily",
        ],
    ),
];

/// Reads the fields of an object.
pub(super) fn fields(
    place: &str,
    table: toml::Table,
    depth: usize,
) -> Result<Vec<Field>, SpecError> {
    if depth > MOST_DEPTH {
        return Err(SpecError::TooDeep {
            place: place.to_owned(),
            most: MOST_DEPTH,
        });
    }
    table
        .into_iter()
        .map(|(name, value)| field(&format!("{place}.{name}"), name, value, depth))
        .collect()
}

fn field(place: &str, name: String, value: toml::Value, depth: usize) -> Result<Field, SpecError> {
    // `status = "NEW"` is short for a constant, and `{ is = "id" }` is the rule.
    let table = match value {
        toml::Value::Table(table) => table,
        constant => {
            return Ok(Field {
                name,
                generator: Generator::Constant(json(constant, place)?),
                is_fixed: false,
                null: 0.0,
            });
        }
    };
    let is = match table.get("is") {
        Some(toml::Value::String(is)) => is.clone(),
        Some(_) => {
            return Err(SpecError::Form {
                place: place.to_owned(),
                setting: "is",
                expected: "the name of a generator",
            });
        }
        None => {
            return Err(SpecError::Missing {
                place: place.to_owned(),
                setting: "is",
            });
        }
    };
    let Some((_, known)) = GENERATORS.iter().find(|(name, _)| *name == is) else {
        return Err(SpecError::UnknownGenerator {
            place: place.to_owned(),
            suggestion: nearest(&is, GENERATORS.iter().map(|(name, _)| *name)),
            name: is,
        });
    };
    let mut settings = Settings::new(place.to_owned(), table, known)?;
    let null = settings.probability("null")?.unwrap_or(0.0);
    let is_fixed = match settings.text("per")?.as_deref() {
        None | Some("event") => false,
        Some("entity") => true,
        Some(_) => return Err(settings.wrong("per", "\"event\" or \"entity\"")),
    };
    Ok(Field {
        name,
        generator: generator(&is, &mut settings, depth)?,
        is_fixed,
        null,
    })
}

fn generator(is: &str, settings: &mut Settings, depth: usize) -> Result<Generator, SpecError> {
    Ok(match is {
        "id" => Generator::Id,
        "name" => Generator::Name {
            word: word(settings)?,
        },
        "popular" => Generator::Popular {
            word: word(settings)?,
            count: count(settings)?,
        },
        "sequence" => Generator::Sequence {
            first: settings
                .count("first", u32::MAX, "a whole number from 0")?
                .unwrap_or(1),
        },
        "constant" => {
            let value = settings.take("value");
            let value = settings.needed(value, "value")?;
            Generator::Constant(json(value, &settings.place)?)
        }
        "choice" => Generator::Choice(choice(settings)?),
        "chain" => Generator::Chain(chain(settings)?),
        "boolean" => Generator::Boolean {
            probability: settings.probability("probability")?.unwrap_or(0.5),
        },
        "person" => Generator::Person,
        "username" => Generator::Username,
        "email" => Generator::Email,
        "phone" => Generator::Phone,
        "street" => Generator::Street,
        "ip" => Generator::Ip,
        "sentence" => Generator::Sentence,
        "object" => match settings.take("fields") {
            Some(toml::Value::Table(table)) => {
                Generator::Object(fields(&settings.place, table, depth + 1)?)
            }
            Some(_) => return Err(settings.wrong("fields", "a table of fields")),
            None => return settings.needed(None, "fields"),
        },
        _ => Generator::Number(number(is, settings)?),
    })
}

fn number(is: &str, settings: &mut Settings) -> Result<Number, SpecError> {
    let distribution = match is {
        "uniform" => {
            let (low, high) = (given(settings, "low")?, given(settings, "high")?);
            if low > high {
                return Err(settings.wrong("high", "not below `low`"));
            }
            Distribution::Uniform { low, high }
        }
        "normal" => Distribution::Normal {
            mean: given(settings, "mean")?,
            deviation: positive(settings, "deviation")?,
        },
        "log_normal" => Distribution::LogNormal {
            median: positive(settings, "median")?,
            deviation: positive(settings, "deviation")?,
        },
        "exponential" => Distribution::Exponential {
            mean: positive(settings, "mean")?,
        },
        "gamma" => {
            let (shape, mean) = (positive(settings, "shape")?, positive(settings, "mean")?);
            Gamma::new(shape, mean / shape)
                .map(Distribution::Gamma)
                .map_err(|_| {
                    settings.wrong("shape", "a number that is not out of all proportion")
                })?
        }
        "pareto" => Distribution::Pareto {
            least: positive(settings, "least")?,
            shape: positive(settings, "shape")?,
        },
        "zipf" => {
            let (count, exponent) = (count(settings)?, settings.positive("exponent")?);
            let exponent = Some(exponent.unwrap_or(1.1)).filter(|exponent| *exponent <= 100.0);
            exponent
                .and_then(|exponent| Zipf::new(f64::from(count), exponent).ok())
                .map(Distribution::Zipf)
                .ok_or_else(|| settings.wrong("exponent", "a number from 0 to 100"))?
        }
        _ => Distribution::Walk {
            mean: given(settings, "mean")?,
            deviation: positive(settings, "deviation")?,
            memory: settings
                .duration("memory")?
                .map_or(3600.0, |memory| memory.as_secs_f64()),
            daily: settings.number("daily")?.unwrap_or(0.0),
        },
    };
    Number::read(distribution, settings)
}

fn given(settings: &mut Settings, setting: &'static str) -> Result<f64, SpecError> {
    let number = settings.number(setting)?;
    settings.needed(number, setting)
}

fn positive(settings: &mut Settings, setting: &'static str) -> Result<f64, SpecError> {
    let number = settings.positive(setting)?;
    settings.needed(number, setting)
}

fn word(settings: &mut Settings) -> Result<String, SpecError> {
    let word = settings.word("word")?;
    settings.needed(word, "word")
}

fn count(settings: &mut Settings) -> Result<u32, SpecError> {
    match settings.count("count", MOST_COUNT, "a whole number from 1 to 1000000000")? {
        Some(0) => Err(settings.wrong("count", "a whole number from 1 to 1000000000")),
        count => settings.needed(count, "count"),
    }
}

fn choice(settings: &mut Settings) -> Result<Vec<(f64, Value)>, SpecError> {
    let values = match settings.take("values") {
        Some(toml::Value::Array(values)) if !values.is_empty() => values,
        Some(_) => return Err(settings.wrong("values", "a list of at least one value")),
        None => return settings.needed(None, "values"),
    };
    let weights = match settings.take("weights") {
        None => vec![1.0; values.len()],
        Some(toml::Value::Array(weights)) if weights.len() == values.len() => weights
            .iter()
            .map(weight)
            .collect::<Option<_>>()
            .ok_or_else(|| settings.wrong("weights", "a list of numbers above 0"))?,
        Some(_) => return Err(settings.wrong("weights", "a list of one number for each value")),
    };
    let values = values.into_iter().map(|value| json(value, &settings.place));
    let values = values.collect::<Result<Vec<_>, _>>()?;
    Ok(weights.into_iter().zip(values).collect())
}

/// Reads `next = { NEW = { SENT = 1 }, SENT = { DONE = 9, LOST = 1 } }`; a state that is only
/// mentioned is an end.
fn chain(settings: &mut Settings) -> Result<Vec<State>, SpecError> {
    let form = "a table of states, each with a table of weights of those that follow";
    let table = match settings.take("next") {
        Some(toml::Value::Table(table)) if !table.is_empty() => table,
        Some(_) => return Err(settings.wrong("next", form)),
        None => return settings.needed(None, "next"),
    };
    let mut names: Vec<String> = table.keys().cloned().collect();
    if let Some(begin) = settings.text("begin")? {
        let Some(place) = names.iter().position(|name| *name == begin) else {
            return Err(SpecError::UnknownState {
                place: settings.place.clone(),
                suggestion: nearest(&begin, names.iter().map(String::as_str)).map(str::to_owned),
                name: begin,
            });
        };
        names[..=place].rotate_right(1);
    }
    for following in table.values() {
        let following = following
            .as_table()
            .ok_or_else(|| settings.wrong("next", form))?;
        for name in following.keys() {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    let place_of = |name: &String| names.iter().position(|known| known == name);
    let states = names.iter().map(|name| {
        let following = table.get(name).and_then(toml::Value::as_table);
        let next = following.into_iter().flatten().map(|(name, value)| {
            let weight = weight(value).ok_or_else(|| settings.wrong("next", form))?;
            Ok((weight, place_of(name).unwrap_or(0)))
        });
        Ok(State {
            name: name.clone(),
            next: next.collect::<Result<_, SpecError>>()?,
        })
    });
    states.collect()
}

/// Returns a weight that a sum of many can hold.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn weight(value: &toml::Value) -> Option<f64> {
    let weight = match value {
        toml::Value::Integer(number) => *number as f64,
        toml::Value::Float(number) => *number,
        _ => return None,
    };
    (weight > 0.0 && weight <= super::settings::MOST).then_some(weight)
}

/// Returns the JSON of a TOML value; a date is its text.
fn json(value: toml::Value, place: &str) -> Result<Value, SpecError> {
    let wrong = || SpecError::Form {
        place: place.to_owned(),
        setting: "value",
        expected: "text, a finite number, true or false",
    };
    Ok(match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) if number.is_finite() => number.into(),
        toml::Value::Boolean(is) => is.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        _ => return Err(wrong()),
    })
}
