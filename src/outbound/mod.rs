//! Everything by which the server speaks to the outside on somebody else's word: videos that are
//! fetched by URL, and callbacks. Off by default.
//!
//! A URL is a stranger's, so the rules come first (`rules`), then the name is resolved once and
//! every address is checked ([`address`]), then one connection is made to exactly those addresses
//! (`client`). `docs/decisions/0017-outbound.md` has the reasons.

pub mod address;
mod client;
pub mod config;
mod error;
pub mod fetch;
pub mod resolve;
mod rules;
mod trust;
pub mod webhook;

pub use error::{OutboundError, OutboundErrorKind};
pub use fetch::{Download, Fetcher};
pub use url::Url;
