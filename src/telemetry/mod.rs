//! What a server tells about itself: logs, metrics and traces. Nothing of an upload, its name or a caller's
//! query is among it.

mod logs;
pub mod metrics;
pub mod traces;

pub use logs::{LogConfig, LogError, LogFormat, init};
pub use metrics::Metrics;
pub use traces::TracesConfig;
