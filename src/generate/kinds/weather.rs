//! `weather`: stations whose figures agree with each other, from one report to the next.
//!
//! Air that holds a known amount of water has one dew point and, at a temperature, one
//! humidity: humidity follows from the two figures printed. Temperature goes round with
//! the sun, the year and the cloud, and wanders about that; everything that wanders
//! comes back, whatever the time between two reports.

use std::f64::consts::TAU;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::fields::{self, Name};
use super::places::PLACES;
use super::rounded;
use super::shapes::{choice, gamma, weighted, whole};
use super::sky::Sky;
use super::walk::Walk;
use crate::generate::{Dice, Event, Kind, Moment, PayloadSchema};

const HOUR: f64 = 3600.0;

/// Standard deviation, and memory in seconds, of what wanders.
const ANOMALY: (f64, f64) = (2.5, 30.0 * HOUR);
const PRESSURE: (f64, f64) = (8.0, 40.0 * HOUR);
const WIND: (f64, f64) = (1.0, 5.0 * HOUR);

/// Reports of weather stations all over the world.
pub(super) struct Weather;

/// A station and the air around it.
#[derive(Serialize, Deserialize)]
pub(super) struct Station {
    number: u32,
    position: Position,
    /// In metres a second.
    mean_wind: f64,
    sky: Sky,
    /// Seconds from the last report until the sky changes.
    sky_left: f64,
    reported: Moment,
    /// Cloud cover as the ground feels it, in percent: slower than the sky.
    shade: f64,
    /// How far the dew point is below the temperature, in kelvin: slower than the sky.
    dryness: f64,
    anomaly: Walk,
    pressure: Walk,
    /// To the east and to the north; the length of two such walks is Weibull with shape 2.
    wind: [Walk; 2],
}

/// Where a station stands.
#[derive(Serialize, Deserialize)]
struct Position {
    latitude: f64,
    longitude: f64,
    elevation: f64,
}

#[derive(Serialize)]
struct Payload<'a> {
    station: Name,
    position: &'a Position,
    condition: &'static str,
    temperature: f64,
    dew_point: f64,
    humidity: u32,
    pressure: f64,
    wind_speed: f64,
    wind_gust: f64,
    direction: u32,
    precipitation: f64,
    cloud: u32,
    visibility: u32,
    uv: f64,
}

impl Kind for Weather {
    type Entity = Station;

    fn name(&self) -> &'static str {
        "weather"
    }

    fn about(&self) -> &'static str {
        "reports of weather stations: sky, temperature, humidity, wind, rain, sunshine"
    }

    fn entities(&self) -> u32 {
        50
    }

    fn interval(&self) -> Duration {
        Duration::from_mins(10)
    }

    fn payloads(&self) -> Vec<PayloadSchema> {
        vec![fields::payload(
            "weather",
            &json!({
                "station": fields::name("station"),
                "position": fields::object(&json!({
                    "latitude": {"type": "number", "minimum": -90, "maximum": 90},
                    "longitude": {"type": "number", "minimum": -180, "maximum": 180},
                    "elevation": {"type": "number", "description": "metres above the sea"},
                })),
                "condition": {"enum": ["CLEAR", "PARTLY_CLOUDY", "OVERCAST", "FOG", "DRIZZLE", "RAIN", "THUNDERSTORM", "SNOW"]},
                "temperature": {"type": "number", "minimum": -60, "maximum": 60, "description": "degrees Celsius"},
                "dew_point": {"type": "number", "minimum": -100, "maximum": 60, "description": "degrees Celsius; never above the temperature"},
                "humidity": {"type": "integer", "minimum": 1, "maximum": 100, "description": "percent; follows from temperature and dew point by Magnus's formula"},
                "pressure": {"type": "number", "minimum": 950, "maximum": 1060, "description": "hectopascals at sea level"},
                "wind_speed": {"type": "number", "minimum": 0, "maximum": 100, "description": "metres a second"},
                "wind_gust": {"type": "number", "minimum": 0, "maximum": 300, "description": "metres a second; never below the wind speed"},
                "direction": {"type": "integer", "minimum": 0, "maximum": 359, "description": "where the wind comes from, in degrees from north"},
                "precipitation": {"type": "number", "minimum": 0, "maximum": 150, "description": "millimetres an hour; above 0 exactly when it drizzles, rains, snows or thunders"},
                "cloud": {"type": "integer", "minimum": 0, "maximum": 100, "description": "percent of the sky"},
                "visibility": {"type": "integer", "minimum": 50, "maximum": 60_000, "description": "metres"},
                "uv": {"type": "number", "minimum": 0, "maximum": 13, "description": "UV index; 0 at night"},
            }),
        )]
    }

    fn birth(&self, number: u32, at: Moment, identity: &mut Dice, life: &mut Dice) -> Station {
        let place = choice(&PLACES, number.into());
        // Not all stations of a city stand on one spot.
        let position = Position {
            latitude: rounded(place.latitude + identity.between(-0.2, 0.2), 4),
            longitude: rounded(place.longitude + identity.between(-0.2, 0.2), 4),
            elevation: rounded(place.elevation + identity.between(0.0, 30.0), 0),
        };
        let sky = weighted(
            life,
            &[(5.0, Sky::Clear), (4.0, Sky::Fair), (4.0, Sky::Overcast)],
        );
        let climate = sky.climate();
        Station {
            number,
            position,
            mean_wind: place.wind,
            sky,
            sky_left: climate.stay * HOUR * life.exponential(),
            reported: at,
            shade: f64::midpoint(climate.cloud.0, climate.cloud.1),
            dryness: climate.dryness.0,
            anomaly: Walk::new(ANOMALY.0, life),
            pressure: Walk::new(PRESSURE.0, life),
            wind: [Walk::new(WIND.0, life), Walk::new(WIND.0, life)],
        }
    }

    fn next(&self, station: &mut Station, at: Moment, life: &mut Dice, event: &mut Event) {
        event.key(Name("station", station.number));
        event.payload(&station.report(at, life));
    }
}

impl Station {
    fn report(&mut self, at: Moment, life: &mut Dice) -> Payload<'_> {
        let seconds = at.seconds_since(self.reported).max(0.0);
        self.reported = at;
        self.turn_sky(seconds, life);
        let climate = self.sky.climate();
        let sun = Sun::over(&self.position, at);

        let cloud = life.between(climate.cloud.0, climate.cloud.1).round();
        // Ground and air follow the sky in an hour and a half.
        let near = 1.0 - (-seconds / (1.5 * HOUR)).exp();
        self.shade += (cloud - self.shade) * near;
        let anomaly = self.anomaly.step(seconds, ANOMALY.0, ANOMALY.1, life);
        let swing = sun.daily_swing * (1.0 - 0.006 * self.shade);
        let temperature = rounded(sun.climate_mean + swing + anomaly, 1);
        // The water in the air hardly follows the sun: the warmer the hour, the drier the air.
        let aim = (climate.dryness.0 + 0.6 * sun.daily_swing).max(0.3);
        let noise = 0.5 * near.sqrt() * life.normal();
        self.dryness = (self.dryness + (aim - self.dryness) * near + noise).max(0.0);
        let dew_point = rounded(temperature - self.dryness.min(climate.dryness.1), 1);

        let [east, north] = &mut self.wind;
        let east = east.step(seconds, WIND.0, WIND.1, life);
        let north = north.step(seconds, WIND.0, WIND.1, life);
        // Two normal directions of deviation 1 have a length of sqrt(pi / 2) in the mean.
        let speed = (east * east + north * north).sqrt() * self.mean_wind / 1.2533;
        let gusts = 1.2 + 0.2 * life.normal().abs() + 0.05 * climate.precipitation;
        let pressure = self.pressure.step(seconds, PRESSURE.0, PRESSURE.1, life);
        let precipitation = if climate.precipitation > 0.0 {
            rounded(gamma(life, 1.2, climate.precipitation), 1).clamp(0.1, 150.0)
        } else {
            0.0
        };
        let visibility = life.between(climate.visibility.0, climate.visibility.1);
        let brightness = sun.height.max(0.0).powf(1.3) * (1.0 - 0.007 * cloud);
        Payload {
            station: Name("station", self.number),
            position: &self.position,
            condition: condition(self.sky, temperature),
            temperature,
            dew_point,
            humidity: humidity(temperature, dew_point),
            pressure: rounded((1013.25 + pressure).clamp(950.0, 1060.0), 1),
            wind_speed: rounded(speed, 1),
            wind_gust: rounded(speed * gusts, 1),
            direction: whole(east.atan2(north).to_degrees().rem_euclid(360.0)) % 360,
            precipitation,
            cloud: whole(cloud),
            visibility: whole(visibility / 50.0) * 50,
            uv: rounded(12.0 * brightness, 1),
        }
    }

    fn turn_sky(&mut self, seconds: f64, life: &mut Dice) {
        self.sky_left -= seconds;
        // After weeks without a report nobody can tell how the sky got where it is.
        if self.sky_left < -60.0 * 24.0 * HOUR {
            self.sky_left = 0.0;
        }
        while self.sky_left <= 0.0 {
            self.sky = self.sky.change(life);
            self.sky_left += self.sky.climate().stay * HOUR * life.exponential();
        }
    }
}

/// What the sun makes of a place at a time.
struct Sun {
    /// Sine of its height: below 0 it is night.
    height: f64,
    /// Mean temperature of the day, in degrees.
    climate_mean: f64,
    /// How much warmer than the day's mean it is under a clear sky, in kelvin.
    daily_swing: f64,
}

impl Sun {
    fn over(position: &Position, at: Moment) -> Self {
        let latitude = position.latitude.to_radians();
        let year = at.year_fraction();
        let local_hour = at.hour() + position.longitude / 15.0;
        let declination = -23.44_f64.to_radians() * (TAU * (year + 10.0 / 365.0)).cos();
        let hour_angle = TAU * (local_hour - 12.0) / 24.0;
        // The coldest day of the north is a month after its shortest.
        let northern_summer = -(TAU * (year - 20.0 / 365.0)).cos();
        Self {
            height: latitude.sin() * declination.sin()
                + latitude.cos() * declination.cos() * hour_angle.cos(),
            climate_mean: 28.0 - 0.0065 * position.latitude.powi(2) - 0.0065 * position.elevation
                + 0.24 * position.latitude * northern_summer,
            daily_swing: 4.5 * (TAU * (local_hour - 15.0) / 24.0).cos(),
        }
    }
}

fn condition(sky: Sky, temperature: f64) -> &'static str {
    match sky {
        Sky::Clear => "CLEAR",
        Sky::Fair => "PARTLY_CLOUDY",
        Sky::Overcast => "OVERCAST",
        Sky::Fog => "FOG",
        Sky::Drizzle | Sky::Rain | Sky::Storm if temperature <= 0.5 => "SNOW",
        Sky::Drizzle => "DRIZZLE",
        Sky::Storm if temperature >= 8.0 => "THUNDERSTORM",
        Sky::Rain | Sky::Storm => "RAIN",
    }
}

/// Returns the relative humidity in percent by Magnus's formula, with the constants of
/// Alduchov and Eskridge (1996).
fn humidity(temperature: f64, dew_point: f64) -> u32 {
    let pressure = |celsius: f64| (17.625 * celsius / (243.04 + celsius)).exp();
    whole((100.0 * pressure(dew_point) / pressure(temperature)).clamp(1.0, 100.0))
}
