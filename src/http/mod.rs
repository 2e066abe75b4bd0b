//! The HTTP door: no scoring logic here.

pub mod config;
mod error;
mod middleware;
pub mod openapi;
pub mod problem;
mod routes;
mod server;
mod state;
mod upload;

pub use routes::router;
pub use server::{ServeError, run};
pub use state::AppState;
