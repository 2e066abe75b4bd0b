//! `/v1/reports/{id}/appeal`: a report made anew, beside the old one.

use std::path::PathBuf;

use jaga::store::{KeepConfig, Material};
use serde_json::{Value, json};

use crate::http::openapi::Described;
use crate::media_files::{have_ffmpeg, numbered};
use crate::server::{Server, answer};

fn server(material: Material) -> Option<Server> {
    Server::start(|config| {
        config.keep = KeepConfig {
            material,
            ..KeepConfig::default()
        };
        // What is made anew is never given to others.
        config.analysis.recall.max_bytes = 1 << 20;
    })
}

fn clip() -> PathBuf {
    let arguments = ["-c:v", "libx264", "-pix_fmt", "yuv420p"];
    numbered("appeals", "mp4", 40, "25", &arguments)
}

fn appeal(server: &Server, id: &str, body: Vec<u8>) -> (u16, Value) {
    let url = server.url(&format!("/v1/reports/{id}/appeal"));
    answer(server.client.post(url).body(body).send().unwrap())
}

/// How many reports there are in the store.
fn stored(server: &Server) -> Value {
    let url = server.url("/v1/policies/default/simulate");
    answer(server.client.post(url).send().unwrap()).1["reports"].clone()
}

#[test]
fn kept_frames_are_scored_again_and_both_reports_stay() {
    let Some(server) = server(Material::Frames).filter(|_| have_ffmpeg()) else {
        return;
    };
    let (status, old) = server.score("", &clip());
    assert_eq!(status, 200, "{old}");
    let id = old["id"].as_str().unwrap();
    let url = server.url(&format!("/v1/reports/{id}/appeal"));
    let response = server.client.post(&url).send().unwrap();
    assert_eq!(response.status(), 201);
    let described = Described::new();
    let body = described.check("post", "/v1/reports/{id}/appeal", response);
    assert_eq!(body["old"], old);
    let made = &body["appeals"][0];
    assert_eq!(made["material"], "frames");
    let new = &made["new"];
    assert_eq!(
        (&new["rescored_of"], &new["score"]),
        (&old["id"], &old["score"])
    );
    assert_ne!(new["id"], old["id"]);
    // The new one is found by its own id, and counts nowhere.
    let new_id = new["id"].as_str().unwrap();
    assert_eq!(answer(server.get(&format!("/v1/reports/{new_id}"))).1, *new);
    assert_eq!(stored(&server), json!(1));
    let (status, again) = appeal(&server, id, Vec::new());
    assert_eq!(
        (status, again["appeals"].as_array().unwrap().len()),
        (201, 2)
    );
    let hash = |n: usize| again["appeals"][n]["new"]["receipt"]["report_blake3"].clone();
    assert_eq!(hash(0), hash(1));
    assert_eq!(
        described.check(
            "get",
            "/v1/reports/{id}/appeal",
            server.get(&format!("/v1/reports/{id}/appeal"))
        ),
        again
    );
}

#[test]
fn without_frames_the_same_file_is_wanted() {
    let Some(server) = server(Material::None).filter(|_| have_ffmpeg()) else {
        return;
    };
    let video = std::fs::read(clip()).unwrap();
    let (_, old) = server.score_bytes("", video.clone());
    let id = old["id"].as_str().unwrap();
    let (status, problem) = appeal(&server, id, Vec::new());
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("content_gone")),
        "{problem}"
    );
    let mut other = video.clone();
    other.push(0);
    let (status, problem) = appeal(&server, id, other);
    assert_eq!((status, &problem["code"]), (409, &json!("other_content")));
    let (status, body) = appeal(&server, id, video.clone());
    assert_eq!(status, 201, "{body}");
    assert_eq!(body["appeals"][0]["material"], "content");
    assert_eq!(body["appeals"][0]["new"]["score"], old["score"]);
    let (status, problem) = appeal(&server, "01KAVW9Z0000000000000000R1", Vec::new());
    assert_eq!((status, &problem["code"]), (404, &json!("not_found")));
    // The same upload is still answered with the first report.
    let (_, recalled) = server.score_bytes("", video);
    assert_eq!(recalled["id"], old["id"]);
    assert_eq!(stored(&server), json!(1));
}
