//! The one integration test binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::wildcard_enum_match_arm,
    reason = "a test ends where its expectation does"
)]

mod architecture;
mod cli;
mod clips;
mod decoder;
mod deployment;
mod documents;
mod evaluation;
mod faces;
mod fitting;
mod golden;
mod hostile;
mod http;
mod inference;
mod media_files;
mod outbound;
mod perturb;
mod providers;
mod python;
mod random;
mod runtimes;
mod server;
