//! `jaga rescore`: reports of a running server scored again from what it kept.

use std::path::{Path, PathBuf};
use std::process::Command;

use jaga::store::{KeepConfig, Material};
use serde_json::{Value, json};

use crate::inference::support::{HEAD, Tiny, library};
use crate::media_files::{have_ffmpeg, numbered};
use crate::server::{Server, TINY};

/// A model with a head on a vector of its graph's.
const TOKENS: Tiny = Tiny {
    graph: "tokens.onnx",
    input: "layout = \"NCHW\"\ndtype = \"float32\"\n",
    output: "name = \"tokens\"\nkind = \"embedding\"\npool = \"cls\"\nhead = \"head.json\"",
    max_batch: 4,
    more: &[],
};

fn server(material: Material, model: &Tiny) -> Option<Server> {
    let write = |models: &Path| model.write(&models.join("tiny"), HEAD, |text| text);
    Server::start_with(write, |config| {
        config.keep = KeepConfig {
            material,
            ..KeepConfig::default()
        };
    })
}

fn clip() -> PathBuf {
    let arguments = ["-c:v", "libx264", "-pix_fmt", "yuv420p"];
    numbered("rescore", "mp4", 60, "25", &arguments)
}

/// Runs `jaga rescore` beside a server.
struct Bench {
    folder: tempfile::TempDir,
    data: PathBuf,
}

impl Bench {
    /// With bundles that `make` writes.
    fn new(server: &Server, library: &Path, make: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let models = folder.path().join("models");
        make(&models);
        let quoted = |path: &Path| format!("{:?}", path.to_str().unwrap());
        let (dir, library) = (quoted(&models), quoted(library));
        let config = format!(
            "[models]\ndirs = [{dir}]\ndefault = [\"tiny\"]\n\
             [runtime]\nlibrary = {library}\n[analysis.quality]\n"
        );
        std::fs::write(folder.path().join("jaga.toml"), config).unwrap();
        Self {
            folder,
            data: server.data.path().to_owned(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Exit code, lines of `out`, and the summary.
    fn run(&self, out: &str, more: &[&str]) -> (i32, Vec<Value>, Value) {
        let output = Command::new(env!("CARGO_BIN_EXE_jaga"))
            .args(["rescore", "--format", "json", "--out"])
            .arg(self.path(out))
            .arg("--store")
            .arg(&self.data)
            .args(more)
            .current_dir(self.folder.path())
            .env_clear()
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        let code = output.status.code().unwrap();
        assert!([0, 3].contains(&code), "{code}: {told}");
        let lines = std::fs::read_to_string(self.path(out)).unwrap();
        let lines = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        let summary = serde_json::from_slice(&output.stdout).unwrap();
        (code, lines.collect(), summary)
    }
}

fn scored(server: &Server, query: &str, body: Vec<u8>) -> Value {
    let (status, report) = server.score_bytes(query, body);
    assert_eq!(status, 200, "{report}");
    report
}

/// A picture of one grey.
fn picture(grey: u8) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(64, 48, image::Rgb([grey; 3]))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

#[test]
fn kept_frames_give_the_same_report_and_other_models_another_score() {
    let Some(library) = library().filter(|_| have_ffmpeg()) else {
        return;
    };
    let Some(server) = server(Material::Frames, &TINY) else {
        return;
    };
    let video = std::fs::read(clip()).unwrap();
    let reports = [
        scored(
            &server,
            "?frame_scores=true&frames=7&sampling=uniform",
            video.clone(),
        ),
        scored(&server, "?adaptive=true", video),
        scored(&server, "", picture(90)),
    ];
    let bench = Bench::new(&server, &library, |models| {
        TINY.write(&models.join("tiny"), HEAD, |text| text);
        TINY.write(&models.join("other"), HEAD, |text| {
            let other = text.replace("name = \"tiny\"", "name = \"other\"");
            other.replace("scale = 0.002", "scale = 0.004")
        });
    });
    let (code, lines, summary) = bench.run("same.jsonl", &["--model", "tiny"]);
    assert_eq!((code, lines.len()), (0, 3), "{lines:#?}");
    assert_eq!(
        (&summary["reports"], &summary["changed"]),
        (&json!(3), &json!(0))
    );
    for (line, report) in lines.iter().zip(&reports) {
        let hash = &report["receipt"]["report_blake3"];
        assert_eq!(line["new"]["report_blake3"], *hash, "{line:#}");
        assert_eq!(
            (&line["id"], &line["from"]),
            (&report["id"], &json!("frames"))
        );
        for key in ["score", "verdict"] {
            assert_eq!(line["new"][key], report[key], "{line:#}");
            assert_eq!(line["old"][key], report[key], "{line:#}");
        }
        assert_eq!(line["new"]["action"], report["policy"]["action"]);
        assert_eq!(line["content"], report["media"]["blake3"]);
    }

    let (code, others, _) = bench.run("other.jsonl", &["--model", "other"]);
    assert_eq!(code, 0);
    assert!(
        others
            .iter()
            .all(|line| line["new"]["score"] != line["old"]["score"])
    );
    assert_eq!(others[0]["models"][0]["name"], "other");

    // As a killed run leaves it; and one report's frames are gone meanwhile.
    let text = std::fs::read_to_string(bench.path("same.jsonl")).unwrap();
    let first = text.lines().next().unwrap();
    std::fs::write(bench.path("same.jsonl"), format!("{first}\n{{\"id\":")).unwrap();
    let gone = reports[2]["id"].as_str().unwrap();
    std::fs::remove_file(server.data.path().join("kept/frames").join(gone)).unwrap();
    let (code, lines, summary) = bench.run("same.jsonl", &["--model", "tiny", "--resume"]);
    assert_eq!((code, lines.len()), (3, 3));
    assert_eq!(
        serde_json::to_value(&lines[0]).unwrap(),
        serde_json::from_str::<Value>(first).unwrap()
    );
    assert_eq!(lines[2]["problem"]["code"], "content_gone");
    assert_eq!(summary["problems"], json!({ "content_gone": 1 }));
}

#[test]
fn kept_vectors_need_no_inference() {
    let Some(library) = library().filter(|_| have_ffmpeg()) else {
        return;
    };
    let Some(server) = server(Material::Embeddings, &TOKENS) else {
        return;
    };
    let video = std::fs::read(clip()).unwrap();
    let reports = [
        scored(&server, "?frames=9", video),
        scored(&server, "", picture(200)),
        // A zero vector, which a head has no answer on.
        scored(&server, "", picture(0)),
    ];
    drop(library);
    // Nothing could be run with it.
    let bench = Bench::new(&server, Path::new("/nowhere/libonnxruntime.so"), |models| {
        TOKENS.write(&models.join("tiny"), HEAD, |text| text);
        let head = HEAD.replace("0.25", "-0.25").replace("[1.0,", "[-1.0,");
        TOKENS.write(&models.join("other"), &head, |text| {
            text.replace("name = \"tiny\"", "name = \"other\"")
        });
        // Its input is another one, and so are its vectors.
        TOKENS.write(&models.join("stranger"), HEAD, |text| {
            let other = text.replace("name = \"tiny\"", "name = \"stranger\"");
            other
                .replace("size = 2", "size = [2, 2]")
                .replace("bilinear", "bicubic")
        });
    });
    let (code, lines, _) = bench.run("same.jsonl", &["--model", "tiny"]);
    assert_eq!((code, lines.len()), (0, 3), "{lines:#?}");
    for (line, report) in lines.iter().zip(&reports) {
        assert_eq!(line["from"], "embeddings");
        for key in ["score", "verdict"] {
            assert_eq!(line["new"][key], report[key], "{line:#}");
        }
        let coverage = &report["models"][0]["coverage"];
        assert_eq!(
            line["models"][0]["scored"],
            json!([coverage["scored"], coverage["planned"]])
        );
    }
    let (code, others, _) = bench.run("other.jsonl", &["--model", "other"]);
    assert_eq!(code, 0);
    assert_ne!(others[0]["new"]["score"], others[0]["old"]["score"]);
    let (code, strangers, _) = bench.run("stranger.jsonl", &["--model", "stranger"]);
    assert_eq!(code, 3);
    assert!(
        strangers
            .iter()
            .all(|line| line["problem"]["code"] == "content_gone")
    );
}

#[test]
fn without_a_model_reports_are_only_decided_again() {
    let Some(server) = server(Material::None, &TINY) else {
        return;
    };
    let report = scored(&server, "", picture(250));
    assert!(!server.data.path().join("kept/embeddings").exists());
    let bench = Bench::new(&server, Path::new("/nowhere"), |_| {});
    let policy = "[policy]\nname = \"hard\"\nversion = \"1\"\nactions = [\"none\", \"hide\"]\n\
        [[rule]]\nname = \"all\"\nquestion = \"ai_generated\"\nmin_score = 0.0\naction = \"hide\"\n";
    std::fs::write(bench.path("hard.toml"), policy).unwrap();
    let (code, lines, summary) = bench.run("out.jsonl", &["--policy", "hard.toml"]);
    assert_eq!((code, lines.len()), (0, 1));
    assert_eq!(lines[0]["from"], "report");
    assert_eq!(lines[0]["new"]["score"], report["score"]);
    let old = &report["policy"]["action"];
    assert_eq!(
        summary["transitions"],
        json!([{ "from": old, "to": "hide", "count": 1 }])
    );
    let (_, none, _) = bench.run("none.jsonl", &["--to", "2020-01-01"]);
    assert!(none.is_empty());
}
