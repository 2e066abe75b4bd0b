//! `GET /openapi.json`.

use std::sync::OnceLock;

use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;

use crate::http::openapi;
use crate::http::problem::Problem;

/// This description.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value))
)]
pub(in crate::http) async fn show()
-> Result<([(HeaderName, &'static str); 1], &'static str), Problem> {
    static DOCUMENT: OnceLock<Option<String>> = OnceLock::new();
    let made = || {
        openapi::document()
            .ok()
            .map(|document| document.to_string())
    };
    let text = DOCUMENT.get_or_init(made).as_deref();
    let text = text.ok_or_else(Problem::internal)?;
    Ok(([(CONTENT_TYPE, "application/json")], text))
}
