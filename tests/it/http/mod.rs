//! Real requests to a real server.

mod connections;
mod lifecycle;
mod models;
mod problems;
mod score;
