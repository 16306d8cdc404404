//! Numbers over time, computed from what was seen; asks nobody and knows no clock.

pub mod lag;
