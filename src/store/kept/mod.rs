//! Material of stored reports from which they can be scored again: frames, or embeddings.
//!
//! Files of jaga's own, of mode 0600, each under a hash: nothing is unpacked that doesn't have the
//! hash that it was written with, so that nobody but who may write the data directory chooses what
//! this process unpacks.

pub mod config;
mod error;
mod frames;
mod pack;
mod record;
mod segments;
mod shelf;

pub use config::{KeepConfig, Material};
pub use error::KeptError;
pub use frames::{FrameReader, FrameWriter};
pub use pack::{Packed, pack};
pub use record::{Record, VectorFrame};
pub use segments::VectorIndex;
pub use shelf::Shelf;
