//! Models that look at time, over whole pictures and over faces.

use serde_json::{Value, json};

use super::bundles::{face, finder, frame, logit, sigmoid, window};
use super::scene::{FAKE, OTHER, REAL, Scene, clip};
use super::{close, report, server};

/// Σ (t + 1) · logit over three pictures.
fn weighted(logits: [f64; 3]) -> f64 {
    logits[0] + 2.0 * logits[1] + 3.0 * logits[2]
}

/// One grey a frame, brighter from frame to frame; no person.
fn brightening(frames: u8) -> Vec<Scene> {
    let scene = |i: u8| Scene {
        people: Vec::new(),
        background: 60 + i * 4,
    };
    (0..frames).map(scene).collect()
}

/// The mean value of frame `i`: the texture adds 0, 12, 24 and 36 in equal parts.
fn mean(i: u32) -> f64 {
    78.0 + f64::from(i) * 4.0
}

#[test]
fn windows_of_consecutive_frames_are_scored_in_their_order() {
    let windows = "[window]\nframes = 3\nstride = 2\ncount = 2\n";
    let Some(server) = server(|models| window(models, "time", windows), &["time"]) else {
        return;
    };
    let clip = clip("brightening", &brightening(24));
    let report = report(
        &server,
        "?frames=2&sampling=uniform&frame_scores=true",
        &clip,
    );
    let model = &report["models"][0];
    // Centres at frames 6 and 18, every second frame around them.
    let expected = [[4, 6, 8], [16, 18, 20]]
        .map(|frames: [u32; 3]| weighted(frames.map(|i| logit([60.0, mean(i), mean(i)]))));
    for ((window, want), start) in model["windows"]
        .as_array()
        .unwrap()
        .iter()
        .zip(expected)
        .zip([0.16, 0.64])
    {
        close(&window["score"], sigmoid(want), 0.01, "a window");
        close(&window["start_s"], start, 1e-3, "its start");
        close(&window["end_s"], start + 0.16, 1e-3, "its end");
        assert_eq!(window.get("track"), None);
    }
    let both = f64::midpoint(expected[0], expected[1]);
    close(&model["score"], sigmoid(both), 0.01, "the video");
    assert_eq!(
        model["coverage"],
        json!({"planned": 2, "decoded": 2, "scored": 2, "left_out": 0, "failed": 0})
    );
    assert_eq!(report["receipt"]["plan"], "uniform/2+2x3/2");
}

#[test]
fn a_video_too_short_for_a_window_has_no_score() {
    let windows = "[window]\nframes = 3\nrate = 1.0\ncount = 4\n";
    let make = |models: &std::path::Path| {
        window(models, "time", windows);
        frame(models, "frame", "");
    };
    let Some(server) = server(make, &["time", "frame"]) else {
        return;
    };
    let report = report(&server, "", &clip("brightening", &brightening(24)));
    let model = &report["models"][0];
    assert_eq!(
        (&model["score"], &model["reason"]),
        (&Value::Null, &json!("too_short"))
    );
    assert_eq!(model["coverage"]["failed"], 4);
    // The other model answers the question alone.
    let answer = &report["questions"]["ai_generated"];
    assert_eq!(
        (&answer["score"], &answer["voted"]),
        (&report["models"][1]["score"], &json!(1))
    );
}

#[test]
fn windows_of_faces_follow_one_person() {
    let make = |models: &std::path::Path| {
        finder(models);
        let windows = "[window]\nframes = 3\nstride = 1\ncount = 4\n";
        let faces = "[face]\nfinder = \"red\"\nmin_size = 16\n";
        window(models, "time", &format!("{windows}{faces}"));
        face(models, "face", "min_size = 16\n");
    };
    let Some(server) = server(make, &["time", "face"]) else {
        return;
    };
    let step = |i: u32| {
        Scene::of(&[
            (50 + i * 8, 62, FAKE),
            (290 - i * 8, 142, REAL),
            (302, 22, OTHER),
        ])
    };
    let frames: Vec<Scene> = (0..24).map(step).collect();
    let report = report(
        &server,
        "?sampling=uniform&frame_scores=true",
        &clip("walking", &frames),
    );
    let [time, face] = [0, 1].map(|i| &report["models"][i]);
    assert_eq!(
        time["windows"].as_array().unwrap().len(),
        12,
        "4 windows of 3 people"
    );
    for (by_time, by_face) in time["tracks"]
        .as_array()
        .unwrap()
        .iter()
        .zip(face["tracks"].as_array().unwrap())
    {
        assert_eq!(by_time["id"], by_face["id"], "one finder, the same people");
        assert_eq!(by_time["scored"], 4);
        // The window's logit of a face that stays as it is: 1 + 2 + 3 times the face's.
        let p = by_face["score"].as_f64().unwrap();
        let six = sigmoid(6.0 * (p / (1.0 - p)).ln());
        close(&by_time["score"], six, 0.01, "a track");
    }
    assert_eq!(time["tracks"].as_array().unwrap().len(), 3);
    assert!(time["score"].as_f64() > Some(0.7), "{time}");
}
