//! Real requests to a real server.

mod connections;
mod drain;
mod exposition;
mod lifecycle;
mod logs;
mod metrics;
mod models;
mod openapi;
mod problems;
mod process;
mod score;
mod traces;
