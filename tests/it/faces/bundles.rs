//! Bundles around the tiny graphs of `tests/models`, of every kind.

use std::fs;
use std::path::Path;

use crate::inference::support::{root, sha256};

/// Writes a bundle: `sections` is everything after its files.
pub(crate) fn bundle(models: &Path, name: &str, graph: &str, sections: &str) {
    let question = if sections.contains("[finder]") {
        ""
    } else if sections.contains("[face]") {
        "question = \"face_manipulation\"\n"
    } else {
        "question = \"ai_generated\"\n"
    };
    let folder = models.join(name);
    fs::create_dir_all(&folder).unwrap();
    let bytes = fs::read(root().join("tests/models").join(graph)).unwrap();
    fs::write(folder.join(graph), &bytes).unwrap();
    fs::write(folder.join("CARD.md"), "# a test's").unwrap();
    let text = format!(
        "[model]\nname = \"{name}\"\nversion = \"1\"\nstatus = \"experimental\"\n{question}\
         license = \"MIT\"\ncard = \"CARD.md\"\n\
         [[file]]\npath = \"{graph}\"\nsha256 = \"{}\"\n{sections}",
        sha256(&bytes)
    );
    fs::write(folder.join("model.toml"), text).unwrap();
}

const SCORES: &str = "[calibration]\nkind = \"none\"\n[aggregation]\nkind = \"mean_logit\"\n\
                      [verdict]\nsubstantial_evidence = 0.7\nlittle_evidence = 0.3\n";

/// (value · 0.002 − 0.25), so that r + 2g + 4b of it is a moderate logit.
const NUMBERS: &str = "dtype = \"float32\"\ncolor = \"RGB\"\nscale = 0.002\n\
                       mean = [0.25, 0.25, 0.25]\n\
                       resize = { mode = \"stretch\", size = 2, filter = \"box\" }\n";

/// The logit of `frame` and `face` models on something with these mean values.
pub(crate) fn logit([r, g, b]: [f64; 3]) -> f64 {
    let number = |value: f64| value * 0.002 - 0.25;
    number(r) + 2.0 * number(g) + 4.0 * number(b)
}

pub(crate) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The finder: red cells are faces with a box as many pixels wide as their green says.
pub(crate) fn finder(models: &Path) {
    let sections = "[input]\nkind = \"finder\"\nname = \"x\"\nlayout = \"NCHW\"\n\
                    dtype = \"float32\"\ncolor = \"RGB\"\nresize = { filter = \"bilinear\" }\n\
                    [finder]\ndecoder = \"centerface\"\n\
                    outputs = [\"heat\", \"scale\", \"offset\", \"landmarks\"]\n\
                    threshold = 0.5\nnms_iou = 0.3\nmax_side = 1280\nmultiple = 4\n";
    bundle(models, "red", "painted.onnx", sections);
}

/// A model that looks at faces; `more` goes into its `[face]`.
pub(crate) fn face(models: &Path, name: &str, more: &str) {
    face_of(models, name, "red", more);
}

/// The same with a finder of one's own.
pub(crate) fn face_of(models: &Path, name: &str, finder: &str, more: &str) {
    let sections = format!(
        "[input]\nkind = \"face\"\nname = \"x\"\nlayout = \"NCHW\"\n{NUMBERS}\
         [output]\nname = \"logit\"\nkind = \"logit\"\n{SCORES}\
         [face]\nfinder = \"{finder}\"\n{more}"
    );
    bundle(models, name, "logit_nchw.onnx", &sections);
}

/// A model that looks at whole pictures.
pub(crate) fn frame(models: &Path, name: &str, more: &str) {
    let sections = format!(
        "[input]\nkind = \"frame\"\nname = \"x\"\nlayout = \"NCHW\"\n{NUMBERS}\
         [output]\nname = \"logit\"\nkind = \"logit\"\n{SCORES}{more}"
    );
    bundle(models, name, "logit_nchw.onnx", &sections);
}

/// A model that looks at three pictures, of which the later ones weigh more:
/// Σ (t + 1) times the logit of each; `more` are its `[window]` and, for faces, its `[face]`.
pub(crate) fn window(models: &Path, name: &str, more: &str) {
    let sections = format!(
        "[input]\nkind = \"window\"\nname = \"x\"\nlayout = \"NCTHW\"\n{NUMBERS}\
         [output]\nname = \"logit\"\nkind = \"logit\"\n{SCORES}{more}"
    );
    bundle(models, name, "window_ncthw.onnx", &sections);
}
