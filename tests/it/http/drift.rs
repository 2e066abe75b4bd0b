//! Drift: live scores beside a reference, in `/metrics` and by `jaga drift`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::exposition::Exposition;
use super::jobs::grey;
use crate::server::{Server, answer, eventually};

/// Runs `jaga drift` on a server's data directory, while it runs.
fn drift(data: &Path, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_jaga"))
        .arg("drift")
        .args(arguments)
        .current_dir(data)
        .env_clear()
        .env("JAGA_DATA_DIR", data)
        .env("JAGA_DRIFT__MIN_SCORES", "5")
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(told, "");
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text)
}

fn samples(server: &Server) -> Exposition {
    Exposition::read(&server.get("/metrics").text().unwrap())
}

fn live(server: &Server) -> f64 {
    let samples = samples(server).samples;
    let live = samples
        .iter()
        .filter(|(name, _)| name.starts_with("jaga_live_scores{"));
    live.map(|(_, value)| value).sum()
}

/// Scores pictures of these greys: the darker, the lower the score.
fn score(server: &Server, greys: &[u8]) {
    for value in greys {
        let (status, report) = server.score_bytes("", grey(*value));
        assert_eq!(status, 200, "{report}");
    }
}

#[test]
fn scores_that_move_away_from_their_reference_are_told() {
    let Some(server) = Server::start(|_| {}) else {
        return;
    };
    score(&server, &[10, 60, 110, 160, 210, 250]);
    // A job counts too; a report that is only asked for again and the back catalogue don't.
    for (query, value) in [("", 30), ("?lane=backfill", 35)] {
        let url = server.url(&format!("/v1/jobs{query}"));
        let job = answer(server.client.post(url).body(grey(value)).send().unwrap()).1;
        let path = format!("/v1/jobs/{}", job["id"].as_str().unwrap());
        eventually("it is done", || {
            answer(server.get(&path)).1["status"] == "done"
        });
    }
    assert!((live(&server) - 7.0).abs() < 1e-9);
    let name = "jaga_drift_psi{model=\"tiny\"}";
    assert!(!samples(&server).samples.contains_key(name), "no reference");
    let reference = server.data.path().join("drift.json");
    let (code, text) = drift(server.data.path(), &["--save", reference.to_str().unwrap()]);
    assert!(code == 0 && text.contains("no reference"), "{text}");
    let kept = fs::read_to_string(&reference).unwrap();

    let named = kept.clone();
    let other = Server::start(|config| {
        let path = config.data.dir.join("reference.json");
        fs::write(&path, named).unwrap();
        config.drift.references = vec![path];
        config.drift.min_scores = 5;
    });
    let Some(other) = other else { return };
    let own = other.data.path().join("reference.json");
    let arguments = ["--reference", own.to_str().unwrap(), "--format", "json"];
    score(&other, &[250; 4]);
    let told = |text: &str| serde_json::from_str::<Value>(text).unwrap()[0].clone();
    assert!((live(&other) - 4.0).abs() < 1e-9);
    let (code, text) = drift(other.data.path(), &arguments);
    assert_eq!(
        (code, &told(&text)["reason"]),
        (0, &"too few live scores".into())
    );
    score(&other, &[250; 60]);
    let psi = samples(&other).samples[name];
    assert!(psi > 0.25, "{psi}");
    let (code, text) = drift(other.data.path(), &arguments);
    let row = told(&text);
    assert_eq!((code, &row["level"]), (1, &"drifted".into()), "{row}");
    assert!((row["psi"].as_f64().unwrap() - psi).abs() < 1e-12);
    assert_eq!(row["live_scores"], 64);
    let none = ["--reference", own.to_str().unwrap(), "--model", "none"];
    assert_eq!(drift(other.data.path(), &none).0, 0);
    // Beside itself nothing has moved.
    let (code, text) = drift(
        server.data.path(),
        &["--reference", reference.to_str().unwrap()],
    );
    assert!(code == 0 && text.contains("stable"), "{text}");
    // Of another bundle.
    let sha = told(&text_of(server.data.path()))["sha256"]
        .as_str()
        .unwrap()
        .to_owned();
    fs::write(&own, kept.replace(&sha, &"0".repeat(64))).unwrap();
    let (code, text) = drift(other.data.path(), &arguments);
    assert!(
        code == 0 && text.contains("another version of the bundle"),
        "{text}"
    );
}

fn text_of(data: &Path) -> String {
    drift(data, &["--format", "json"]).1
}

#[test]
fn a_reference_that_can_not_be_read_is_a_wrong_setting() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("drift.json"), "{}").unwrap();
    for (file, told) in [
        ("drift.json", "it is no drift reference"),
        ("none.json", "No such file"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_jaga"))
            .args(["drift", "--reference", file])
            .current_dir(folder.path())
            .env_clear()
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(
            text.contains("drift.references") && text.contains(told),
            "{text}"
        );
    }
}
