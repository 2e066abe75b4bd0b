//! The API's description in OpenAPI 3.1, made from the routes and types of this program.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::access;
use super::error;
use super::problem::Body;
use super::routes;
use crate::domain::region::Region;
use crate::domain::sampling::Strategy;
use crate::domain::transparency::published::Group;

/// What `#[derive]` collects from the handlers.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "jaga",
        description = "Tells how likely a video is synthetic or manipulated. No answer says that a video is authentic.\n\nEvery error is a `Problem`, told apart by its `code`; also those that belong to no operation: 404 `not_found` for any other path, and 405 `method_not_allowed` with `Allow` for any other method. Where there is GET there is HEAD. Header lines of more than 64 KiB are a 431 without a body. Members may be added to any answer."
    ),
    paths(
        routes::score::score,
        routes::jobs::list,
        routes::jobs::submit::submit,
        routes::jobs::show,
        routes::jobs::cancel,
        routes::jobs::events::follow,
        routes::jobs::callbacks::list,
        routes::jobs::callbacks::redeliver,
        routes::jobs::callbacks::ping,
        routes::batches::list,
        routes::batches::submit::submit,
        routes::batches::show,
        routes::batches::cancel,
        routes::batches::results::stream,
        routes::flags::list,
        routes::flags::submit,
        routes::flags::figures,
        routes::flags::show,
        routes::reports::show,
        routes::decisions::decide,
        routes::decisions::list,
        routes::transparency::counts,
        routes::transparency::statements,
        routes::appeals::submit,
        routes::appeals::list,
        routes::models::list,
        routes::policies::list,
        routes::policies::simulate::simulate,
        routes::health::alive,
        routes::health::ready,
        routes::metrics::show,
        routes::openapi::show,
    ),
    components(schemas(Body, Group, Region, Strategy, routes::transparency::Format))
)]
struct Api;

/// The document; committed as `docs/openapi.json`.
pub fn document() -> Result<Value, serde_json::Error> {
    let mut document = serde_json::to_value(Api::openapi())?;
    clean(&mut document);
    if let Some(schemas) = document.pointer_mut("/components/schemas") {
        open(schemas);
    }
    if let Some(components) = document
        .get_mut("components")
        .and_then(Value::as_object_mut)
    {
        let scheme = json!({
            "type": "http",
            "scheme": "bearer",
            "description": "An API key of `jaga keys create`. A server on a loopback address asks for none unless it is told to.",
        });
        components.insert("securitySchemes".to_owned(), json!({ "key": scheme }));
    }
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for (path, item) in paths.into_iter().flatten() {
        for operation in item.as_object_mut().into_iter().flatten() {
            if let Some(operation) = operation.1.as_object_mut() {
                // They would be the names of this program's modules.
                operation.remove("tags");
                if !access::is_open(path) {
                    operation.insert("security".to_owned(), json!([{ "key": [] }, {}]));
                }
            }
            let responses = operation.1.get_mut("responses");
            if let Some(responses) = responses.and_then(Value::as_object_mut) {
                add_problems(path, responses);
                add_ids(responses);
            }
        }
    }
    Ok(document)
}

/// Adds a response for each status that a problem of `path` can have, with its codes.
fn add_problems(path: &str, responses: &mut Map<String, Value>) {
    let mut codes: BTreeMap<StatusCode, BTreeSet<&'static str>> = BTreeMap::new();
    let own = match path {
        "/v1/score" => error::of_analyses(),
        "/v1/jobs" | "/v1/flags" => error::of_submissions(),
        "/v1/reports/{id}/decision" => error::of_decisions(),
        "/v1/flags/figures" | "/v1/transparency" | "/v1/transparency/statements" => {
            let mut own = error::of_readiness().to_vec();
            own.push((StatusCode::BAD_REQUEST, "bad_request"));
            own
        }
        "/v1/batches" => error::of_batches(),
        "/v1/webhooks/ping" => error::of_callbacks(),
        "/v1/jobs/{id}/deliveries" => {
            let mut own = error::of_callbacks();
            own.push((StatusCode::NOT_FOUND, "not_found"));
            own
        }
        "/v1/reports/{id}/appeal" => {
            let mut own = error::of_analyses();
            own.extend(routes::appeals::problems());
            own
        }
        "/v1/policies/{name}/simulate" => error::of_simulations(),
        path if path.ends_with("/{id}")
            || path.ends_with("/{id}/decisions")
            || path.starts_with("/v1/jobs/")
            || path.starts_with("/v1/batches/") =>
        {
            let mut own = error::of_readiness().to_vec();
            own.push((StatusCode::NOT_FOUND, "not_found"));
            own
        }
        "/v1/models" | "/v1/policies" | "/readyz" => error::of_readiness().to_vec(),
        _ => Vec::new(),
    };
    let guarded = (!access::is_open(path)).then(error::of_guarded_routes);
    let common = error::of_every_route().into_iter();
    let common = common.chain(guarded.into_iter().flatten());
    for (status, code) in own.into_iter().chain(common) {
        codes.entry(status).or_default().insert(code);
    }
    for (status, codes) in codes {
        responses.insert(status.as_str().to_owned(), problem(status, &codes));
    }
}

/// Adds the header that every answer has.
fn add_ids(responses: &mut Map<String, Value>) {
    let id = json!({
        "description": "The request's id: the caller's own, when it has 1 to 64 letters, digits, `-`, `_` or `.`",
        "schema": { "type": "string" },
    });
    for response in responses.values_mut().filter_map(Value::as_object_mut) {
        let headers = response.entry("headers").or_insert_with(|| json!({}));
        if let Some(headers) = headers.as_object_mut() {
            headers.insert("x-request-id".to_owned(), id.clone());
        }
    }
}

fn problem(status: StatusCode, codes: &BTreeSet<&'static str>) -> Value {
    let names: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
    let schema = json!({ "allOf": [
        { "$ref": "#/components/schemas/Problem" },
        { "type": "object", "properties": {
            "code": { "type": "string", "enum": codes },
            "status": { "type": "integer", "const": status.as_u16() },
        } },
    ] });
    let mut response = json!({
        "description": names.join(", "),
        "content": { "application/problem+json": { "schema": schema } },
    });
    let retry = [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ];
    if let Some(object) = response.as_object_mut().filter(|_| retry.contains(&status)) {
        let seconds = json!({ "description": "Seconds", "schema": { "type": "integer" } });
        object.insert("headers".to_owned(), json!({ "Retry-After": seconds }));
    }
    response
}

/// Members may be added to answers: a schema that forbids those that it doesn't know, as settings do,
/// would also forbid those of the types that it is part of.
fn open(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if object.get("additionalProperties") == Some(&Value::Bool(false)) {
                object.remove("additionalProperties");
            }
            object.values_mut().for_each(open);
        }
        Value::Array(list) => list.iter_mut().for_each(open),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Takes the links of Rust's documentation out of descriptions: ``[`a`](b)`` and ``[`a`]`` become
/// `` `a` ``, and Rust's `None` becomes the `null` that callers see.
fn clean(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                if let (Value::String(text), "description" | "summary") =
                    (&mut *value, key.as_str())
                {
                    *text = without_links(text).replace("`None`", "`null`");
                }
                clean(value);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(clean),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn without_links(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[`") {
        let Some((name, after)) = after.split_once("`]") else {
            break;
        };
        clean.push_str(before);
        clean.push('`');
        clean.push_str(name);
        clean.push('`');
        let target = after.strip_prefix('(').and_then(|t| t.split_once(')'));
        rest = target.map_or(after, |(_, after)| after);
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_the_sources_become_names() {
        for (text, want) in [
            ("no link", "no link"),
            ("see [`A`](super::A) and [`B`].", "see `A` and `B`."),
            ("[`open", "[`open"),
        ] {
            assert_eq!(without_links(text), want);
        }
    }
}
