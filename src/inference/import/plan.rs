//! Everything that is decided before the first file is written.

use std::path::{Path, PathBuf};

use super::error::ImportError;
use super::graph_file::GraphFile;
use super::input::{self, Input};
use super::json::{self, Object};
use super::labels::Labels;
use super::output::{self, Classes, Output};
use super::preprocessing::Preprocessing;
use super::source::Source;
use super::weights::{self, WeightFile};
use super::{hugging_face, license, timm};

const CONFIG: &str = "config.json";
const PROCESSOR: &str = "preprocessor_config.json";

/// Longest name, version, question or licence, in bytes.
const MAX_TEXT: usize = 64;

/// What is to be imported and what the folder doesn't say.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The folder with the export.
    pub folder: PathBuf,
    /// The graph, relative to the folder, where there are several.
    pub file: Option<PathBuf>,
    /// The bundle's name; the folder's when absent.
    pub name: Option<String>,
    /// What the model answers, such as `ai_generated`.
    pub question: String,
    /// SPDX expression of the weights; that of the folder's `README.md` when absent.
    pub license: Option<String>,
    /// Any version, as reports show it.
    pub version: String,
    /// Label or index of the class that means synthetic, where the labels don't tell.
    pub synthetic_label: Option<String>,
}

/// An import that is possible; nothing is written yet.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(super) decided: Decided,
    pub(super) graph: GraphFile,
    pub(super) weights: Vec<WeightFile>,
}

/// What `model.toml` and `CARD.md` say.
#[derive(Debug, Clone)]
pub(super) struct Decided {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) question: String,
    pub(super) license: String,
    pub(super) preprocessing: Preprocessing,
    pub(super) input: Input,
    pub(super) output: Output,
    /// The folder's own name.
    pub(super) origin: String,
    /// The graph within it.
    pub(super) graph: String,
    /// As `config.json` has it.
    pub(super) architecture: String,
    /// One line a class.
    pub(super) labels: String,
    /// Which class means synthetic, and who says so.
    pub(super) meaning: String,
}

impl Plan {
    /// Reads the folder's JSON and graph and decides. Runs nothing of the folder's and doesn't need
    /// ONNX Runtime.
    pub fn new(request: &Request) -> Result<Self, ImportError> {
        let source = Source::open(&request.folder)?;
        let name = name(request, &source)?;
        let question = question(request)?;
        let version = plain("model-version", &request.version)?;
        let documents = Documents::read(&source)?;
        let config = documents.config()?;
        let preprocessing = documents.preprocessing(&config)?;
        let labels = Labels::read(&config)?;
        let graph = GraphFile::read(&source, source.graph(request.file.as_deref())?)?;
        let input = input::input(&graph.shown, &graph.borders, &preprocessing)?;
        let output = classes(&graph, &config, &labels, request)?;
        let weights = weights::files(&source, &graph, &graph.external()?)?;
        let license = license(request, &source)?;
        let decided = Decided {
            name,
            version,
            question,
            license,
            preprocessing,
            input,
            origin: source.name().unwrap_or_default().to_owned(),
            graph: graph.relative.display().to_string(),
            architecture: architecture(&config),
            labels: listed(&labels, &output),
            meaning: meaning(&output, request),
            output,
        };
        Ok(Self {
            decided,
            graph,
            weights,
        })
    }

    /// The bundle's name.
    pub fn name(&self) -> &str {
        &self.decided.name
    }

    /// What was found, in a sentence: which class means synthetic, and who says so.
    pub fn meaning(&self) -> &str {
        &self.decided.meaning
    }

    /// How pictures are prepared.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.decided.preprocessing
    }
}

/// The JSON files with their paths.
struct Documents {
    config_path: PathBuf,
    config: serde_json::Value,
    processor_path: PathBuf,
    processor: Option<serde_json::Value>,
}

impl Documents {
    fn read(source: &Source) -> Result<Self, ImportError> {
        let value = |name: &str| {
            let path = source.shown(Path::new(name));
            let text = source.json(name)?;
            let value = text.map(|text| json::parse(&path, &text)).transpose()?;
            Ok::<_, ImportError>((path, value))
        };
        let (config_path, config) = value(CONFIG)?;
        let (processor_path, processor) = value(PROCESSOR)?;
        let config = config.ok_or_else(|| ImportError::Absent {
            folder: source.folder().to_owned(),
            needed: CONFIG,
        })?;
        Ok(Self {
            config_path,
            config,
            processor_path,
            processor,
        })
    }

    fn config(&self) -> Result<Object<'_>, ImportError> {
        Object::root(&self.config_path, &self.config)
    }

    /// `preprocessor_config.json`, else timm's `pretrained_cfg`.
    fn preprocessing(&self, config: &Object<'_>) -> Result<Preprocessing, ImportError> {
        let pretrained = config.object("pretrained_cfg")?;
        match (&self.processor, pretrained) {
            (Some(processor), _) => {
                let processor = Object::root(&self.processor_path, processor)?;
                hugging_face::preprocessing(&processor, config)
            }
            (None, Some(pretrained)) => timm::preprocessing(&pretrained),
            (None, None) => Err(ImportError::Absent {
                folder: self
                    .config_path
                    .parent()
                    .unwrap_or(Path::new(""))
                    .to_owned(),
                needed: "preprocessor_config.json, and its config.json no pretrained_cfg",
            }),
        }
    }
}

fn classes(
    graph: &GraphFile,
    config: &Object<'_>,
    labels: &Labels,
    request: &Request,
) -> Result<Output, ImportError> {
    let port = output::port(&graph.shown, &graph.borders)?;
    let origin = graph.origin(&port.name)?;
    let classes = Classes {
        config,
        labels,
        choice: request.synthetic_label.as_deref(),
    };
    output::output(&graph.shown, port, origin.as_deref(), &classes)
}

fn listed(labels: &Labels, output: &Output) -> String {
    if labels.count() == 0 {
        String::new()
    } else {
        labels.listed(labels.count().max(output.count))
    }
}

fn meaning(output: &Output, request: &Request) -> String {
    let class = match (&output.label, output.class) {
        (Some(label), Some(class)) => format!("class {class}, {label:?}, of {}", output.count),
        (None, Some(class)) => format!("class {class} of {}", output.count),
        (Some(label), None) => format!("the graph's one number, for {label:?}"),
        (None, None) => "the graph's one number".to_owned(),
    };
    let by = match request.synthetic_label {
        Some(_) => "as --synthetic-label said",
        None => "as the labels' words say",
    };
    format!("synthetic: {class}, {by}")
}

fn architecture(config: &Object<'_>) -> String {
    let named = |key: &str| config.value(key).and_then(|value| value.as_str());
    let listed = config
        .value("architectures")
        .and_then(|value| value.get(0)?.as_str());
    let found = listed
        .or_else(|| named("architecture"))
        .or_else(|| named("model_type"));
    found.unwrap_or("not stated").to_owned()
}

fn name(request: &Request, source: &Source) -> Result<String, ImportError> {
    let name = request
        .name
        .as_deref()
        .or(source.name())
        .unwrap_or_default();
    let first = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let rest = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if first && rest && name.len() <= MAX_TEXT {
        return Ok(name.to_owned());
    }
    let reason = format!(
        "must be 1 to {MAX_TEXT} of A-Z, a-z, 0-9, '-', '_' and '.', a letter or digit first; it is {name:?}"
    );
    Err(ImportError::Flag {
        flag: "name",
        reason,
    })
}

fn question(request: &Request) -> Result<String, ImportError> {
    let question = request.question.as_str();
    let first = question.starts_with(|c: char| c.is_ascii_lowercase());
    let rest = question
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if first && rest && question.len() <= MAX_TEXT {
        return Ok(question.to_owned());
    }
    let reason = format!(
        "must be such as ai_generated: 1 to {MAX_TEXT} of a-z, 0-9 and '_', a letter first; it is \
         {question:?}"
    );
    Err(ImportError::Flag {
        flag: "question",
        reason,
    })
}

fn license(request: &Request, source: &Source) -> Result<String, ImportError> {
    if let Some(license) = &request.license {
        return plain("license", license);
    }
    let readme = source.readme()?.unwrap_or_default();
    license::stated(&readme).ok_or_else(|| ImportError::Flag {
        flag: "license",
        reason:
            "is needed: the folder's README.md states no licence of the weights in its front matter"
                .to_owned(),
    })
}

/// Text that can stand in a report.
fn plain(flag: &'static str, value: &str) -> Result<String, ImportError> {
    let printable = !value.chars().any(char::is_control);
    if printable && !value.trim().is_empty() && value.len() <= MAX_TEXT {
        return Ok(value.to_owned());
    }
    let reason = format!("must be 1 to {MAX_TEXT} printable bytes; it is {value:?}");
    Err(ImportError::Flag { flag, reason })
}
