//! The HTTP door: no scoring logic here.

mod access;
pub mod config;
mod connections;
mod error;
mod middleware;
pub mod openapi;
mod pace;
mod policies;
pub mod problem;
mod routes;
mod server;
mod state;
pub mod tls;
mod upload;

pub use error::explain;
pub use routes::router;
pub use server::{ServeError, run};
pub use state::AppState;
