//! Adaptive sampling: fewer frames, the same verdict, and the report says so.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::inference::support::HEAD;
use crate::media_files::{ffmpeg, have_ffmpeg, made};
use crate::server::{Server, TINY};

/// Grey that changes from second to second between `low` and `high`, a keyframe each second.
pub(super) fn flicker(name: &str, low: u8, high: u8) -> PathBuf {
    let source = format!(
        "color=black:s=64x48:r=4:d=16,format=rgb24,geq=r='{0}':g='{0}':b='{0}'",
        format_args!("{low}+({high}-{low})*mod(floor(T),2)")
    );
    let arguments = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "4"];
    made(name, "mp4", &(&source, arguments), |path| {
        let input = ["-f", "lavfi", "-i", &source];
        ffmpeg(&[&input[..], &arguments].concat(), &[], path);
    })
}

/// The tiny model, whose value of a video is the mean of its frames' log-odds.
pub(super) fn of_mean_logits(models: &Path) {
    TINY.write(&models.join("tiny"), HEAD, |text| {
        text.replace("kind = \"mean\"", "kind = \"mean_logit\"")
    });
}

#[test]
fn a_clear_case_stops_early_and_a_close_one_looks_at_all() {
    let server = Server::start_with(of_mean_logits, |_| {});
    let Some(server) = server.filter(|_| have_ffmpeg()) else {
        return;
    };
    // The tiny model's log-odds of a grey of 128 are 0.04, and 0.014 more for each level.
    let clear = flicker("adaptive-clear", 126, 132);
    let (_, all) = server.score("", &clear);
    let (status, report) = server.score("?adaptive=true", &clear);
    assert_eq!(status, 200, "{report}");
    let model = &report["models"][0];
    assert_eq!(
        model["coverage"],
        json!({"planned": 16, "decoded": 16, "scored": 4, "left_out": 0, "spared": 12, "failed": 0})
    );
    assert_eq!(model["stopped"], "settled");
    assert_eq!(report["verdict"], all["verdict"]);
    assert_eq!(all["models"][0]["stopped"], json!(null));
    assert_ne!(
        report["receipt"]["config_blake3"], all["receipt"]["config_blake3"],
        "it can move a score"
    );
    // Between the model's own thresholds, and on both sides of the policy's 0.818.
    let close = flicker("adaptive-close", 228, 242);
    let (_, all) = server.score("", &close);
    let (_, report) = server.score("?adaptive=true", &close);
    let model = &report["models"][0];
    assert_eq!(model["stopped"], "all_scored", "{report}");
    assert_eq!(model["coverage"], all["models"][0]["coverage"]);
    assert_eq!(report["score"], all["score"]);
}

#[test]
fn a_model_whose_value_is_no_mean_of_log_odds_says_so() {
    let Some(server) = Server::start(|_| {}).filter(|_| have_ffmpeg()) else {
        return;
    };
    let clear = flicker("adaptive-clear", 126, 132);
    let (_, all) = server.score("", &clear);
    let (_, report) = server.score("?adaptive=true", &clear);
    assert_eq!(report["models"][0]["stopped"], "not_applicable");
    assert_eq!(report["score"], all["score"]);
}
