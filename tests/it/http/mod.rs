//! Real requests to a real server.

mod access;
mod adaptive;
pub(crate) mod batches;
mod callbacks;
mod connections;
mod crashes;
mod drain;
mod drift;
mod election;
mod exposition;
mod flags;
mod jobs;
mod ledger;
mod lifecycle;
mod logs;
mod metrics;
mod models;
mod openapi;
mod policies;
mod problems;
mod process;
mod recall;
mod score;
mod tls;
mod traces;
