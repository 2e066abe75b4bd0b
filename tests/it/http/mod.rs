//! Real requests to a real server.

mod lifecycle;
mod models;
mod problems;
mod score;
