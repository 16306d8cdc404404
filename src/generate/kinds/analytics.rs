//! `analytics`: what visitors do in the application, visit by visit.
//!
//! A visit begins with a page view and goes from page to page along the links there are (a
//! Markov chain). Features are used, errors occur and timings are measured on the page that
//! was viewed last.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::fields::{self, Name};
use super::rounded;
use super::shapes::{choice, log_normal, one_of, scatter, weighted};
use crate::generate::{Dice, Envelope, Event, Id, Kind, Moment, PayloadSchema};

const MINUTE: f64 = 60.0;

/// A page, what can be done there, and where its links lead.
struct Page {
    path: &'static str,
    features: &'static [&'static str],
    links: &'static [(f64, usize)],
}

const PAGES: [Page; 7] = [
    Page {
        path: "/",
        features: &["SEARCH"],
        links: &[(0.5, 1), (0.3, 2), (0.1, 3), (0.1, 5)],
    },
    Page {
        path: "/channels",
        features: &["SEARCH", "CHANNEL_CREATE", "CHANNEL_MUTE"],
        links: &[(0.8, 2), (0.1, 0), (0.1, 4)],
    },
    Page {
        path: "/channel",
        features: &["MESSAGE_SEND", "FILE_UPLOAD", "EMOJI_PICKER", "CALL_START"],
        links: &[(0.4, 1), (0.3, 2), (0.2, 4), (0.1, 6)],
    },
    Page {
        path: "/settings",
        features: &["THEME_CHANGE", "NOTIFICATION_CHANGE"],
        links: &[(0.7, 0), (0.3, 1)],
    },
    Page {
        path: "/profile",
        features: &["AVATAR_CHANGE", "STATUS_CHANGE"],
        links: &[(0.6, 1), (0.4, 3)],
    },
    Page {
        path: "/pricing",
        features: &["PLAN_COMPARE"],
        links: &[(0.8, 0), (0.2, 3)],
    },
    Page {
        path: "/files",
        features: &["FILE_UPLOAD", "FILE_DOWNLOAD", "SEARCH"],
        links: &[(0.7, 2), (0.3, 1)],
    },
];

/// A measurement: its name and unit, its median, the deviation of its logarithm, its decimals.
type Measure = (&'static str, &'static str, f64, f64, i32);

const MEASURES: [Measure; 4] = [
    ("LARGEST_CONTENTFUL_PAINT", "ms", 1400.0, 0.5, 0),
    ("INTERACTION_TO_NEXT_PAINT", "ms", 90.0, 0.7, 0),
    ("TIME_TO_FIRST_BYTE", "ms", 180.0, 0.6, 0),
    ("CUMULATIVE_LAYOUT_SHIFT", "score", 0.03, 0.9, 3),
];

const ERRORS: [(f64, (&str, &str)); 5] = [
    (0.4, ("NETWORK", "request timed out")),
    (0.2, ("SERVER", "internal server error")),
    (0.2, ("SCRIPT", "cannot read properties of undefined")),
    (0.1, ("NOT_FOUND", "no such resource")),
    (0.1, ("RATE_LIMITED", "too many requests")),
];

/// Usage of a chat application.
pub(super) struct Analytics;

/// Somebody who visits now and then.
#[derive(Serialize, Deserialize)]
pub(super) struct Visitor {
    number: u32,
    visit: Option<Visit>,
}

#[derive(Serialize, Deserialize)]
struct Visit {
    id: Id,
    page: usize,
    /// Counts the events of the visit.
    sequence: u32,
}

#[derive(Serialize)]
struct Seen {
    event_id: Id,
    user_id: Name,
    session_id: Id,
    sequence: u32,
    path: &'static str,
    referrer: Option<&'static str>,
    device: &'static str,
}

#[derive(Serialize)]
struct Used {
    event_id: Id,
    user_id: Name,
    session_id: Id,
    sequence: u32,
    path: &'static str,
    feature: &'static str,
}

#[derive(Serialize)]
struct Failed {
    event_id: Id,
    user_id: Name,
    session_id: Id,
    sequence: u32,
    path: &'static str,
    code: &'static str,
    message: &'static str,
    fatal: bool,
}

#[derive(Serialize)]
struct Measured {
    event_id: Id,
    user_id: Name,
    session_id: Id,
    sequence: u32,
    path: &'static str,
    metric: &'static str,
    value: f64,
    unit: &'static str,
}

impl Kind for Analytics {
    type Entity = Visitor;

    fn name(&self) -> &'static str {
        "analytics"
    }

    fn about(&self) -> &'static str {
        "visits to an application: page views, features used, errors and timings"
    }

    fn envelope(&self) -> Envelope {
        Envelope::Type
    }

    fn entities(&self) -> u32 {
        500
    }

    fn interval(&self) -> Duration {
        Duration::from_mins(5)
    }

    fn payloads(&self) -> Vec<PayloadSchema> {
        let paths = PAGES.map(|page| page.path);
        let mut features: Vec<&str> = PAGES
            .iter()
            .flat_map(|page| page.features)
            .copied()
            .collect();
        features.sort_unstable();
        features.dedup();
        let of_visit = |more: serde_json::Value| {
            let mut all = json!({
                "event_id": fields::id(),
                "user_id": fields::name("user"),
                "session_id": fields::id(),
                "sequence": {"type": "integer", "minimum": 1, "description": "counts the events of the session"},
                "path": {"enum": paths},
            });
            if let (Some(all), serde_json::Value::Object(more)) = (all.as_object_mut(), more) {
                all.extend(more);
            }
            all
        };
        vec![
            fields::payload(
                "PAGE_VIEW",
                &of_visit(json!({
                    "referrer": fields::nullable(&json!({"enum": paths})),
                    "device": {"enum": ["DESKTOP", "MOBILE", "TABLET"]},
                })),
            ),
            fields::payload(
                "FEATURE_USED",
                &of_visit(json!({"feature": {"enum": features}})),
            ),
            fields::payload(
                "ERROR_OCCURRED",
                &of_visit(json!({
                    "code": {"enum": ERRORS.map(|(_, (code, _))| code)},
                    "message": {"type": "string", "minLength": 1},
                    "fatal": {"type": "boolean", "description": "ends the session"},
                })),
            ),
            fields::payload(
                "PERFORMANCE_METRIC",
                &of_visit(json!({
                    "metric": {"enum": MEASURES.map(|measure| measure.0)},
                    "value": {"type": "number", "minimum": 0},
                    "unit": {"enum": ["ms", "score"]},
                })),
            ),
        ]
    }

    fn birth(&self, number: u32, _: Moment, _: &mut Dice, _: &mut Dice) -> Visitor {
        Visitor {
            number,
            visit: None,
        }
    }

    fn next(&self, visitor: &mut Visitor, at: Moment, life: &mut Dice, event: &mut Event) {
        event.key(visitor.name());
        event.wait_seconds(log_normal(life, 12.0, 1.0));
        let what = life.below(100);
        let Some(visit) = &mut visitor.visit else {
            visitor.arrive(at, life, event);
            return;
        };
        visit.sequence = visit.sequence.saturating_add(1);
        let user_id = Name("user", visitor.number);
        let (session_id, sequence, event_id) = (visit.id, visit.sequence, life.id(at));
        let page = choice(&PAGES, visit.page as u64);
        let path = page.path;
        let mut is_over = life.chance(0.08);
        match what {
            0..40 => {
                visit.page = weighted(life, page.links);
                event.event_type("PAGE_VIEW");
                event.payload(&Seen {
                    event_id,
                    user_id,
                    session_id,
                    sequence,
                    path: choice(&PAGES, visit.page as u64).path,
                    referrer: Some(path),
                    device: device(visitor.number),
                });
            }
            40..70 => {
                event.event_type("FEATURE_USED");
                event.payload(&Used {
                    event_id,
                    user_id,
                    session_id,
                    sequence,
                    path,
                    feature: one_of(life, page.features),
                });
            }
            70..73 => {
                let (code, message) = weighted(life, &ERRORS);
                let fatal = life.chance(0.1);
                is_over |= fatal;
                event.event_type("ERROR_OCCURRED");
                event.payload(&Failed {
                    event_id,
                    user_id,
                    session_id,
                    sequence,
                    path,
                    code,
                    message,
                    fatal,
                });
            }
            _ => {
                let (metric, unit, median, deviation, decimals) = one_of(life, &MEASURES);
                event.event_type("PERFORMANCE_METRIC");
                event.payload(&Measured {
                    event_id,
                    user_id,
                    session_id,
                    sequence,
                    path,
                    metric,
                    value: rounded(log_normal(life, median, deviation), decimals),
                    unit,
                });
            }
        }
        if is_over {
            visitor.visit = None;
            event.wait_seconds(log_normal(life, 45.0 * MINUTE, 1.0));
        }
    }
}

impl Visitor {
    fn name(&self) -> Name {
        Name("user", self.number)
    }

    /// A visit begins, mostly on the first page.
    fn arrive(&mut self, at: Moment, life: &mut Dice, event: &mut Event) {
        let visit = Visit {
            id: life.id(at),
            page: weighted(life, &[(0.6, 0), (0.25, 2), (0.15, 5)]),
            sequence: 1,
        };
        event.event_type("PAGE_VIEW");
        event.payload(&Seen {
            event_id: life.id(at),
            user_id: self.name(),
            session_id: visit.id,
            sequence: visit.sequence,
            path: PAGES[visit.page].path,
            referrer: None,
            device: device(self.number),
        });
        self.visit = Some(visit);
    }
}

/// What somebody visits with.
fn device(number: u32) -> &'static str {
    let devices = &["DESKTOP", "DESKTOP", "MOBILE", "MOBILE", "TABLET"];
    choice::<&str>(devices, scatter(number.into()) >> 8)
}
