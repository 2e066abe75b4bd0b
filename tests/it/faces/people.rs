//! Who is fake: tracks and their scores.

use serde_json::{Value, json};

use super::bundles::{face, finder, logit, sigmoid};
use super::scene::{FAKE, HEIGHT, OTHER, REAL, SIDE, Scene, clip, sized};
use super::{close, report, server};
use crate::server::Server;

const PLAN: &str = "?sampling=uniform&frames=16&frame_scores=true";

fn start(more: &str) -> Option<Server> {
    let more = more.to_owned();
    server(
        move |models| {
            finder(models);
            face(models, "face", &more);
        },
        &["face"],
    )
}

/// The score of a person's box: 16 of its 1024 pixels are its middle.
fn score(rgb: [u8; 3]) -> f64 {
    let mean = |value: u8, middle: f64| (f64::from(value) * 1008.0 + middle * 16.0) / 1024.0;
    sigmoid(logit([
        mean(rgb[0], 255.0),
        mean(rgb[1], f64::from(SIDE)),
        mean(rgb[2], 0.0),
    ]))
}

/// 8-bit rounding of colours and of the resized picture.
const TOLERANCE: f64 = 0.01;

fn still(people: &[(u32, u32, [u8; 3])]) -> Vec<Scene> {
    vec![Scene::of(people); 16]
}

/// A box to a pixel.
fn near(got: &Value, want: [u32; 4]) {
    for (got, want) in got.as_array().unwrap().iter().zip(want) {
        close(got, f64::from(want), 1.0, "a side of a box");
    }
}

fn tracks(report: &Value) -> &Vec<Value> {
    report["models"][0]["tracks"].as_array().unwrap()
}

#[test]
fn one_fake_person_among_three_is_found() {
    let Some(server) = start("min_size = 16\n") else {
        return;
    };
    let people = [(50, 50, REAL), (150, 90, FAKE), (302, 130, OTHER)];
    let report = report(&server, PLAN, &clip("three", &still(&people)));
    let model = &report["models"][0];
    close(&model["score"], score(FAKE), TOLERANCE, "the video");
    assert_eq!(
        report["questions"]["face_manipulation"]["score"],
        model["score"]
    );
    assert_eq!(model["verdict"], "substantial_evidence");
    assert_eq!(
        model["coverage"],
        json!({"planned": 16, "decoded": 16, "scored": 16, "left_out": 0, "failed": 0})
    );
    assert_eq!(
        (tracks(&report).len(), &model["tracks_found"]),
        (3, &json!(3))
    );
    for (track, (x, y, rgb)) in tracks(&report).iter().zip(people) {
        assert_eq!(
            (&track["frames"], &track["scored"]),
            (&json!(16), &json!(16))
        );
        assert_eq!(track["counts"], true);
        near(&track["box"], [x - SIDE / 2, y - SIDE / 2, SIDE, SIDE]);
        close(&track["score"], score(rgb), TOLERANCE, "a track");
        close(&track["start_s"], 0.0, 1e-9, "start");
        close(&track["end_s"], 0.6, 1e-9, "end");
    }
    let ids: Vec<&Value> = tracks(&report).iter().map(|track| &track["id"]).collect();
    assert_eq!(ids, [1, 2, 3]);
    for frame in model["frames"].as_array().unwrap() {
        assert_eq!(frame["faces"].as_array().unwrap().len(), 3, "{frame}");
        close(&frame["score"], score(FAKE), TOLERANCE, "a frame");
    }
    assert_eq!(report["faces"][0]["found"], 48);
    assert_eq!(report["faces"][0]["finder"], "red");
}

#[test]
fn the_bundle_says_how_tracks_become_the_videos_score() {
    let people = [(50, 50, REAL), (150, 90, FAKE)];
    let Some(server) = start("min_size = 16\nscore = \"mean\"\n") else {
        return;
    };
    let mean = report(&server, PLAN, &clip("two", &still(&people)));
    let between = sigmoid(f64::midpoint(
        (score(REAL) / (1.0 - score(REAL))).ln(),
        (score(FAKE) / (1.0 - score(FAKE))).ln(),
    ));
    close(&mean["models"][0]["score"], between, TOLERANCE, "mean");
    assert_eq!(mean["models"][0]["segments"], json!([]));
}

#[test]
fn identities_are_kept_when_people_cross() {
    let Some(server) = start("min_size = 16\n") else {
        return;
    };
    // They pass each other with a gap of one box between their paths.
    let step = |i: u32| Scene::of(&[(50 + i * 16, 62, FAKE), (290 - i * 16, 110, REAL)]);
    let frames: Vec<Scene> = (0..16).map(step).collect();
    let report = report(&server, PLAN, &clip("crossing", &frames));
    assert_eq!(tracks(&report).len(), 2, "{:#}", report["models"][0]);
    close(
        &tracks(&report)[0]["score"],
        score(FAKE),
        TOLERANCE,
        "the first",
    );
    close(
        &tracks(&report)[1]["score"],
        score(REAL),
        TOLERANCE,
        "the second",
    );
    for frame in report["models"][0]["frames"].as_array().unwrap() {
        for face in frame["faces"].as_array().unwrap() {
            let rgb = if face["track"] == 1 { FAKE } else { REAL };
            close(&face["score"], score(rgb), TOLERANCE, "a face");
        }
    }
}

#[test]
fn a_cut_ends_a_track() {
    let Some(server) = start("min_size = 16\n") else {
        return;
    };
    let people = [(150, 90, REAL)];
    let mut frames = still(&people);
    for scene in &mut frames[8..] {
        scene.background = 210;
    }
    let report = report(&server, PLAN, &clip("cut", &frames));
    let lengths: Vec<&Value> = tracks(&report).iter().map(|t| &t["frames"]).collect();
    assert_eq!(lengths, [8, 8]);
}

#[test]
fn a_face_that_is_there_for_one_frame_is_listed_and_does_not_count() {
    let Some(server) = start("min_size = 16\n") else {
        return;
    };
    let mut frames = vec![Scene::of(&[]); 16];
    frames[5] = Scene::of(&[(150, 90, FAKE)]);
    let report = report(&server, PLAN, &clip("once", &frames));
    let model = &report["models"][0];
    assert_eq!(
        (&model["score"], &model["reason"]),
        (&Value::Null, &json!("short_tracks"))
    );
    assert_eq!(model["left_out"], json!({"no_face": 15}));
    assert_eq!(
        (&tracks(&report)[0]["frames"], &tracks(&report)[0]["counts"]),
        (&json!(1), &json!(false))
    );
    close(
        &tracks(&report)[0]["score"],
        score(FAKE),
        TOLERANCE,
        "the track",
    );
    assert_eq!(
        report["questions"]["face_manipulation"]["reason"],
        "short_tracks"
    );
    assert_eq!(report["verdict"], "inconclusive");
    // Of one frame, one is enough.
    let (status, single) =
        server.score("?frames=1&sampling=uniform", &clip("single", &frames[5..6]));
    assert_eq!(status, 200);
    close(
        &single["models"][0]["score"],
        score(FAKE),
        TOLERANCE,
        "one frame",
    );
}

#[test]
fn small_faces_are_counted_and_never_scored_as_zero() {
    let Some(server) = start("min_size = 40\n") else {
        return;
    };
    let report = report(&server, PLAN, &clip("small", &still(&[(150, 90, FAKE)])));
    let model = &report["models"][0];
    assert_eq!(
        (&model["score"], &model["raw_score"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(model["reason"], "face_too_small");
    assert_eq!(model["left_out"], json!({"face_too_small": 16}));
    let frame = &model["frames"][0];
    assert_eq!(
        (&frame["score"], &frame["faces"][0]["score"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(report["faces"][0]["found"], 16);
}

#[test]
fn without_a_face_there_is_no_score() {
    let Some(server) = start("min_size = 16\n") else {
        return;
    };
    let report = report(&server, PLAN, &clip("nobody", &still(&[])));
    let answer = &report["questions"]["face_manipulation"];
    assert_eq!(
        (&answer["score"], &answer["reason"]),
        (&Value::Null, &json!("no_face"))
    );
    assert_eq!(report["policy"]["action"], "none");
}

#[test]
fn of_a_crowd_the_largest_are_looked_at_and_the_rest_are_counted() {
    let Some(server) = start("min_size = 16\n") else {
        return;
    };
    let place = |i: u32| (18 + i % 10 * 36, 18 + i / 10 * 40, REAL);
    let crowd: Vec<_> = (0..40).map(place).collect();
    let report = report(&server, PLAN, &clip("crowd", &still(&crowd)));
    assert_eq!(report["faces"][0]["found"], 640);
    assert_eq!(report["faces"][0]["over_limit"], 128);
    assert_eq!(
        report["models"][0]["frames"][0]["faces"]
            .as_array()
            .unwrap()
            .len(),
        32
    );
}

#[test]
fn faces_at_the_border_and_in_wide_frames_are_cut_out_within_the_picture() {
    let Some(server) = start("min_size = 16\nmargin = 0.25\n") else {
        return;
    };
    let people = [(6, 22, FAKE), (1018, 58, REAL)];
    let wide = sized("wide", &still(&people), (1024, 64), 0);
    let report = report(&server, PLAN, &wide);
    assert_eq!(tracks(&report).len(), 2);
    for track in tracks(&report) {
        let side = |i: usize| track["box"][i].as_f64().unwrap();
        assert!(side(0) >= 0.0 && side(0) + side(2) <= 1024.0, "{track}");
        assert!(side(1) >= 0.0 && side(1) + side(3) <= 64.0, "{track}");
        assert!(track["score"].is_f64(), "{track}");
    }
}

#[test]
fn black_bars_are_cut_off_first_and_boxes_stay_those_of_the_shown_picture() {
    let Some(server) = start("min_size = 16\n") else {
        return;
    };
    let people = [(150, 90, FAKE)];
    let plain = report(&server, PLAN, &clip("plain", &still(&people)));
    let boxed = sized("boxed", &still(&people), (384, HEIGHT), 24);
    let boxed = report(&server, PLAN, &boxed);
    assert_eq!(plain["quality"]["letterbox"], Value::Null);
    assert_eq!(
        boxed["quality"]["letterbox"],
        json!({"left": 0, "top": 24, "right": 0, "bottom": 24})
    );
    assert_eq!(boxed["models"][0]["score"], plain["models"][0]["score"]);
    near(&tracks(&boxed)[0]["box"], [134, 98, SIDE, SIDE]);
}

#[test]
fn a_black_video_is_inconclusive_and_says_why() {
    let Some(server) = server_with_gate() else {
        return;
    };
    let (status, report) = server.score("?model=face&model=frame", &black());
    assert_eq!(status, 200, "{report}");
    assert_eq!(
        (&report["score"], &report["verdict"]),
        (&Value::Null, &json!("inconclusive"))
    );
    assert_eq!(report["quality"]["left_out"], json!({"too_dark": 16}));
    for model in report["models"].as_array().unwrap() {
        assert_eq!(model["reason"], "too_dark", "{model}");
        assert_eq!(model["coverage"]["left_out"], 16);
    }
}

fn server_with_gate() -> Option<Server> {
    if !crate::media_files::have_ffmpeg() {
        return None;
    }
    let make = |models: &std::path::Path| {
        finder(models);
        face(models, "face", "min_size = 16\n");
        super::bundles::frame(models, "frame", "");
    };
    Server::start_with(make, |config| {
        config.models.default = vec!["face".to_owned()];
        config.analysis.quality = jaga::domain::quality::Bounds::DEFAULT_GATE;
    })
}

fn black() -> std::path::PathBuf {
    let picture = vec![0_u8; 128 * 64 * 3];
    let arguments = ["-c:v", "libx264", "-pix_fmt", "yuv420p"];
    crate::media_files::still_clip("black", "mp4", (128, 64, &picture), 32, &arguments)
}
