//! Real people, found by the finder that comes with jaga.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use super::bundles::face_of;
use super::report;
use crate::inference::support::{root, skip, weights};
use crate::media_files::{ffmpeg, have_ffmpeg, made};
use crate::server::Server;

/// A server with a tiny model that looks at faces of `centerface`.
fn server() -> Option<Server> {
    if !have_ffmpeg() {
        return None;
    }
    let weights = weights();
    if !weights.join("centerface/centerface.onnx").exists() {
        skip("the weights of centerface are not there; `./scripts/test` sets them up");
        return None;
    }
    let make = |models: &std::path::Path| face_of(models, "face", "centerface", "min_size = 24\n");
    Server::start_with(make, |config| {
        config.models.dirs.push(root().join("models"));
        config.models.weights_dir = weights;
        config.models.load = vec!["face".to_owned()];
        config.models.default = vec!["face".to_owned()];
    })
}

fn media(name: &str) -> Option<PathBuf> {
    let path = root().join("../shared/media/real_face").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: ../shared/media is not there");
    None
}

/// Two clips side by side, 96 frames at 25 frames a second.
fn side_by_side(left: &str, right: &str) -> Option<PathBuf> {
    let (left, right) = (media(left)?, media(right)?);
    let filter = "[0:v]fps=25,scale=320:320[a];[1:v]fps=25,scale=320:320[b];[a][b]hstack=2";
    Some(made(
        "side-by-side",
        "mp4",
        &(&left, &right, filter),
        |path| {
            let (left, right) = (left.to_str().unwrap(), right.to_str().unwrap());
            let arguments = [
                "-i",
                left,
                "-i",
                right,
                "-filter_complex",
                filter,
                "-frames:v",
                "96",
                "-an",
                "-c:v",
                "libx264",
                "-pix_fmt",
                "yuv420p",
            ];
            ffmpeg(&arguments, &[], path);
        },
    ))
}

fn frames(report: &Value) -> &Vec<Value> {
    report["models"][0]["frames"].as_array().unwrap()
}

#[test]
fn two_people_keep_their_identities() {
    let Some(server) = server() else { return };
    let pair = side_by_side("DPE__data_d.mp4", "LivePortrait__driving_d20.mp4");
    let Some(clip) = pair else { return };
    for sampling in ["uniform", "keyframe"] {
        let query = format!("?sampling={sampling}&frames=16&frame_scores=true");
        let report = report(&server, &query, &clip);
        let model = &report["models"][0];
        let planned = &model["coverage"]["planned"];
        let tracks = model["tracks"].as_array().unwrap();
        assert_eq!(tracks.len(), 2, "{sampling}: {tracks:#?}");
        for track in tracks {
            assert_eq!(
                (&track["frames"], &track["counts"]),
                (planned, &Value::Bool(true))
            );
        }
        for frame in frames(&report) {
            for face in frame["faces"].as_array().unwrap() {
                let middle =
                    face["box"][0].as_f64().unwrap() + face["box"][2].as_f64().unwrap() / 2.0;
                let side = if middle < 320.0 {
                    &tracks[0]
                } else {
                    &tracks[1]
                };
                assert_eq!(face["track"], side["id"], "{sampling}: {frame}");
            }
        }
    }
}

/// Between the shots of the edited clip, by eye, in seconds.
const CUTS_S: [f64; 3] = [0.55, 2.85, 7.15];

#[test]
fn in_an_edited_clip_nobody_outlives_a_cut() {
    let Some(server) = server() else { return };
    let Some(clip) = media("face_recognition__examples_short_hamilton_clip.mp4") else {
        return;
    };
    let report = report(
        &server,
        "?sampling=uniform&frames=32&frame_scores=true",
        &clip,
    );
    let tracks = report["models"][0]["tracks"].as_array().unwrap();
    let time = |track: &Value, key: &str| track[key].as_f64().unwrap();
    for track in tracks {
        let spans = |cut: &&f64| time(track, "start_s") < **cut && time(track, "end_s") > **cut;
        assert_eq!(CUTS_S.iter().find(spans), None, "{track:#}");
    }
    // The singer is alone in the third shot, and there all the time.
    let third: Vec<&Value> = tracks
        .iter()
        .filter(|track| (CUTS_S[1]..CUTS_S[2]).contains(&time(track, "start_s")))
        .collect();
    let shown = frames(&report)
        .iter()
        .filter(|frame| (CUTS_S[1]..CUTS_S[2]).contains(&time(frame, "time_s")));
    assert_eq!(third.len(), 1, "{third:#?}");
    assert_eq!(third[0]["frames"], shown.count());
    // Several people sit in the last one, each a track of its own in every frame.
    let last = frames(&report).last().unwrap()["faces"].as_array().unwrap();
    let ids: BTreeSet<u64> = last
        .iter()
        .filter_map(|face| face["track"].as_u64())
        .collect();
    assert!(last.len() >= 2 && ids.len() == last.len(), "{last:?}");
}
