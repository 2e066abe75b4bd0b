//! Several models on one upload: what they share, where they disagree, how a policy joins them.

use std::path::Path;

use serde_json::{Value, json};

use super::bundles::{face, finder, frame};
use super::scene::{FAKE, Scene, clip};
use super::{close, report, server};
use crate::media_files::have_ffmpeg;
use crate::server::Server;

/// Three models that disagree: by their calibration alone.
fn three(models: &Path) {
    for (name, b) in [("low", "-2.0"), ("middle", "0.0"), ("high", "2.0")] {
        frame(models, name, "");
        let file = models.join(name).join("model.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let platt = format!("kind = \"platt\"\na = 1.0\nb = {b}");
        std::fs::write(file, text.replacen("kind = \"none\"", &platt, 1)).unwrap();
    }
}

fn grey() -> std::path::PathBuf {
    clip("grey-people", &vec![Scene::of(&[(150, 90, FAKE)]); 16])
}

fn with_policy(rule: &str) -> Option<Server> {
    if !have_ffmpeg() {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.toml");
    let text = format!(
        "[policy]\nname = \"p\"\nversion = \"1\"\nactions = [\"none\", \"review\"]\n\
         [[combine]]\nquestion = \"ai_generated\"\n{rule}\n\
         [[rule]]\nname = \"r\"\nquestion = \"ai_generated\"\nmin_score = 0.5\naction = \"review\"\n"
    );
    std::fs::write(&path, text).unwrap();
    Server::start_with(three, |config| {
        config.models.default = ["low", "middle", "high"].map(str::to_owned).to_vec();
        config.policy.files = vec![path];
        "p".clone_into(&mut config.policy.default);
    })
}

fn scores(report: &Value) -> Vec<f64> {
    let models = report["models"].as_array().unwrap();
    models
        .iter()
        .map(|m| m["score"].as_f64().unwrap())
        .collect()
}

#[test]
fn a_policy_joins_models_and_their_disagreement_is_seen() {
    type Joined = fn(&[f64]) -> f64;
    let rules: [(&str, Joined); 4] = [
        ("rule = \"max\"", |s| s[2]),
        ("rule = \"mean\"", |s| s.iter().sum::<f64>() / 3.0),
        ("rule = \"noisy_or\"", |s| {
            1.0 - s.iter().map(|p| 1.0 - p).product::<f64>()
        }),
        ("rule = \"vote\"\nk = 2\nof = 3", |s| s[1]),
    ];
    for (rule, joined) in rules {
        let Some(server) = with_policy(rule) else {
            return;
        };
        let report = report(&server, "", &grey());
        let scores = scores(&report);
        assert!(scores[0] < scores[1] && scores[1] < scores[2]);
        let answer = &report["questions"]["ai_generated"];
        close(&answer["score"], joined(&scores), 1e-9, rule);
        assert_eq!(answer["voted"], 3);
        assert_eq!(answer["models"], json!(["low", "middle", "high"]));
        let acts = joined(&scores) >= 0.5;
        assert_eq!(
            report["policy"]["action"],
            if acts { "review" } else { "none" },
            "{rule}"
        );
        let verdicts: Vec<&Value> = report["models"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| &m["verdict"])
            .collect();
        assert_eq!(verdicts[0], "little_evidence");
        assert_eq!(verdicts[2], "substantial_evidence");
    }
}

#[test]
fn a_model_out_of_its_scope_does_not_vote() {
    let make = |models: &Path| {
        finder(models);
        face(models, "face", "min_size = 16\n");
        frame(models, "frame", "");
        frame(models, "bright-only", "[scope]\nmin_brightness = 250.0\n");
    };
    let Some(server) = server(make, &["face", "frame", "bright-only"]) else {
        return;
    };
    let report = report(&server, "", &clip("nobody", &vec![Scene::of(&[]); 16]));
    let by_name = |name: &str| {
        let models = report["models"].as_array().unwrap();
        models.iter().find(|m| m["name"] == name).unwrap().clone()
    };
    let narrow = by_name("bright-only");
    assert_eq!(
        (&narrow["score"], &narrow["reason"]),
        (&Value::Null, &json!("too_dark"))
    );
    assert_eq!(narrow["left_out"], json!({"too_dark": 16}));
    assert_eq!(narrow["coverage"]["failed"], 0);
    let answer = &report["questions"]["ai_generated"];
    assert_eq!(
        (&answer["score"], &answer["voted"]),
        (&by_name("frame")["score"], &json!(1))
    );
    assert_eq!(
        report["questions"]["face_manipulation"]["reason"],
        "no_face"
    );
    assert!(report["score"].is_f64());
}

#[test]
fn a_finder_can_not_be_asked_to_score_and_is_listed() {
    let make = |models: &Path| {
        finder(models);
        face(models, "face", "min_size = 16\n");
    };
    let Some(server) = server(make, &["face"]) else {
        return;
    };
    let (status, problem) = server.score("?model=red", &grey());
    assert_eq!((status, &problem["code"]), (422, &json!("unknown_model")));
    let listed: Value = server.get("/v1/models").json().unwrap();
    assert_eq!(listed["models"][0]["kind"], "face");
    assert_eq!(listed["finders"][0]["name"], "red");
}

#[test]
fn models_that_want_too_much_together_are_refused_before_the_upload() {
    let make = |models: &Path| {
        for i in 0..11 {
            let windows = format!("[window]\nframes = 3\nstride = {}\ncount = 64\n", i + 1);
            super::bundles::window(models, &format!("time-{i}"), &windows);
        }
    };
    let Some(server) = server(make, &["time-0"]) else {
        return;
    };
    let names: Vec<String> = (0..11).map(|i| format!("model=time-{i}")).collect();
    let (status, problem) = server.score(&format!("?frames=16&{}", names.join("&")), &grey());
    assert_eq!((status, &problem["code"]), (400, &json!("bad_request")));
    assert_eq!(
        (&problem["allowed"], &problem["actual"]),
        (&json!(2048), &json!(2128))
    );
}
