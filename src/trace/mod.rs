//! One message through its life: the stages, what is told of each, and by which id they belong
//! together. No I/O.

mod context;
mod event;
mod expectation;
mod identity;
mod sample;
mod sighting;
mod stage;
mod statistics;
mod timeline;
mod wanted;

pub use context::{ContextError, SpanId, TRACEPARENT, TraceContext, TraceId};
pub use event::{StageEvent, StageStatus};
pub use expectation::{Expectation, ExpectationError, Shortfall, exceeds};
pub use identity::{MESSAGE_ID, message_id, uuid_millis};
pub use sample::{Sample, SampleError};
pub use sighting::Sighting;
pub use stage::{Stage, UnknownStage};
pub use statistics::{StageStatistics, Statistics};
pub use timeline::{Fate, Hop, Source, Timeline};
pub use wanted::{Id, Match, Mention, Wanted, WantedHeader};

/// The topic that stage events go to, unless another one is named.
pub const STAGES_TOPIC: &str = "kpipe.stages";
