//! Environment sensors: values that return to a daily curve, and the ways in which sensors fail.

use std::f64::consts::TAU;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::rounded;
use super::walk::Walk;
use crate::generate::{Dice, Event, Kind, Moment, PayloadSchema};

/// Temperature, humidity and pressure of sensors at sites.
pub(super) struct Sensor;

/// A sensor and what it measured last.
#[derive(Serialize, Deserialize)]
pub(super) struct Entity {
    sensor_id: String,
    device: String,
    site: String,
    /// Added to what is true, as calibrated.
    offset: f64,
    site_temperature: f64,
    site_pressure: f64,
    /// Percent a second.
    drain: f64,
    /// Percent; only falls.
    battery: f64,
    sequence: u64,
    measured: Moment,
    temperature: Walk,
    humidity: Walk,
    pressure: Walk,
    failure: Failure,
}

/// What is wrong with a sensor.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Failure {
    Nothing,
    /// Repeats one measurement.
    Stuck {
        left: u32,
        measurement: Measurement,
    },
    /// Moves away from the truth, by so many kelvin more each time.
    Drift {
        left: u32,
        error: f64,
        step: f64,
    },
    /// Was silent until now.
    Gap,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Measurement {
    temperature: f64,
    humidity: u8,
    pressure: f64,
}

#[derive(Serialize)]
struct Payload<'a> {
    sensor_id: &'a str,
    temperature: f64,
    humidity: u8,
    pressure: f64,
    device: &'a str,
    site: &'a str,
    battery: u8,
    quality: &'a str,
    sequence: u64,
}

const DEVICES: [(f64, &str); 3] = [(6.0, "th-200"), (3.0, "th-310"), (1.0, "env-9")];
const SITES: u64 = 12;

impl Kind for Sensor {
    type Entity = Entity;

    fn name(&self) -> &'static str {
        "sensor"
    }

    fn about(&self) -> &'static str {
        "temperature, humidity and pressure of sensors, with the ways in which sensors fail"
    }

    fn entities(&self) -> u32 {
        100
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn payloads(&self) -> Vec<PayloadSchema> {
        vec![PayloadSchema {
            event_type: "sensor".into(),
            schema: json!({
                "type": "object",
                "properties": {
                    "sensor_id": {"type": "string", "pattern": "^sensor_[0-9]+$"},
                    "temperature": {"type": "number", "minimum": -60, "maximum": 100, "description": "degrees Celsius, to a tenth"},
                    "humidity": {"type": "integer", "minimum": 0, "maximum": 100, "description": "percent"},
                    "pressure": {"type": "number", "minimum": 900, "maximum": 1100, "description": "hectopascal"},
                    "device": {"enum": ["th-200", "th-310", "env-9"]},
                    "site": {"type": "string", "pattern": "^site-[0-9]{2}$"},
                    "battery": {"type": "integer", "minimum": 0, "maximum": 100, "description": "percent"},
                    "quality": {"enum": ["GOOD", "UNCERTAIN"], "description": "UNCERTAIN on an almost empty battery"},
                    "sequence": {"type": "integer", "minimum": 0, "description": "counts this sensor's measurements"},
                },
                "required": ["sensor_id", "temperature", "humidity", "pressure", "device", "site", "battery", "quality", "sequence"],
                "additionalProperties": false,
            }),
        }]
    }

    fn birth(&self, number: u32, at: Moment, identity: &mut Dice, life: &mut Dice) -> Entity {
        // A site has one climate, whoever measures it.
        let site = identity.below(SITES);
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let place = site as f64 / SITES as f64;
        Entity {
            sensor_id: format!("sensor_{number}"),
            device: (*identity.pick_weighted(&DEVICES)).to_owned(),
            site: format!("site-{:02}", site + 1),
            offset: identity.normal() * 0.3,
            site_temperature: 8.0 + 14.0 * place,
            site_pressure: 1013.25 - 20.0 * place,
            drain: 100.0 / (86_400.0 * identity.between(200.0, 700.0)),
            battery: life.between(5.0, 100.0),
            sequence: 0,
            measured: at,
            temperature: Walk::new(TEMPERATURE.0, life),
            humidity: Walk::new(HUMIDITY.0, life),
            pressure: Walk::new(PRESSURE.0, life),
            failure: Failure::Nothing,
        }
    }

    fn next(&self, entity: &mut Entity, at: Moment, life: &mut Dice, event: &mut Event) {
        let truth = entity.measure(at, life);
        event.wait_seconds(life.between(0.95, 1.05));
        let measurement = entity.failed(truth, life, event);
        event.key(&entity.sensor_id);
        event.payload(&Payload {
            sensor_id: &entity.sensor_id,
            temperature: measurement.temperature,
            humidity: measurement.humidity,
            pressure: measurement.pressure,
            device: &entity.device,
            site: &entity.site,
            battery: percent(entity.battery),
            quality: if entity.battery < 10.0 {
                "UNCERTAIN"
            } else {
                "GOOD"
            },
            sequence: entity.sequence,
        });
        entity.sequence += 1;
    }
}

/// Deviation, and memory in seconds, of what is not the daily curve.
const TEMPERATURE: (f64, f64) = (0.8, 3_600.0);
const HUMIDITY: (f64, f64) = (5.0, 7_200.0);
const PRESSURE: (f64, f64) = (6.0, 86_400.0);

impl Entity {
    /// What a sound sensor measures at `at`.
    fn measure(&mut self, at: Moment, life: &mut Dice) -> Measurement {
        let seconds = at.seconds_since(self.measured).max(0.0);
        self.measured = at;
        self.battery = (self.battery - self.drain * seconds).max(0.0);
        // Warmest at three in the afternoon.
        let daily = 5.0 * ((at.hour() - 15.0) / 24.0 * TAU).cos();
        let warmer = daily
            + self
                .temperature
                .step(seconds, TEMPERATURE.0, TEMPERATURE.1, life);
        let wetter = self.humidity.step(seconds, HUMIDITY.0, HUMIDITY.1, life);
        let higher = self.pressure.step(seconds, PRESSURE.0, PRESSURE.1, life);
        Measurement {
            temperature: rounded(self.site_temperature + warmer + self.offset, 1),
            // Warm air is dry air.
            humidity: percent(60.0 - 2.0 * warmer + wetter),
            pressure: rounded(self.site_pressure + higher, 2),
        }
    }

    /// What this sensor says instead, if something is wrong with it; and lets things go wrong.
    fn failed(&mut self, truth: Measurement, life: &mut Dice, event: &mut Event) -> Measurement {
        match &mut self.failure {
            Failure::Nothing => {}
            Failure::Stuck { left, measurement } => {
                let measurement = *measurement;
                *left -= 1;
                if *left == 0 {
                    self.failure = Failure::Nothing;
                }
                event.fault("stuck");
                return measurement;
            }
            Failure::Drift { left, error, step } => {
                *error += *step;
                *left -= 1;
                let temperature = rounded(truth.temperature + *error, 1);
                if *left == 0 {
                    self.failure = Failure::Nothing;
                }
                event.fault("drift");
                return Measurement {
                    temperature,
                    ..truth
                };
            }
            Failure::Gap => {
                self.failure = Failure::Nothing;
                event.fault("gap");
                return truth;
            }
        }
        match life.below(100_000) {
            0..20 => {
                event.fault("spike");
                let sign = if life.chance(0.5) { 1.0 } else { -1.0 };
                let temperature = rounded(truth.temperature + sign * life.between(15.0, 30.0), 1);
                return Measurement {
                    temperature,
                    ..truth
                };
            }
            20..25 => {
                self.failure = Failure::Stuck {
                    left: narrow(life.between(20.0, 200.0)),
                    measurement: truth,
                };
            }
            25..27 => {
                self.failure = Failure::Drift {
                    left: narrow(life.between(100.0, 500.0)),
                    error: 0.0,
                    step: life.between(-0.05, 0.05),
                };
            }
            27..30 => {
                self.failure = Failure::Gap;
                event.wait_seconds(life.between(30.0, 600.0));
            }
            _ => {}
        }
        truth
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 0 to 100"
)]
fn percent(value: f64) -> u8 {
    value.round().clamp(0.0, 100.0) as u8
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "some hundreds"
)]
fn narrow(count: f64) -> u32 {
    count as u32
}

#[cfg(test)]
mod tests {
    use crate::generate::kinds::testing;

    #[test]
    fn the_first_thousand_lines_are_the_same_for_ever() {
        assert_eq!(
            testing::golden("sensor"),
            "6d3091be08369c46abd9e74655a409759c4be935594ff97e7ea887947a71046d"
        );
    }

    #[test]
    fn every_value_fits_the_schema() {
        testing::fits_its_schema("sensor", 20_000);
    }

    /// Temperature, hour of the day and fault of what sensor 7 measures.
    fn temperatures(count: usize) -> Vec<(f64, f64, Option<&'static str>)> {
        testing::payloads("sensor", 1, count)
            .filter(|(event, _)| event.entity == 7)
            .map(|(event, payload)| {
                let temperature = payload["temperature"].as_f64().unwrap();
                (temperature, event.at.hour(), event.fault)
            })
            .collect()
    }

    #[test]
    fn sound_sensors_move_in_small_steps_and_failing_ones_are_labelled() {
        let mut jumps = 0;
        let mut faults = std::collections::BTreeSet::new();
        let mut before = std::collections::HashMap::new();
        for (event, payload) in testing::payloads("sensor", 1, 120_000) {
            let temperature = payload["temperature"].as_f64().unwrap();
            faults.extend(event.fault);
            let sound = event.fault.is_none();
            if let Some((last, true)) = before.insert(event.entity, (temperature, sound)) {
                let jump: f64 = temperature - last;
                jumps += i32::from(sound && jump.abs() > 0.4);
            }
        }
        assert_eq!(jumps, 0);
        assert_eq!(
            faults.into_iter().collect::<Vec<_>>(),
            ["drift", "gap", "spike", "stuck"]
        );
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn temperatures_stay_near_their_curve_and_remember_the_last() {
        let values: Vec<f64> = temperatures(100_000)
            .into_iter()
            .filter(|(_, _, fault)| fault.is_none())
            // The daily curve, so that the walk around it is left.
            .map(|(value, hour, _)| {
                value - 5.0 * ((hour - 15.0) / 24.0 * std::f64::consts::TAU).cos()
            })
            .collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let covariance = |lag: usize| {
            let pairs = values.iter().zip(&values[lag..]);
            pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / (values.len() - lag) as f64
        };
        let (variance, next) = (covariance(0), covariance(1));
        assert!((0.05..1.5).contains(&variance.sqrt()), "{variance}");
        assert!(next / variance > 0.95, "{}", next / variance);
    }

    #[test]
    fn a_battery_only_falls() {
        let mut levels = std::collections::HashMap::new();
        for (event, payload) in testing::payloads("sensor", 3, 50_000) {
            let level = payload["battery"].as_u64().unwrap();
            let before = levels.insert(event.entity, level);
            assert!(before.is_none_or(|before| level <= before));
        }
    }
}
