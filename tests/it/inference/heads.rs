//! Several models on one backbone: they answer as apart, from one run.

use std::path::Path;
use std::sync::Arc;

use jaga::domain::frame::Picture;
use jaga::domain::lanes::Lane;
use jaga::domain::quality::Bounds;
use jaga::inference::registry::Selection;
use jaga::inference::{
    InferenceError, InferenceErrorKind, InputKind, Model, ModelsConfig, Provider, Readout,
    Registry, Runtime,
};

use super::support::{HEAD, PAINTED, PLAIN_NCHW, Tiny, logit, runtime, small, write_finder};

/// Between a shared run and one alone: the same graph on the same numbers.
const SAME: f64 = 1e-6;
/// float32 in the graph, f64 here.
const TOLERANCE: f64 = 1e-5;

const OTHER_HEAD: &str =
    r#"{"schema":"jaga.head/1","kind":"linear","dim":3,"bias":-1.0,"weights":[-2.0,0.5,1.0]}"#;

const LOGIT: &str = "name = \"logit\"\nkind = \"logit\"";
const PROBABILITY: &str = "name = \"probability\"\nkind = \"probability\"";
const SOFTMAX: &str = "name = \"scores\"\nkind = \"softmax\"\nclass = 1";
const CLS: &str = "name = \"tokens\"\nkind = \"embedding\"\npool = \"cls\"\nhead = \"head.json\"";
const MEAN: &str = "name = \"tokens\"\nkind = \"embedding\"\npool = \"mean\"\nhead = \"head.json\"";
const DOUBTFUL: &str = "name = \"doubtful\"\nkind = \"logit\"";

/// One bundle of a folder of bundles.
struct Written {
    name: &'static str,
    output: &'static str,
    head: &'static str,
    input: &'static str,
    graph: &'static str,
    edit: fn(String) -> String,
}

const PLAIN: Written = Written {
    name: "plain",
    output: LOGIT,
    head: HEAD,
    input: PLAIN_NCHW,
    graph: "heads.onnx",
    edit: |text| text,
};

fn config(dir: &Path) -> ModelsConfig {
    ModelsConfig {
        dirs: vec![dir.to_owned()],
        sessions: 1,
        max_batch: 32,
        ..ModelsConfig::default()
    }
}

fn write(dir: &Path, models: &[Written]) {
    for model in models {
        let tiny = Tiny {
            graph: model.graph,
            input: model.input,
            output: model.output,
            max_batch: 4,
            more: &[],
        };
        tiny.write(&dir.join(model.name), model.head, |text| {
            let name = format!("name = \"{}\"", model.name);
            (model.edit)(text.replacen("name = \"tiny\"", &name, 1))
        });
    }
}

fn load(runtime: &Runtime, dir: &Path, selection: Selection<'_>) -> Registry {
    Registry::load(runtime, &config(dir), Provider::Cpu, selection).unwrap()
}

/// A registry of `models` only, in a folder of their own.
fn registry(runtime: &Runtime, models: &[Written]) -> Registry {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), models);
    // The one that models of faces name.
    write_finder(&dir.path().join("painted"), PAINTED);
    load(runtime, dir.path(), Selection::All)
}

fn models<'a>(registry: &'a Registry, names: &[&str]) -> Vec<&'a Arc<Model>> {
    names.iter().map(|n| registry.get(n).unwrap()).collect()
}

fn heads(models: &[&Arc<Model>]) -> Vec<Arc<Readout>> {
    models
        .iter()
        .map(|model| Arc::clone(model.head()))
        .collect()
}

fn means(picture: &Picture) -> [f64; 3] {
    let mut means = [0.0; 3];
    for pixel in picture.rgb().chunks_exact(3) {
        for (mean, value) in means.iter_mut().zip(pixel) {
            *mean += f64::from(*value) / 4.0;
        }
    }
    means
}

/// w · x/‖x‖ + b
fn linear(weights: [f64; 3], bias: f64, x: [f64; 3]) -> f64 {
    let norm = x.iter().map(|v| v * v).sum::<f64>().sqrt();
    let dot: f64 = weights.iter().zip(x).map(|(w, x)| w * x).sum();
    dot / norm + bias
}

fn family() -> Vec<Written> {
    vec![
        PLAIN,
        Written {
            name: "probable",
            output: PROBABILITY,
            ..PLAIN
        },
        Written {
            name: "softmax",
            output: SOFTMAX,
            ..PLAIN
        },
        Written {
            name: "cls",
            output: CLS,
            ..PLAIN
        },
        Written {
            name: "mean",
            output: MEAN,
            head: OTHER_HEAD,
            ..PLAIN
        },
    ]
}

const NAMES: [&str; 5] = ["plain", "probable", "softmax", "cls", "mean"];

fn expected(picture: &Picture) -> [f64; 5] {
    let [r, g, b] = means(picture);
    let p = (r + g + b) / 3.0 / 255.0;
    let others = r.max(b) + ((r - r.max(b)).exp() + (b - r.max(b)).exp()).ln();
    [
        r + 2.0 * g + 4.0 * b,
        (p / (1.0 - p)).ln(),
        g - others,
        linear([1.0, -2.0, 3.0], 0.25, [r, g, b]),
        linear([-2.0, 0.5, 1.0], -1.0, [1.5 * r, g / 2.0, b / 2.0]),
    ]
}

#[tokio::test]
async fn heads_on_one_backbone_answer_as_apart_from_one_run() {
    let Some(runtime) = runtime() else { return };
    let shared = registry(&runtime, &family());
    let mut apart = Vec::new();
    for model in family() {
        apart.push(registry(&runtime, &[model]));
    }
    let together = models(&shared, &NAMES);
    let backbone = together[0].backbone();
    let mut runs = 0;
    for seed in 1..6 {
        let picture = small(seed);
        let want = expected(&picture);
        for count in 2..=NAMES.len() {
            let asked = &together[..count];
            let tensor = asked[0].prepare(&picture).unwrap();
            let scored = backbone
                .score(tensor, &heads(asked), Lane::Live)
                .await
                .unwrap();
            runs += 1;
            assert_eq!(backbone.runs(), runs, "{count} heads are one run");
            assert_eq!(scored.logits.len(), count);
            for (index, got) in scored.logits.into_iter().enumerate() {
                let got = got.unwrap().get();
                let alone = apart[index].get(NAMES[index]).unwrap();
                let single = logit(alone, alone.prepare(&picture).unwrap())
                    .await
                    .unwrap();
                assert!((got - single).abs() <= SAME, "{got} for {single}");
                let error = (got - want[index]).abs() / want[index].abs().max(1.0);
                assert!(
                    error < TOLERANCE,
                    "{}: {got} for {}",
                    NAMES[index],
                    want[index]
                );
            }
        }
    }
    // Any order, and a head twice.
    let picture = small(9);
    let want = expected(&picture);
    let asked = [together[4], together[0], together[4]];
    let tensor = asked[0].prepare(&picture).unwrap();
    let scored = backbone
        .score(tensor, &heads(&asked), Lane::Live)
        .await
        .unwrap();
    for (got, want) in scored.logits.into_iter().zip([want[4], want[0], want[4]]) {
        assert!((got.unwrap().get() - want).abs() < TOLERANCE * want.abs().max(1.0));
    }
    assert_eq!(backbone.runs(), runs + 1);
}

#[tokio::test]
async fn a_head_that_has_no_score_fails_alone() {
    let Some(runtime) = runtime() else { return };
    let doubtful = Written {
        name: "doubtful",
        output: DOUBTFUL,
        ..PLAIN
    };
    let registry = registry(&runtime, &[PLAIN, doubtful]);
    let asked = models(&registry, &["plain", "doubtful", "plain"]);
    let backbone = asked[0].backbone();
    let bright = Picture::new(2, 2, vec![250; 12]).unwrap();
    let tensor = asked[0].prepare(&bright).unwrap();
    let scored = backbone
        .score(tensor, &heads(&asked), Lane::Live)
        .await
        .unwrap();
    let [first, doubtful, last] = scored.logits.as_slice() else {
        panic!("{:?}", scored.logits)
    };
    for good in [first, last] {
        assert!((good.as_ref().unwrap().get() - 1750.0).abs() < 1e-2);
    }
    let error = doubtful.as_ref().unwrap_err();
    assert!(
        matches!(error, InferenceError::NoScore { model, value } if model == "doubtful" && value.is_nan()),
        "{error}"
    );
    // On a darker one it has one.
    let dark = Picture::new(2, 2, vec![100; 12]).unwrap();
    let tensor = asked[1].prepare(&dark).unwrap();
    let scored = backbone
        .score(tensor, &heads(&asked), Lane::Live)
        .await
        .unwrap();
    let got = scored.logits[1].as_ref().unwrap().get();
    assert!((got - 100.0_f64.ln()).abs() < TOLERANCE, "{got}");
}

#[tokio::test]
async fn what_a_model_makes_of_its_answer_does_not_part_it_from_its_backbone() {
    let Some(runtime) = runtime() else { return };
    let family = [
        PLAIN,
        Written {
            name: "other-head",
            output: CLS,
            head: OTHER_HEAD,
            ..PLAIN
        },
        Written {
            name: "calibrated",
            edit: |text| {
                let platt = "kind = \"platt\"\na = 2\nb = 1";
                let text = text.replace(
                    "[calibration]\nkind = \"none\"",
                    &format!("[calibration]\n{platt}"),
                );
                let text = text.replace("kind = \"mean\"", "kind = \"median\"");
                let text = text.replace("\"ai_generated\"", "\"face_manipulation\"");
                format!(
                    "{text}sessions = 2\n[scope]\nmin_brightness = 20.0\n[verdict]\nsubstantial_evidence = 0.9\nlittle_evidence = 0.1\n"
                )
            },
            ..PLAIN
        },
        Written {
            name: "smaller-batch",
            edit: |text| text.replace("max_batch = 4", "max_batch = 2"),
            ..PLAIN
        },
        Written {
            name: "faces",
            edit: |text| {
                let text = text.replace("kind = \"frame\"", "kind = \"face\"");
                format!("{text}[face]\nfinder = \"painted\"\nmin_size = 32\nmargin = 0.5\n")
            },
            ..PLAIN
        },
        Written {
            name: "zz-other-input",
            input: "layout = \"NCHW\"\ndtype = \"float32\"\nscale = 0.5\n",
            ..PLAIN
        },
        Written {
            name: "aa-other-graph",
            graph: "logit_nchw.onnx",
            ..PLAIN
        },
    ];
    let registry = registry(&runtime, &family);
    let plain = registry.get("plain").unwrap();
    for name in ["other-head", "calibrated", "smaller-batch", "faces"] {
        let other = registry.get(name).unwrap();
        assert!(plain.same_backbone(other), "{name}");
        assert_eq!(other.info().backbone, plain.info().backbone);
        // The strictest batch and the most sessions hold for all.
        assert_eq!(other.info().max_batch.get(), 2, "{name}");
        assert_eq!(other.info().sessions, 2, "{name}");
    }
    for name in ["zz-other-input", "aa-other-graph"] {
        let other = registry.get(name).unwrap();
        assert!(!plain.same_backbone(other), "{name}");
        assert_eq!(other.info().max_batch.get(), 4);
    }
    let calibrated = registry.get("calibrated").unwrap();
    assert_eq!(calibrated.info().question, "face_manipulation");
    assert_eq!(calibrated.calibration().name(), "platt");
    assert_eq!(calibrated.aggregation().name(), "median");
    assert_eq!(calibrated.scope().min_brightness, Some(20.0));
    assert_eq!(plain.scope(), &Bounds::default());
    let faces = registry.get("faces").unwrap();
    assert_eq!(faces.info().kind, InputKind::Face);
    assert_eq!(faces.look().face().unwrap().min_size, 32);
    // Each reads its own output.
    let picture = small(3);
    let other = registry.get("other-head").unwrap();
    let got = logit(other, other.prepare(&picture).unwrap())
        .await
        .unwrap();
    let want = linear([-2.0, 0.5, 1.0], -1.0, means(&picture));
    assert!((got - want).abs() < TOLERANCE, "{got} for {want}");
    assert_eq!(plain.backbone().runs(), 1);
}

#[test]
fn one_of_a_family_can_be_loaded_alone() {
    let Some(runtime) = runtime() else { return };
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &family());
    let names = ["cls".to_owned(), "softmax".to_owned()];
    let some = load(&runtime, dir.path(), Selection::Named(&names));
    assert_eq!(some.list().count(), 2);
    let (cls, softmax) = (some.get("cls").unwrap(), some.get("softmax").unwrap());
    assert!(cls.same_backbone(softmax));
}

#[test]
fn a_finder_can_not_be_asked_to_score() {
    let Some(runtime) = runtime() else { return };
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[PLAIN]);
    write_finder(&dir.path().join("finder"), PAINTED);
    let registry = load(&runtime, dir.path(), Selection::All);
    assert_eq!(registry.list().count(), 1);
    assert_eq!(registry.finders().count(), 1);
    let error = registry.get("finder").unwrap_err();
    assert_eq!(error.kind(), InferenceErrorKind::UnknownModel);
    assert!(error.to_string().ends_with("there are: plain"), "{error}");
}
