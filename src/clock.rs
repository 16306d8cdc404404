//! What time it is, asked in one place so that it can be decided elsewhere.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The time and its zone.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    zone: TimeZone,
}

impl Clock {
    /// The machine's clock, in the zone of `TZ` or of the system.
    pub(crate) fn system() -> Self {
        Self {
            zone: TimeZone::system(),
        }
    }

    /// The present moment.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    #[expect(
        clippy::unused_self,
        reason = "time belongs to whoever holds the clock"
    )]
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// The zone that local times are in.
    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }
}
