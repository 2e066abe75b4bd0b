//! `jaga models import`: folders as exporters write them, and folders as they must not be.

mod families;
mod folders;
mod refusals;

use std::fs;
use std::path::{Path, PathBuf};

use jaga::inference::import::{ImportError, Plan, Request, Staged};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::root;

/// A folder with an export, and beside it a place for bundles.
pub(crate) struct Export {
    place: TempDir,
}

impl Export {
    /// An export of `tests/models/<graph>`.
    pub(crate) fn new(graph: &str, config: &Value, processor: Option<&Value>) -> Self {
        let export = Self {
            place: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(export.folder()).unwrap();
        export.graph(graph, "model.onnx");
        export.write("config.json", &config.to_string());
        if let Some(processor) = processor {
            export.write("preprocessor_config.json", &processor.to_string());
        }
        export
    }

    /// A detector of the plainest kind.
    pub(crate) fn vit() -> Self {
        Self::new("import_logits.onnx", &config(), Some(&processor()))
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.place.path().join("detector")
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.place.path().join("models")
    }

    pub(crate) fn graph(&self, model: &str, name: &str) {
        let path = self.folder().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(root().join("tests/models").join(model), path).unwrap();
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.folder().join(name), text).unwrap();
    }

    fn request(&self) -> Request {
        Request {
            folder: self.folder(),
            question: "ai_generated".to_owned(),
            license: Some("MIT".to_owned()),
            version: "1.0.0".to_owned(),
            ..Request::default()
        }
    }

    fn stage(&self) -> Result<Staged, ImportError> {
        self.stage_with(&self.request())
    }

    fn stage_with(&self, request: &Request) -> Result<Staged, ImportError> {
        Plan::new(request)?.stage(&self.out(), Path::new("nowhere"))
    }

    /// What is told of a folder that is refused; nothing may be left of the attempt.
    fn refusal(&self) -> String {
        let error = self.stage().map(|_| ()).unwrap_err().to_string();
        assert!(!self.out().exists(), "{error}");
        error.replace(&self.folder().display().to_string(), "DIR")
    }
}

/// `config.json` of a detector of two classes, as transformers writes it.
pub(crate) fn config() -> Value {
    json!({
        "architectures": ["ViTForImageClassification"],
        "attention_probs_dropout_prob": 0.0,
        "hidden_size": 768,
        "id2label": {"0": "artificial", "1": "human"},
        "image_size": 224,
        "label2id": {"artificial": 0, "human": 1},
        "model_type": "vit",
        "num_channels": 3,
        "patch_size": 16,
        "problem_type": "single_label_classification",
        "torch_dtype": "float32",
        "transformers_version": "4.40.2"
    })
}

/// `preprocessor_config.json` of the plainest processor, as transformers writes it.
pub(crate) fn processor() -> Value {
    json!({
        "do_normalize": true,
        "do_rescale": true,
        "do_resize": true,
        "image_mean": [0.5, 0.5, 0.5],
        "image_processor_type": "ViTImageProcessor",
        "image_std": [0.5, 0.5, 0.5],
        "resample": 2,
        "rescale_factor": 0.003_921_568_627_450_98,
        "size": {"height": 224, "width": 224}
    })
}

/// `of` with the keys of `changes`; one that is null goes.
pub(crate) fn with(of: &Value, changes: &Value) -> Value {
    let mut result = of.clone();
    let map = result.as_object_mut().unwrap();
    for (key, value) in changes.as_object().unwrap() {
        if value.is_null() {
            map.remove(key);
        } else {
            map.insert(key.clone(), value.clone());
        }
    }
    result
}
