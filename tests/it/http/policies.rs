//! `GET /v1/policies`, and policies that change while the server runs.

use std::path::Path;

use serde_json::Value;

use crate::http::openapi::Described;
use crate::server::{Server, eventually};

/// A policy that asks for `action` whatever was found in Jakarta, and for nothing elsewhere.
fn write(path: &Path, version: &str, question: &str, action: &str) {
    let text = format!(
        "[policy]\nname = \"local\"\nversion = \"{version}\"\nactions = [\"none\", \"label\", \"escalate\"]\n\
         [[rule]]\nname = \"jakarta\"\nquestion = \"{question}\"\nmin_score = 0.0\nregion = \"id-jk\"\naction = \"{action}\"\n"
    );
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// The configured policy, as listed.
fn listed(server: &Server) -> Value {
    let body: Value = server.get("/v1/policies").json().unwrap();
    let policies = body["policies"].as_array().unwrap();
    let named = |name: &str| policies.iter().find(|policy| policy["name"] == name);
    assert_eq!(named("default").unwrap()["built_in"], true);
    named("local").unwrap().clone()
}

#[test]
fn a_changed_policy_decides_and_a_bad_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("local.toml");
    write(&path, "1", "ai_generated", "label");
    let Some(server) = Server::start(|config| {
        config.policy.files = vec![path.clone()];
        config.policy.default = "local".to_owned();
    }) else {
        return;
    };
    Described::new().check("get", "/v1/policies", server.get("/v1/policies"));
    let first = listed(&server);
    assert_eq!(
        (&first["version"], &first["default"]),
        (&"1".into(), &true.into())
    );
    assert_eq!(first["rules"][0]["regions"][0], "id-jk");
    assert_eq!(first["blake3"].as_str().unwrap().len(), 64);
    let decided = |query: &str| {
        let (status, report) = server.score_bytes(query, picture());
        assert_eq!(status, 200, "{report}");
        report["policy"].clone()
    };
    let there = decided("?region=ID-JK");
    assert_eq!(
        (&there["action"], &there["region"]),
        (&"label".into(), &"id-jk".into())
    );
    let elsewhere = decided("");
    assert_eq!(
        (&elsewhere["action"], &elsewhere["lane"]),
        (&"none".into(), &"live".into())
    );
    assert!(elsewhere.get("region").is_none());

    write(&path, "2", "ai_generated", "escalate");
    eventually("the new policy is taken", || {
        listed(&server)["version"] == "2"
    });
    assert_eq!(decided("?region=id-jk-1")["action"], "escalate");
    let metrics = || server.get("/metrics").text().unwrap();
    assert!(metrics().contains("jaga_policy_reloads_total{outcome=\"taken\"} 1\n"));
    write(&path, "3", "nobody_answers_it", "label");
    eventually("the bad one is told", || {
        metrics().contains("jaga_policy_reloads_total{outcome=\"refused\"} 1\n")
    });
    assert_eq!(listed(&server)["version"], "2");
    assert_eq!(decided("?region=id-jk")["action"], "escalate");
}

/// A picture of one colour.
fn picture() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(64, 64, image::Rgb([200, 120, 40]))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}
