//! Real requests to a real server.

mod access;
mod adaptive;
mod appeals;
mod callbacks;
mod connections;
mod drain;
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
mod rescore;
mod score;
mod simulate;
mod tls;
mod traces;
