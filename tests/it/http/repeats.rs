//! Frames that are the same, or nearly so, are scored once, and the report says so.

use std::path::Path;

use serde_json::{Value, json};

use super::adaptive::{flicker, of_mean_logits};
use crate::media_files::have_ffmpeg;
use crate::server::Server;

/// Inputs that the only backbone has run.
fn inputs(server: &Server) -> u64 {
    let metrics = server.get("/metrics").text().unwrap();
    let mut lines = metrics.lines();
    let line = lines.find(|line| line.starts_with("jaga_backbone_inputs_total"));
    line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

/// The model's part of the report on `clip`, with how many inputs it took.
fn scored(server: &Server, query: &str, clip: &Path) -> (Value, u64) {
    let before = inputs(server);
    let (status, report) = server.score(query, clip);
    assert_eq!(status, 200, "{report}");
    (report["models"][0].clone(), inputs(server) - before)
}

#[test]
fn frames_that_are_the_same_are_scored_once() {
    let Some(server) = Server::start(|_| {}).filter(|_| have_ffmpeg()) else {
        return;
    };
    let still = flicker("adaptive-still", 90, 90);
    let (model, inputs) = scored(&server, "?frame_scores=true", &still);
    assert_eq!(model["coverage"]["scored"], 16, "{model}");
    let repeated = model["repeated"].as_u64().unwrap();
    assert!((8..=15).contains(&repeated), "{repeated}");
    let frames = model["frames"].as_array().unwrap();
    assert!(frames.iter().all(|frame| frame["score"].is_number()));
    let told = frames
        .iter()
        .filter(|frame| frame["score_of_s"].is_number());
    assert_eq!(told.count() as u64, repeated);
    assert_eq!(inputs, 16 - repeated);
}

#[test]
fn frames_that_are_nearly_the_same_are_scored_once_where_that_is_wanted() {
    let clip = flicker("repeats-near", 126, 128);
    let all = "?frame_scores=true";
    let mut reports = Vec::new();
    for same_within in [0.0, 6.0] {
        let server = Server::start(|config| config.analysis.same_within = same_within);
        let Some(server) = server.filter(|_| have_ffmpeg()) else {
            return;
        };
        reports.push(scored(&server, all, &clip));
        // Again, in whatever order its inputs are taken.
        assert_eq!(scored(&server, all, &clip).0, reports.last().unwrap().0);
    }
    let [(apart, _), (together, inputs)] = reports.as_slice() else {
        panic!("two reports")
    };
    assert_eq!((&together["repeated"], *inputs), (&json!(15), 1));
    assert_eq!(together["coverage"], apart["coverage"]);
    let (one, other) = (
        apart["frames"].as_array().unwrap(),
        together["frames"].as_array().unwrap(),
    );
    let first = &other[0];
    assert_eq!(first, &one[0]);
    for frame in &other[1..] {
        assert_eq!(frame["score"], first["score"]);
        assert_eq!(frame["score_of_s"], first["time_s"]);
    }
    assert!(
        one.iter().any(|frame| frame["score"] != first["score"]),
        "two greys"
    );
}

#[test]
fn sparing_frames_and_sharing_scores_go_together() {
    let change = |config: &mut jaga::config::Config| config.analysis.same_within = 6.0;
    let server = Server::start_with(of_mean_logits, change);
    let Some(server) = server.filter(|_| have_ffmpeg()) else {
        return;
    };
    let clip = flicker("repeats-near", 126, 128);
    let (model, inputs) = scored(&server, "?adaptive=true&frame_scores=true", &clip);
    assert_eq!(inputs, 1, "{model}");
    let frames = model["frames"].as_array().unwrap();
    let with = |key: &str| frames.iter().filter(|frame| frame[key].is_number()).count();
    let scored = model["coverage"]["scored"].as_u64().unwrap();
    assert_eq!(with("score") as u64, scored);
    let first = usize::from(frames[0]["score"].is_number());
    assert_eq!(with("score_of_s"), with("score") - first, "{model}");
}

#[test]
fn the_receipt_says_when_nearly_the_same_is_enough() {
    let clip = flicker("repeats-near", 126, 128);
    let receipt = |same_within: f64| {
        let server = Server::start(|config| config.analysis.same_within = same_within);
        let server = server.filter(|_| have_ffmpeg())?;
        Some(server.score("", &clip).1["receipt"]["config_blake3"].clone())
    };
    let (Some(off), Some(two), Some(three)) = (receipt(0.0), receipt(2.0), receipt(3.0)) else {
        return;
    };
    assert!(off != two && two != three && off != three);
}
