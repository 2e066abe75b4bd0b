//! Where the library, the weights and the Python reference are; bundles around tiny graphs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jaga::domain::frame::Picture;
use jaga::inference::bundle::{BundleError, Scorer, Sorted};
use jaga::inference::{Bundle, InferenceError, Model, ModelsConfig, Provider, Runtime, Tensor};
use sha2::{Digest, Sha256};

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Says why a test does nothing; where everything has to be there (CI), that is a failure.
pub(crate) fn skip(reason: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "in CI this must run: {reason}"
    );
    eprintln!("skipped: {reason}");
}

/// The library of ONNX Runtime that set-up made, or the one that the environment names.
pub(crate) fn library() -> Option<PathBuf> {
    let named = std::env::var_os("JAGA_RUNTIME__LIBRARY").map(PathBuf::from);
    let library = named.or_else(set_up_library);
    if library.is_none() {
        skip("no ONNX Runtime; `./scripts/test` sets one up");
    }
    library
}

/// The same, loaded.
pub(crate) fn runtime() -> Option<Runtime> {
    Some(Runtime::load(&library()?).unwrap())
}

fn set_up_library() -> Option<PathBuf> {
    let files = fs::read_dir(root().join(".jaga/runtime/cpu")).ok()?;
    files
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.to_string_lossy().contains("libonnxruntime.so"))
}

/// Where the weights of the bundles that come with jaga are.
pub(crate) fn weights() -> PathBuf {
    std::env::var_os("JAGA_MODELS__WEIGHTS_DIR")
        .map_or_else(|| root().join(".jaga/weights"), PathBuf::from)
}

/// The Python that has the reference's packages.
pub(crate) fn python() -> Option<PathBuf> {
    let python = std::env::var_os("JAGA_TEST_PYTHON").map(PathBuf::from);
    if python.is_none() {
        skip("JAGA_TEST_PYTHON is not set; `./scripts/test` sets it");
    }
    python
}

/// Runs `tests/reference/reference.py`; what it prints.
pub(crate) fn reference(python: &Path, arguments: &[&std::ffi::OsStr]) -> String {
    let output = Command::new(python)
        .arg(root().join("tests/reference/reference.py"))
        .args(arguments)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the reference failed: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a tiny bundle says; the rest is the same for all.
pub(crate) struct Tiny {
    pub(crate) graph: &'static str,
    pub(crate) input: &'static str,
    pub(crate) output: &'static str,
    pub(crate) max_batch: usize,
    /// More files of `tests/models` to list.
    pub(crate) more: &'static [&'static str],
}

/// An input that passes pixel values through unchanged, as float32.
pub(crate) const PLAIN_NCHW: &str = "layout = \"NCHW\"\ndtype = \"float32\"\n";

/// The head that bundles get: w = (1, −2, 3), b = 0.25.
pub(crate) const HEAD: &str =
    r#"{"schema":"jaga.head/1","kind":"linear","dim":3,"bias":0.25,"weights":[1.0,-2.0,3.0]}"#;

impl Tiny {
    /// Writes the bundle into `folder`, which must be named `tiny`, and opens it.
    pub(crate) fn bundle(&self, folder: &Path) -> Bundle {
        self.try_bundle(folder).unwrap()
    }

    /// The same, where it may be refused.
    pub(crate) fn try_bundle(&self, folder: &Path) -> Result<Bundle, BundleError> {
        self.write(folder, HEAD, |text| text);
        Bundle::open(folder, Path::new("nowhere"))
    }

    /// Writes the bundle into `folder`, with another head and `model.toml` changed by `edit`.
    pub(crate) fn write(&self, folder: &Path, head: &str, edit: impl FnOnce(String) -> String) {
        fs::create_dir_all(folder).unwrap();
        let graph = fs::read(root().join("tests/models").join(self.graph)).unwrap();
        fs::write(folder.join(self.graph), &graph).unwrap();
        for name in self.more {
            fs::copy(root().join("tests/models").join(name), folder.join(name)).unwrap();
        }
        fs::write(folder.join("CARD.md"), "# tiny").unwrap();
        fs::write(folder.join("head.json"), head).unwrap();
        let manifest = edit(self.manifest(&graph, head));
        fs::write(folder.join("model.toml"), manifest).unwrap();
    }

    fn listed(name: &str) -> String {
        let bytes = fs::read(root().join("tests/models").join(name)).unwrap();
        format!(
            "[[file]]\npath = \"{name}\"\nsha256 = \"{}\"\n",
            sha256(&bytes)
        )
    }

    fn manifest(&self, graph: &[u8], head: &str) -> String {
        format!(
            "[model]\nname = \"tiny\"\nversion = \"1\"\nstatus = \"experimental\"\n\
             question = \"ai_generated\"\nlicense = \"MIT\"\ncard = \"CARD.md\"\n\
             [[file]]\npath = \"{}\"\nsha256 = \"{}\"\n\
             [[file]]\npath = \"head.json\"\nsha256 = \"{}\"\n\
             {}[input]\nkind = \"frame\"\nname = \"x\"\ncolor = \"RGB\"\n\
             resize = {{ mode = \"stretch\", size = 2, filter = \"bilinear\" }}\n{}\n\
             [output]\n{}\n[calibration]\nkind = \"none\"\n[aggregation]\nkind = \"mean\"\n\
             [runtime]\nmax_batch = {}\n",
            self.graph,
            sha256(graph),
            sha256(head.as_bytes()),
            self.more
                .iter()
                .map(|name| Self::listed(name))
                .collect::<String>(),
            self.input,
            self.output,
            self.max_batch,
        )
    }

    /// The bundle as a running model.
    pub(crate) fn start(
        &self,
        runtime: &Runtime,
        sessions: usize,
    ) -> Result<Model, InferenceError> {
        let place = tempfile::tempdir().unwrap();
        let bundle = self.bundle(&place.path().join("tiny"));
        let config = ModelsConfig {
            sessions,
            ..ModelsConfig::default()
        };
        Model::start(runtime, &scorer(bundle), &config, Provider::Cpu)
    }
}

/// A graph's file and its outputs, for [`write_finder`].
pub(crate) type FinderGraph = (&'static str, [&'static str; 4]);

/// A finder that works: it finds what is painted into a picture.
pub(crate) const PAINTED: FinderGraph = ("painted.onnx", ["heat", "scale", "offset", "landmarks"]);

/// Writes a bundle that is to find faces into `folder`; named after it.
pub(crate) fn write_finder(folder: &Path, (graph, outputs): FinderGraph) {
    let tiny = Tiny {
        graph,
        input: PLAIN_NCHW,
        output: "",
        max_batch: 1,
        more: &[],
    };
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    tiny.write(folder, HEAD, |text| {
        let cut = text.find("[output]").unwrap();
        let stretch = "mode = \"stretch\", size = 2, filter = \"bilinear\"";
        assert!(text.contains(stretch));
        let text = text[..cut]
            .replace("name = \"tiny\"", &format!("name = \"{name}\""))
            .replace("kind = \"frame\"", "kind = \"finder\"")
            .replace("question = \"ai_generated\"\n", "")
            .replace(stretch, "filter = \"box\"");
        format!(
            "{text}[finder]\ndecoder = \"centerface\"\nthreshold = 0.5\nnms_iou = 0.3\n\
             outputs = {outputs:?}\nmax_side = 128\nmultiple = 32\n"
        )
    });
}

/// `bundle`, which is a scorer.
pub(crate) fn scorer(bundle: Bundle) -> Bundle<Scorer> {
    match bundle.sort() {
        Sorted::Scorer(scorer) => scorer,
        Sorted::Finder(_) => panic!("a finder"),
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digits = Sha256::digest(bytes);
    let digits: Vec<String> = digits.iter().map(|b| format!("{b:02x}")).collect();
    digits.concat()
}

/// The uncalibrated log-odds of one prepared picture.
pub(crate) async fn logit(model: &Model, tensor: Tensor) -> Result<f64, InferenceError> {
    model.score(tensor).await.map(|scored| scored.answer.get())
}

/// Numbers that look random and are the same everywhere (a linear congruential generator, Knuth's
/// constants).
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u8 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 56).to_le_bytes()[0]
    }
}

/// A 2x2 picture.
pub(crate) fn small(seed: u64) -> Picture {
    let mut numbers = Numbers::new(seed);
    Picture::new(2, 2, (0..12).map(|_| numbers.next()).collect()).unwrap()
}
