//! From a spooled file to frames: the decoder child, its wire format and its limits.
//!
//! The server never opens a container or a codec itself; FFmpeg lives in the `jaga-decoder`
//! binary, behind [`protocol`].

pub mod config;
pub mod decoder;
pub mod error;
pub mod limits;
pub mod protocol;
pub mod sandbox;

pub use config::{MediaConfig, PerturbConfig};
pub use decoder::{ChildCounts, ChildEnd, Decoded, Decoder, OpenMedia, Perturber};
pub use error::MediaError;
pub use limits::MediaLimits;
