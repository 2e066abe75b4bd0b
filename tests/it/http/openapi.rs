//! `GET /openapi.json` and `docs/openapi.json`: no drift, and what the server answers is as it says.

use std::collections::BTreeSet;
use std::path::Path;

use jsonschema::Validator;
use reqwest::blocking::Response;
use serde_json::{Value, json};

use crate::decoder::protocol::Fake;
use crate::faces::{self, bundles, scene};

use crate::server::Server;

fn document() -> Value {
    jaga::http::openapi::document().unwrap()
}

#[test]
fn the_committed_document_is_the_programs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let made = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    if std::env::var_os("JAGA_TEST_UPDATE_OPENAPI").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == made,
        "docs/openapi.json has drifted: run JAGA_TEST_UPDATE_OPENAPI=1 cargo test --test it openapi"
    );
}

#[test]
fn it_is_openapi_3_1_and_names_every_route_once() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let paths = document["paths"].as_object().unwrap();
    let described: BTreeSet<(&str, &str)> = paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap();
            methods
                .keys()
                .map(|method| (path.as_str(), method.as_str()))
        })
        .collect();
    let sources = include_str!("../../../src/http/routes/mod.rs");
    let (lines, _) = sources.split_once(".fallback(").unwrap();
    let routed: BTreeSet<(&str, &str)> = lines
        .split(".route(")
        .skip(1)
        .flat_map(|route| {
            let path = route.split('"').nth(1).unwrap();
            let methods = ["get", "post", "delete"].into_iter();
            let methods = methods.filter(move |method| {
                let mut words = route.split(|c: char| !c.is_ascii_lowercase());
                words.any(|word| word == *method) && route.contains(&format!("{method}("))
            });
            methods.map(move |method| (path, method))
        })
        .collect();
    assert_eq!(described, routed);
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(
            document.pointer(pointer).is_some(),
            "{pointer} leads nowhere"
        );
    }
    assert!(!text.contains("crate::") && !text.contains("super::"));
}

/// Checks answers against the document.
pub(crate) struct Described {
    document: Value,
}

impl Described {
    pub(crate) fn new() -> Self {
        Self {
            document: document(),
        }
    }

    /// The body, once it is checked.
    pub(crate) fn check(&self, method: &str, path: &str, response: Response) -> Value {
        let status = response.status().as_u16().to_string();
        let kind = response.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        let described = &self.document["paths"][path][method]["responses"][&status];
        let content = &described["content"][&kind]["schema"];
        assert!(
            !content.is_null(),
            "{method} {path} {status} {kind} isn't described"
        );
        for name in described["headers"].as_object().unwrap().keys() {
            let sent = response.headers().contains_key(name);
            assert!(sent, "{path} {status}: no {name}");
        }
        let body: Value = response.json().unwrap();
        let errors: Vec<String> = self
            .validator(content)
            .iter_errors(&body)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{path} {status}: {errors:#?}\n{body:#}");
        body
    }

    fn validator(&self, schema: &Value) -> Validator {
        let whole = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "components": self.document["components"],
            "allOf": [schema],
        });
        jsonschema::validator_for(&whole).unwrap()
    }

    fn score(&self, server: &Server, query: &str, body: Vec<u8>) -> Value {
        let url = server.url(&format!("/v1/score{query}"));
        let response = server.client.post(url).body(body).send().unwrap();
        self.check("post", "/v1/score", response)
    }
}

#[test]
fn a_wrong_report_would_be_found() {
    let described = Described::new();
    let reference = json!({ "$ref": "#/components/schemas/Report" });
    assert!(!described.validator(&reference).is_valid(&json!({})));
    let probability = json!({ "$ref": "#/components/schemas/Probability" });
    let validator = described.validator(&probability);
    assert!(validator.is_valid(&json!(0.5)) && !validator.is_valid(&json!(1.5)));
    let answer = json!({ "$ref": "#/components/schemas/Answer" });
    let mut good =
        json!({"score": null, "verdict": "inconclusive", "voted": 0, "reason": "no_model"});
    let validator = described.validator(&answer);
    assert!(validator.is_valid(&good));
    good["reason"] = json!("because");
    assert!(!validator.is_valid(&good));
    good.as_object_mut().unwrap().remove("reason");
    good.as_object_mut().unwrap().remove("score");
    assert!(!validator.is_valid(&good), "a score is there, be it null");
}

#[test]
fn the_small_routes_answer_as_described() {
    let Some(server) = Server::start(|_| {}) else {
        return;
    };
    let described = Described::new();
    for path in ["/healthz", "/readyz", "/v1/models"] {
        described.check("get", path, server.get(path));
    }
    let shown = described.check("get", "/openapi.json", server.get("/openapi.json"));
    assert_eq!(shown, described.document);
}

#[test]
fn problems_are_as_described() {
    let start = Server::start(|config| config.data.max_upload_bytes = 10_000);
    let Some(server) = start else { return };
    let described = Described::new();
    let long = format!("?model={}", "m".repeat(9000));
    for (query, body, code) in [
        (long.as_str(), Vec::new(), "bad_request"),
        ("", Vec::new(), "empty_media"),
        ("", vec![0; 10_001], "too_large"),
        ("", b"hello, a text\n".repeat(100), "unsupported_media"),
        ("?model=nobody", Vec::new(), "unknown_model"),
        ("?frames=0", Vec::new(), "bad_request"),
    ] {
        assert_eq!(described.score(&server, query, body)["code"], code);
    }
    let fake = Fake::stalling();
    let start = Server::start(|config| {
        config.media.decoder = Some(fake.program());
        config.analysis.deadline_s = 0.2;
    });
    let problem = described.score(&start.unwrap(), "", b"x".to_vec());
    assert_eq!(problem["code"], "deadline_exceeded");
}

#[test]
fn reports_with_faces_windows_and_without_scores_are_as_described() {
    let make = |models: &Path| {
        bundles::finder(models);
        bundles::face(models, "face", "min_size = 16\n");
        bundles::frame(models, "frame", "");
        let windows = "[window]\nframes = 3\nstride = 1\ncount = 4\n";
        bundles::window(models, "window", windows);
    };
    let Some(server) = faces::server(make, &["face", "frame", "window"]) else {
        return;
    };
    let described = Described::new();
    let people = vec![scene::Scene::of(&[(150, 90, scene::FAKE)]); 16];
    let query = "?sampling=uniform&frames=16&frame_scores=true";
    let bytes = std::fs::read(scene::clip("described", &people)).unwrap();
    let report = described.score(&server, query, bytes);
    let model = |name: &str| {
        let models = report["models"].as_array().unwrap().iter();
        models
            .into_iter()
            .find(|model| model["name"] == name)
            .unwrap()
    };
    assert!(!model("face")["tracks"].as_array().unwrap().is_empty());
    assert!(!model("window")["windows"].as_array().unwrap().is_empty());
    assert!(model("frame")["score"].is_number());
    let nobody = vec![scene::Scene::of(&[]); 16];
    let bytes = std::fs::read(scene::clip("described-nobody", &nobody)).unwrap();
    let report = described.score(&server, "?model=face&frame_scores=true", bytes);
    assert!(report["score"].is_null());
}
