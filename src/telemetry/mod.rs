//! What a server tells about itself: logs and metrics. Nothing of an upload, its name or a caller's
//! query is among it.

mod logs;
pub mod metrics;

pub use logs::{LogConfig, LogError, LogFormat, init};
pub use metrics::Metrics;
