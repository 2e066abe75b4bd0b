//! One module a resource.

pub(super) mod appeals;
pub(super) mod batches;
pub(super) mod decisions;
pub(super) mod flags;
pub(super) mod health;
pub(super) mod jobs;
pub(super) mod metrics;
pub(super) mod models;
pub(super) mod openapi;
pub(super) mod options;
mod paging;
pub(super) mod policies;
pub(super) mod reports;
pub(super) mod score;
pub(super) mod transparency;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;

use super::access;
use super::middleware;
use super::problem::Problem;
use super::state::AppState;

/// All routes over `state`.
pub fn router(state: AppState) -> Router {
    layered(routes(), state)
}

fn routes() -> Router<AppState> {
    Router::new()
        // The spool counts bytes itself and answers with its own code.
        .route(
            "/v1/score",
            post(score::score).layer(DefaultBodyLimit::disable()),
        )
        .route(
            "/v1/jobs",
            get(jobs::list)
                .post(jobs::submit::submit)
                .layer(DefaultBodyLimit::disable()),
        )
        .route("/v1/jobs/{id}", get(jobs::show).delete(jobs::cancel))
        .route("/v1/jobs/{id}/events", get(jobs::events::follow))
        .route(
            "/v1/jobs/{id}/deliveries",
            get(jobs::callbacks::list).post(jobs::callbacks::redeliver),
        )
        .route(
            "/v1/batches",
            get(batches::list)
                .post(batches::submit::submit)
                .layer(DefaultBodyLimit::disable()),
        )
        .route(
            "/v1/batches/{id}",
            get(batches::show).delete(batches::cancel),
        )
        .route("/v1/batches/{id}/results", get(batches::results::stream))
        .route(
            "/v1/flags",
            get(flags::list)
                .post(flags::submit)
                .layer(DefaultBodyLimit::disable()),
        )
        .route("/v1/flags/figures", get(flags::figures))
        .route("/v1/flags/{id}", get(flags::show))
        .route("/v1/webhooks/ping", post(jobs::callbacks::ping))
        .route("/v1/reports/{id}", get(reports::show))
        .route("/v1/reports/{id}/decision", post(decisions::decide))
        .route("/v1/reports/{id}/decisions", get(decisions::list))
        .route("/v1/transparency", get(transparency::counts))
        .route("/v1/transparency/statements", get(transparency::statements))
        .route(
            "/v1/reports/{id}/appeal",
            get(appeals::list)
                .post(appeals::submit)
                .layer(DefaultBodyLimit::disable()),
        )
        .route("/v1/models", get(models::list))
        .route("/v1/policies", get(policies::list))
        .route(
            "/v1/policies/{name}/simulate",
            post(policies::simulate::simulate).layer(DefaultBodyLimit::disable()),
        )
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::show))
        .route("/openapi.json", get(openapi::show))
        .fallback(|| async {
            Problem::new(
                StatusCode::NOT_FOUND,
                "not_found",
                "Not found",
                "There is no such route.",
            )
        })
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "Method not allowed",
                "The route exists, but not for this method; `Allow` names those it has.",
            )
        })
}

fn layered(routes: Router<AppState>, state: AppState) -> Router {
    routes
        .layer(CatchPanicLayer::custom(middleware::panicked))
        .layer(axum::middleware::from_fn_with_state(
            state.clone(),
            access::guard,
        ))
        .layer(axum::middleware::from_fn(middleware::bounded))
        .layer(axum::middleware::from_fn_with_state(
            state.clone(),
            middleware::around,
        ))
        .with_state(state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::config::ServerConfig;
    use crate::store::Spool;
    use crate::store::config::StoreConfig;
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt;

    async fn boom() {
        panic!("inner secret")
    }

    async fn ask(
        method: &str,
        uri: &str,
        id: Option<&str>,
    ) -> (u16, axum::http::HeaderMap, serde_json::Value) {
        let dir = tempfile::tempdir().unwrap();
        let config = StoreConfig {
            dir: dir.path().to_owned(),
            ..StoreConfig::default()
        };
        let state = AppState::new(&ServerConfig::default(), Spool::open(&config).unwrap());
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(id) = id {
            request = request.header("x-request-id", id);
        }
        let app = layered(routes().route("/boom", get(boom)), state);
        let response = app
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = axum::body::to_bytes(response.into_body(), 100_000)
            .await
            .unwrap();
        (
            status,
            headers,
            serde_json::from_slice(&body).unwrap_or_default(),
        )
    }

    #[tokio::test]
    async fn unknown_routes_and_methods_are_problems() {
        let (status, headers, body) = ask("GET", "/nowhere", None).await;
        assert_eq!((status, body["code"].as_str()), (404, Some("not_found")));
        assert_eq!(headers["content-type"], "application/problem+json");
        assert_eq!(
            body["request_id"],
            headers["x-request-id"].to_str().unwrap()
        );
        let (status, headers, body) = ask("DELETE", "/v1/score", None).await;
        assert_eq!(
            (status, body["code"].as_str()),
            (405, Some("method_not_allowed"))
        );
        assert_eq!(headers["allow"], "POST");
    }

    #[tokio::test]
    async fn a_callers_id_is_kept_when_it_is_one() {
        let (_, headers, _) = ask("GET", "/healthz", Some("abc-1.2_3")).await;
        assert_eq!(headers["x-request-id"], "abc-1.2_3");
        let (_, headers, _) = ask("GET", "/healthz", Some("a b")).await;
        assert_eq!(headers["x-request-id"].len(), 26);
    }

    #[tokio::test]
    async fn a_panic_is_a_500_that_says_nothing() {
        let (status, _, body) = ask("GET", "/boom", None).await;
        assert_eq!((status, body["code"].as_str()), (500, Some("internal")));
        assert!(!body.to_string().contains("secret"));
    }

    #[tokio::test]
    async fn alive_before_ready() {
        assert_eq!(ask("GET", "/healthz", None).await.0, 200);
        let (status, headers, body) = ask("GET", "/readyz", None).await;
        assert_eq!((status, body["code"].as_str()), (503, Some("overloaded")));
        assert!(headers.contains_key("retry-after"));
        assert_eq!(ask("POST", "/v1/score", None).await.0, 503);
        assert_eq!(ask("GET", "/v1/models", None).await.0, 503);
        assert_eq!(ask("GET", "/v1/policies", None).await.0, 503);
    }
}
