//! `weather`: figures agree with each other, persist, and follow sun and year.

use std::collections::BTreeMap;
use std::f64::consts::PI;
use std::sync::LazyLock;

use serde::Deserialize;

use super::super::places::PLACES;
use super::super::shapes::choice;
use super::super::sky::Sky;
use super::super::testing::{START, run_at};
use super::share;
use crate::generate::{Event, Moment};

const COUNT: usize = 100_000;
const WET: [&str; 4] = ["DRIZZLE", "RAIN", "THUNDERSTORM", "SNOW"];

/// A report as a consumer reads it.
#[derive(Debug, Deserialize)]
struct Report {
    #[serde(skip)]
    entity: u64,
    #[serde(skip)]
    at: Moment,
    position: Position,
    condition: String,
    temperature: f64,
    dew_point: f64,
    humidity: f64,
    wind_speed: f64,
    wind_gust: f64,
    precipitation: f64,
    visibility: f64,
    uv: f64,
}

#[derive(Debug, Deserialize)]
struct Position {
    latitude: f64,
    longitude: f64,
}

impl Report {
    /// By the sun, not by the clocks.
    fn local_hour(&self) -> f64 {
        (self.at.hour() + self.position.longitude / 15.0).rem_euclid(24.0)
    }
}

static REPORTS: LazyLock<Vec<Report>> = LazyLock::new(|| reports(START, COUNT));

fn reports(start: Moment, count: usize) -> Vec<Report> {
    let mut events = run_at("weather", 1, start, None);
    let mut event = Event::default();
    (0..count)
        .map(|_| {
            events.next(&mut event);
            Report {
                entity: event.entity,
                at: event.at,
                ..serde_json::from_slice(&event.payload).unwrap()
            }
        })
        .collect()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value));
    sum / count
}

#[test]
fn the_figures_of_a_report_agree_with_each_other() {
    for report in REPORTS.iter() {
        let (warm, dew) = (report.temperature, report.dew_point);
        assert!(dew <= warm, "{report:?}");
        // Vapour pressure at the dew point over that at the temperature, by Magnus's formula.
        let exponent = 17.625 * dew / (dew + 243.04) - 17.625 * warm / (warm + 243.04);
        let humidity = (100.0 * exponent.exp()).max(1.0);
        assert!((humidity - report.humidity).abs() <= 0.501, "{report:?}");
        assert!(report.wind_gust >= report.wind_speed, "{report:?}");
        let is_wet = WET.contains(&report.condition.as_str());
        assert_eq!(report.precipitation > 0.0, is_wet, "{report:?}");
        assert_eq!(
            report.visibility < 1000.0,
            report.condition == "FOG",
            "{report:?}"
        );
        assert!(report.condition != "SNOW" || warm <= 0.5, "{report:?}");
        // At no season does the sun shine at midnight so far from the poles.
        let is_night =
            report.position.latitude.abs() < 60.0 && (report.local_hour() - 12.0).abs() > 11.0;
        assert!(!is_night || report.uv == 0.0, "{report:?}");
    }
    let brightest = REPORTS.iter().map(|report| report.uv).fold(0.0, f64::max);
    assert!((9.0..13.0).contains(&brightest), "{brightest}");
}

#[test]
fn a_sky_stays_and_has_its_share_of_time() {
    let mut last: BTreeMap<u64, &str> = BTreeMap::new();
    let (mut same, mut pairs) = (0, 0);
    for report in REPORTS.iter() {
        if let Some(last) = last.insert(report.entity, &report.condition) {
            pairs += 1;
            same += usize::from(last == report.condition);
        }
    }
    // Ten minutes of a sky that stays for some hours.
    let persistence = share(same, pairs);
    assert!((0.94..0.985).contains(&persistence), "{persistence}");
    for (sky, name, tolerance) in [
        (Sky::Clear, "CLEAR", 0.12),
        (Sky::Overcast, "OVERCAST", 0.1),
    ] {
        let found = REPORTS
            .iter()
            .filter(|report| report.condition == name)
            .count();
        let (found, expected) = (share(found, COUNT), long_run(sky));
        assert!(
            (found / expected - 1.0).abs() < tolerance,
            "{name} {found} {expected}"
        );
    }
}

/// The share of time that a sky has in the long run, from the chain's own figures.
fn long_run(wanted: Sky) -> f64 {
    let mut visits = vec![(Sky::Clear, 1.0)];
    for _ in 0..500 {
        let mut next: Vec<(Sky, f64)> = Vec::new();
        for (sky, weight) in &visits {
            // Staying half of the time keeps the chain from going round in step.
            let moves = sky
                .climate()
                .next
                .iter()
                .map(|(share, to)| (*to, weight * share / 2.0));
            for (to, more) in moves.chain([(*sky, weight / 2.0)]) {
                match next.iter_mut().find(|(sky, _)| *sky == to) {
                    Some((_, weight)) => *weight += more,
                    None => next.push((to, more)),
                }
            }
        }
        visits = next;
    }
    let time = |(sky, weight): &(Sky, f64)| weight * sky.climate().stay;
    let all: f64 = visits.iter().map(time).sum();
    visits
        .iter()
        .filter(|(sky, _)| *sky == wanted)
        .map(time)
        .sum::<f64>()
        / all
}

#[test]
fn winds_are_weibull_with_shape_2_and_change_slowly() {
    let of_mean = |report: &Report| report.wind_speed / choice(&PLACES, report.entity).wind;
    let speeds: Vec<f64> = REPORTS.iter().map(of_mean).collect();
    let average = mean(speeds.iter().copied());
    let square = mean(speeds.iter().map(|speed| speed * speed));
    assert!((average - 1.0).abs() < 0.04, "{average}");
    assert!(
        (average * average / square - PI / 4.0).abs() < 0.03,
        "{square}"
    );
    let strong = speeds
        .iter()
        .filter(|speed| **speed > 2.0 * average)
        .count();
    assert!(
        (share(strong, COUNT) - (-PI).exp()).abs() < 0.012,
        "{strong}"
    );

    let mut last: BTreeMap<u64, f64> = BTreeMap::new();
    let steps = REPORTS.iter().filter_map(|report| {
        let speed = of_mean(report) - average;
        last.insert(report.entity, speed).map(|last| last * speed)
    });
    let correlation = mean(steps) / (square - average * average);
    assert!((0.9..0.98).contains(&correlation), "{correlation}");
}

#[test]
fn afternoons_are_warmer_than_nights_and_summers_than_winters() {
    let clear_at = |hour: f64| {
        let clear = REPORTS.iter().filter(|report| report.condition == "CLEAR");
        mean(
            clear
                .filter(|report| (report.local_hour() - hour).abs() < 0.5)
                .map(|report| report.temperature),
        )
    };
    let swing = clear_at(15.0) - clear_at(3.0);
    assert!((5.0..12.0).contains(&swing), "{swing}");

    let [january, july] = ["2026-01-10T00:00:00Z", "2026-07-10T00:00:00Z"].map(|date| {
        let start = Moment::from(date.parse::<jiff::Timestamp>().unwrap());
        reports(start, 10_000)
    });
    let at = |reports: &[Report], entity| {
        let of_station = reports.iter().filter(|report| report.entity == entity);
        mean(of_station.map(|report| report.temperature))
    };
    // Berlin and Sydney.
    let (north, south) = (
        at(&july, 0) - at(&january, 0),
        at(&january, 1) - at(&july, 1),
    );
    assert!((15.0..32.0).contains(&north), "{north}");
    assert!((8.0..24.0).contains(&south), "{south}");
}

#[test]
fn rain_is_as_heavy_as_its_sky_says() {
    // The sight in a storm that is too cold for thunder is shorter.
    let rain = REPORTS
        .iter()
        .filter(|report| report.condition == "RAIN" && report.visibility > 6000.0);
    let mean = mean(rain.map(|report| report.precipitation));
    assert!((2.2..2.9).contains(&mean), "{mean}");
}
