//! The HTTP door: no scoring logic here.

pub mod config;
mod connections;
mod error;
mod middleware;
pub mod openapi;
mod pace;
pub mod problem;
mod routes;
mod server;
mod state;
mod upload;

pub use routes::router;
pub use server::{ServeError, run};
pub use state::AppState;
