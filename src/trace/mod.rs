//! One message through its life: the stages, what is told of each, and by which id they belong
//! together. No I/O.

mod context;
mod event;
mod identity;
mod sample;
mod stage;

pub use context::{ContextError, SpanId, TRACEPARENT, TraceContext, TraceId};
pub use event::{StageEvent, StageStatus};
pub use identity::{MESSAGE_ID, message_id, uuid_millis};
pub use sample::{Sample, SampleError};
pub use stage::{Stage, UnknownStage};

/// The topic that stage events go to, unless another one is named.
pub const STAGES_TOPIC: &str = "kpipe.stages";
