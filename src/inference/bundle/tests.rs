//! Bundles that are broken in one place each.

mod kinds;

use std::os::unix::fs::symlink;

use crate::domain::verdict::Thresholds;

use super::manifest::Pooling;
use super::task::Reading;
use super::*;

/// A protobuf with one field (`ir_version` 8): no weights, and nobody runs it.
const GRAPH: &[u8] = b"\x08\x08";

const HEAD: &str =
    r#"{"schema":"jaga.head/1","kind":"linear","dim":2,"bias":0.0,"weights":[1.0,2.0]}"#;

fn sha256(bytes: &[u8]) -> String {
    files::hexadecimal(&Sha256::digest(bytes))
}

fn good() -> String {
    let (graph, head) = (sha256(GRAPH), sha256(HEAD.as_bytes()));
    format!(
        r#"
[model]
name = "tiny"
version = "1.0.0"
status = "experimental"
question = "ai_generated"
license = "MIT"
card = "CARD.md"

[[file]]
path = "encoder.onnx"
sha256 = "{graph}"
source = "pypi:x==1:y"
derive = "cut"

[[file]]
path = "head.json"
sha256 = "{head}"

[input]
kind = "frame"
name = "pixels"
layout = "NCHW"
dtype = "float32"
color = "RGB"
resize = {{ mode = "shortest_side", size = 224, filter = "bicubic" }}
crop = {{ mode = "center", size = [224, 224] }}
scale = 0.00392156862745098
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]

[output]
name = "tokens"
kind = "embedding"
pool = "cls"
head = "head.json"

[calibration]
kind = "platt"
a = 1
b = 0.5

[verdict]
substantial_evidence = 0.8
little_evidence = 0.2

[aggregation]
kind = "mean_logit"

[runtime]
max_batch = 8
"#
    )
}

struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new(manifest: &str) -> Self {
        let place = Self {
            root: tempfile::tempdir().unwrap(),
        };
        fs::create_dir_all(place.folder()).unwrap();
        fs::create_dir_all(place.weights().join("tiny")).unwrap();
        place.write("model.toml", manifest.as_bytes());
        place.write("CARD.md", b"# tiny");
        place.write("head.json", HEAD.as_bytes());
        fs::write(place.weights().join("tiny/encoder.onnx"), GRAPH).unwrap();
        place
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join("models/tiny")
    }

    fn weights(&self) -> PathBuf {
        self.root.path().join("weights")
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.folder().join(name), bytes).unwrap();
    }

    fn open(&self) -> Result<Bundle, BundleError> {
        Bundle::open(&self.folder(), &self.weights())
    }

    fn refusal(&self) -> String {
        self.open().unwrap_err().to_string()
    }
}

#[test]
fn a_sound_bundle_opens() {
    let place = Place::new(&good());
    let bundle = place.open().unwrap();
    assert_eq!(bundle.name(), "tiny");
    let scorer = scorer(bundle.clone());
    assert_eq!(scorer.look, Look::Frame);
    assert!(
        matches!(&scorer.output.reading, Reading::Embedding(Pooling::Cls, head) if head.dim() == 2)
    );
    assert!(bundle.graph.path.ends_with("weights/tiny/encoder.onnx"));
    assert_eq!(bundle.sha256.len(), 64);
    // The bundle's own folder comes first.
    place.write("encoder.onnx", GRAPH);
    assert!(
        place
            .open()
            .unwrap()
            .graph
            .path
            .ends_with("models/tiny/encoder.onnx")
    );
}

fn scorer(bundle: Bundle) -> Scorer {
    match bundle.task {
        Task::Scorer(scorer) => scorer,
        Task::Finder(_) => panic!("a finder"),
    }
}

#[test]
fn the_identity_moves_with_the_content() {
    let one = Place::new(&good()).open().unwrap().sha256;
    assert_eq!(one, Place::new(&good()).open().unwrap().sha256);
    let moved = good().replace("b = 0.5", "b = 0.51");
    assert_ne!(one, Place::new(&moved).open().unwrap().sha256);
}

#[test]
fn optional_sections_have_defaults() {
    let text = good();
    let cut = |text: &str, from: &str, to: &str| {
        let (start, end) = (text.find(from).unwrap(), text.find(to).unwrap());
        format!("{}{}", &text[..start], &text[end..])
    };
    let text = cut(&text, "[verdict]", "[aggregation]");
    let text = text.split("[runtime]").next().unwrap().to_owned();
    let bundle = Place::new(&text).open().unwrap();
    assert_eq!(bundle.runtime.max_batch.get(), 1);
    assert_eq!(scorer(bundle).verdict, Thresholds::default());
}

/// What is replaced, by what, and the words that the error must have.
const BROKEN: &[(&str, &str, &[&str])] = &[
    (
        "license = ",
        "licence = ",
        &["model.toml", "licence", "license"],
    ),
    (
        "card = \"CARD.md\"",
        "card = \"CARD.md\"\nextra = 1",
        &["unknown field `extra`"],
    ),
    ("max_batch = 8", "max_batch = 0", &["nonzero"]),
    ("max_batch = 8", "max_bach = 8", &["max_bach", "max_batch"]),
    (
        "name = \"tiny\"",
        "name = \"other\"",
        &["model.name", "\"tiny\"", "\"other\""],
    ),
    (
        "status = \"experimental\"",
        "status = \"good\"",
        &["good", "validated"],
    ),
    ("version = \"1.0.0\"", "version = \" \"", &["model.version"]),
    (
        "card = \"CARD.md\"",
        "card = \"../CARD.md\"",
        &["model.card"],
    ),
    (
        "card = \"CARD.md\"",
        "card = \"NONE.md\"",
        &["NONE.md", "missing"],
    ),
    (
        "path = \"encoder.onnx\"",
        "path = \"../x/encoder.onnx\"",
        &["file[0].path", "relative"],
    ),
    (
        "path = \"encoder.onnx\"",
        "path = \"/etc/encoder.onnx\"",
        &["file[0].path"],
    ),
    (
        "path = \"encoder.onnx\"",
        "path = \"encoder.bin\"",
        &["file", ".onnx"],
    ),
    (
        "path = \"head.json\"",
        "path = \"encoder.onnx\"",
        &["file[1].path", "once"],
    ),
    (
        "path = \"encoder.onnx\"",
        "path = \"gone.onnx\"",
        &["gone.onnx", "missing", "hint:"],
    ),
    (
        "sha256 = \"",
        "sha256 = \"A",
        &["file[0].sha256", "hexadecimal"],
    ),
    (
        "kind = \"frame\"",
        "kind = \"face\"",
        &["[face]", "given", "\"face\"", "absent"],
    ),
    (
        "kind = \"frame\"",
        "kind = \"window\"",
        &["[window]", "given", "absent"],
    ),
    (
        "kind = \"frame\"",
        "kind = \"finder\"",
        &["model.question", "absent", "\"finder\""],
    ),
    ("kind = \"frame\"", "kind = \"scene\"", &["scene", "window"]),
    (
        "\"NCHW\"",
        "\"NCTHW\"",
        &["input.layout", "NCHW or NHWC", "\"frame\"", "NCTHW"],
    ),
    ("\"NCHW\"", "\"CHW\"", &["CHW", "NHWC"]),
    ("\"float32\"", "\"float64\"", &["float64", "float16"]),
    ("\"float32\"", "\"uint8\"", &["input.scale", "uint8"]),
    ("\"bicubic\"", "\"cubic\"", &["cubic", "bicubic"]),
    (
        "size = 224,",
        "size = 0,",
        &["input.resize.size", "1..=4096"],
    ),
    (
        "size = 224,",
        "size = [224, 224],",
        &["input.resize.size", "one number"],
    ),
    ("size = 224,", "size = \"big\",", &["[width, height]"]),
    (
        "size = [224, 224]",
        "size = [256, 224]",
        &["input.crop.size", "256"],
    ),
    (
        "mode = \"shortest_side\", size = 224",
        "mode = \"stretch\", rounding = \"down\", size = 224",
        &["input.resize.rounding", "shortest_side"],
    ),
    (
        "filter = \"bicubic\"",
        "filter = \"bicubic\", rounding = \"up\"",
        &["rounding", "half_even", "down"],
    ),
    ("crop = {", "#", &["input.crop"]),
    (
        "scale = 0.00392156862745098",
        "scale = 0.0",
        &["input.scale"],
    ),
    (
        "std = [0.25, 0.25, 0.25]",
        "std = [0.25, 0.0, 0.25]",
        &["input.std"],
    ),
    (
        "mean = [0.5, 0.5, 0.5]",
        "mean = [0.5, nan, 0.5]",
        &["input.mean"],
    ),
    ("kind = \"embedding\"", "kind = \"logit\"", &["output.head"]),
    (
        "kind = \"embedding\"",
        "kind = \"embedding\"\nclass = 1",
        &["output.class"],
    ),
    ("head = \"head.json\"", "", &["output.head"]),
    (
        "head = \"head.json\"",
        "head = \"other.json\"",
        &["output.head", "other.json"],
    ),
    ("a = 1", "a = 0", &["calibration", "platt"]),
    ("a = 1", "c = 1", &["calibration", "`c`"]),
    (
        "kind = \"mean_logit\"",
        "kind = \"top_k_mean\"\nk = 0",
        &["aggregation", "k"],
    ),
    (
        "little_evidence = 0.2",
        "little_evidence = 0.9",
        &["verdict.little_evidence", "0.8"],
    ),
    (
        "substantial_evidence = 0.8",
        "substantial_evidence = 1.8",
        &["substantial_evidence"],
    ),
    ("[aggregation]", "[aggregations]", &["aggregations"]),
];

/// Each change breaks `text`; the error has the words.
fn all_are_named(text: &str, broken: &[(&str, &str, &[&str])]) {
    assert!(Place::new(text).open().is_ok());
    for (from, to, words) in broken {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let error = Place::new(&changed).refusal();
        for word in *words {
            assert!(
                error.contains(word),
                "{from} → {to}: {word:?} is not in {error}"
            );
        }
    }
}

#[test]
fn what_is_wrong_is_named() {
    all_are_named(&good(), BROKEN);
}

#[test]
fn another_content_is_refused() {
    let place = Place::new(&good());
    fs::write(place.weights().join("tiny/encoder.onnx"), b"\x08\x09").unwrap();
    let error = place.refusal();
    assert!(
        error.contains("encoder.onnx") && error.contains("sha256"),
        "{error}"
    );
    assert!(
        error.contains(&sha256(GRAPH)) && error.contains(&sha256(b"\x08\x09")),
        "{error}"
    );
}

#[test]
fn a_head_that_is_none_is_refused() {
    let bad = b"{}";
    let text = good().replace(&sha256(HEAD.as_bytes()), &sha256(bad));
    let place = Place::new(&text);
    place.write("head.json", bad);
    let error = place.refusal();
    assert!(
        error.contains("head.json") && error.contains("schema"),
        "{error}"
    );
}

#[test]
fn a_link_may_not_leave() {
    let place = Place::new(&good());
    let outside = place.root.path().join("outside.onnx");
    fs::write(&outside, GRAPH).unwrap();
    symlink(&outside, place.folder().join("encoder.onnx")).unwrap();
    assert!(place.refusal().contains("leaves its folder"));
    fs::remove_file(place.folder().join("encoder.onnx")).unwrap();
    place.write("real.bin", GRAPH);
    symlink("real.bin", place.folder().join("encoder.onnx")).unwrap();
    assert!(place.open().is_ok());
}
