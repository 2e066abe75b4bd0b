//! Errors as callers see them: RFC 9457 `application/problem+json`.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A problem on its way out. The middleware adds the request's id and writes the body.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    facts: Map<String, Value>,
    retry_after_s: Option<u32>,
}

/// What went wrong, as RFC 9457 says. Members that help are added: a limit by its name with what is
/// allowed and what was found, or a query key with what is supported.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Body<'a> {
    /// `urn:jaga:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The same for each kind.
    title: &'a str,
    /// The answer's status.
    status: u16,
    /// For people; may change.
    detail: &'a str,
    /// What to test for.
    code: &'a str,
    /// As in the header `x-request-id`; absent in the problem of a job.
    #[schema(required = false)]
    request_id: &'a str,
    #[schema(ignore)]
    #[serde(flatten)]
    facts: &'a Map<String, Value>,
}

impl Problem {
    /// A problem; `detail` is shown to the caller.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            title,
            detail: detail.into(),
            facts: Map::new(),
            retry_after_s: None,
        }
    }

    /// A request that can't be read or that asks for something impossible.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad_request",
            "The request can't be read",
            detail,
        )
    }

    /// A fault of the server's own, about which the caller learns nothing but the request's id.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "The server failed",
            "Something went wrong on the server; its log has more under the request's id.",
        )
    }

    /// Adds a member that helps: a limit, what was found, what is supported.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    /// Adds `Retry-After`.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Machine-readable code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The body for a request of this id, as JSON.
    pub fn body(&self, request_id: &str) -> Vec<u8> {
        // Text and numbers always have a JSON form.
        serde_json::to_vec(&self.parts(request_id)).unwrap_or_default()
    }

    /// As it is kept with a job, as JSON: the id of the request that reads it means nothing for it.
    pub(super) fn kept(&self) -> String {
        let mut kept = serde_json::to_value(self.parts("")).unwrap_or_default();
        if let Some(members) = kept.as_object_mut() {
            members.remove("request_id");
        }
        kept.to_string()
    }

    fn parts<'a>(&'a self, request_id: &'a str) -> Body<'a> {
        Body {
            kind: format!("urn:jaga:problem:{}", self.code),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            request_id,
            facts: &self.facts,
        }
    }

    /// The whole response for a request of this id.
    pub fn render(&self, request_id: &str) -> Response {
        let mut response = (self.status, Json(self.parts(request_id))).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
