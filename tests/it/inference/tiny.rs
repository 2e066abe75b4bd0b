//! Tiny graphs (`tests/models/make.py`) with answers that can be worked out by hand.

use std::path::Path;

use jaga::domain::frame::Picture;
use jaga::inference::session::{InputSlot, Prepared, Session, SessionConfig};
use jaga::inference::{
    InferenceError, InferenceErrorKind, Model, ModelsConfig, Provider, Runtime, Tensor,
};
use ndarray::{Axis, concatenate};

use super::support::{PLAIN_NCHW, Tiny, logit, runtime, scorer, small};

/// float32 in the graph, f64 here.
const TOLERANCE: f64 = 1e-5;

const PLAIN_NHWC: &str = "layout = \"NHWC\"\ndtype = \"float32\"\n";

fn tiny(graph: &'static str, input: &'static str, output: &'static str) -> Tiny {
    Tiny {
        graph,
        input,
        output,
        max_batch: 4,
        more: &[],
    }
}

fn channel_means(picture: &Picture) -> [f64; 3] {
    let mut means = [0.0; 3];
    for pixel in picture.rgb().chunks_exact(3) {
        for (mean, value) in means.iter_mut().zip(pixel) {
            *mean += f64::from(*value) / 4.0;
        }
    }
    means
}

/// The head of the tiny bundles on `x`.
fn head(x: [f64; 3]) -> f64 {
    let norm = x.iter().map(|v| v * v).sum::<f64>().sqrt();
    (x[0] - 2.0 * x[1] + 3.0 * x[2]) / norm + 0.25
}

async fn score(runtime: &Runtime, tiny: &Tiny, picture: &Picture) -> Result<f64, InferenceError> {
    let model = tiny.start(runtime, 1).unwrap();
    logit(&model, model.prepare(picture).unwrap()).await
}

#[tokio::test]
async fn every_kind_of_output_has_its_closed_form() {
    let Some(runtime) = runtime() else { return };
    let weighted = |[r, g, b]: [f64; 3]| r + 2.0 * g + 4.0 * b;
    let plain_logit = "name = \"logit\"\nkind = \"logit\"";
    let cls = "name = \"tokens\"\nkind = \"embedding\"\npool = \"cls\"\nhead = \"head.json\"";
    let mean = "name = \"tokens\"\nkind = \"embedding\"\npool = \"mean\"\nhead = \"head.json\"";
    let plain = "name = \"scores\"\nkind = \"embedding\"\nhead = \"head.json\"";
    let bytes = "layout = \"NHWC\"\ndtype = \"uint8\"\n";
    let probability = "name = \"probability\"\nkind = \"probability\"";
    // Small values, so that softmax keeps its digits.
    let scaled = "layout = \"NCHW\"\ndtype = \"float32\"\nscale = 0.01\n";
    let softmax = "name = \"scores\"\nkind = \"softmax\"\nclass = 1";
    let one = "name = \"scores\"\nkind = \"logit\"\nclass = 2";
    for seed in 1..5 {
        let picture = small(seed);
        let rgb = channel_means(&picture);
        let [r, g, b] = rgb;
        let p = (r + g + b) / 3.0 / 255.0;
        let rest = ((r * 0.01).exp() + (b * 0.01).exp()).ln();
        let pooled = [f64::midpoint(r, 2.0 * r), g / 2.0, b / 2.0];
        for (tiny, want) in [
            (
                tiny("logit_nchw.onnx", PLAIN_NCHW, plain_logit),
                weighted(rgb),
            ),
            (
                tiny("logit_nhwc.onnx", PLAIN_NHWC, plain_logit),
                weighted(rgb),
            ),
            (
                tiny("probability_uint8.onnx", bytes, probability),
                (p / (1.0 - p)).ln(),
            ),
            (tiny("softmax.onnx", scaled, softmax), g * 0.01 - rest),
            (tiny("softmax.onnx", PLAIN_NCHW, one), b),
            (tiny("softmax.onnx", PLAIN_NCHW, plain), head(rgb)),
            (tiny("tokens.onnx", PLAIN_NCHW, cls), head(rgb)),
            (tiny("tokens.onnx", PLAIN_NCHW, mean), head(pooled)),
        ] {
            let got = score(&runtime, &tiny, &picture).await.unwrap();
            let error = (got - want).abs() / want.abs().max(1.0);
            assert!(
                error < TOLERANCE,
                "{} {}: {got} for {want}",
                tiny.graph,
                tiny.output
            );
        }
    }
}

#[tokio::test]
async fn nan_is_an_error_never_a_number() {
    let Some(runtime) = runtime() else { return };
    let nan = tiny("nan.onnx", PLAIN_NCHW, "name = \"logit\"\nkind = \"logit\"");
    // Warm-up would meet it already; a model that can give no score doesn't start.
    let error = nan.start(&runtime, 1).unwrap_err();
    assert!(matches!(error, InferenceError::NoScore { .. }), "{error}");
    assert_eq!(error.kind(), InferenceErrorKind::Internal);
}

#[test]
fn what_does_not_fit_the_graph_is_named() {
    let Some(runtime) = runtime() else { return };
    let logit = "name = \"logit\"\nkind = \"logit\"";
    let bytes = "layout = \"NCHW\"\ndtype = \"uint8\"\n";
    let cases: &[(Tiny, &[&str])] = &[
        (
            tiny("logit_nchw.onnx", bytes, logit),
            &["input.dtype", "Float32", "Uint8"],
        ),
        (
            tiny("logit_nchw.onnx", PLAIN_NHWC, logit),
            &["input", "[-1, 3, 2, 2]", "[1, 2, 2, 3]"],
        ),
        (
            tiny(
                "logit_nchw.onnx",
                PLAIN_NCHW,
                "name = \"logits\"\nkind = \"logit\"",
            ),
            &["output.name", "\"logit\"", "\"logits\""],
        ),
        (
            tiny(
                "tokens.onnx",
                PLAIN_NCHW,
                "name = \"tokens\"\nkind = \"logit\"",
            ),
            &["output.kind", "[-1, 2, 3]", "logit", "[batch]"],
        ),
        (
            tiny(
                "softmax.onnx",
                PLAIN_NCHW,
                "name = \"scores\"\nkind = \"softmax\"\nclass = 3",
            ),
            &["output.kind", "[-1, 3]", "output.class"],
        ),
        (
            tiny("single.onnx", PLAIN_NCHW, logit),
            &["runtime.max_batch 4", "[1, 3, 2, 2]"],
        ),
    ];
    for (tiny, words) in cases {
        let error = tiny.start(&runtime, 1).unwrap_err();
        assert_eq!(error.kind(), InferenceErrorKind::Configuration);
        let error = error.to_string();
        for word in ["model.toml", tiny.graph].iter().chain(*words) {
            assert!(error.contains(word), "{word:?} is not in {error}");
        }
    }
}

#[test]
fn a_graph_that_is_none_is_a_bundle_fault() {
    let Some(runtime) = runtime() else { return };
    let tiny = tiny("make.py", PLAIN_NCHW, "name = \"logit\"\nkind = \"logit\"");
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("tiny");
    std::fs::create_dir(&folder).unwrap();
    // The same bundle, its graph named as one.
    let error = {
        let text = std::fs::read(super::support::root().join("tests/models/make.py")).unwrap();
        let mut bundle = Tiny {
            graph: "logit_nchw.onnx",
            ..tiny
        }
        .bundle(&folder);
        bundle.graph.path = folder.join("broken.onnx");
        std::fs::write(&bundle.graph.path, text).unwrap();
        let models = ModelsConfig {
            sessions: 1,
            ..ModelsConfig::default()
        };
        Model::start(&runtime, &scorer(bundle), &models, Provider::Cpu).unwrap_err()
    };
    assert_eq!(error.kind(), InferenceErrorKind::Configuration);
    assert!(error.to_string().contains("broken.onnx"), "{error}");
}

#[test]
fn a_library_that_is_none_is_a_configuration_fault() {
    let error = Runtime::load(Path::new("/nowhere/libonnxruntime.so")).unwrap_err();
    assert_eq!(error.kind(), InferenceErrorKind::Configuration);
    assert!(
        error.to_string().contains("/nowhere/libonnxruntime.so"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn load_and_order_do_not_move_a_score() {
    let Some(runtime) = runtime() else { return };
    let slow = tiny(
        "slow.onnx",
        "layout = \"NCHW\"\ndtype = \"float32\"\nscale = 0.004\n",
        "name = \"logit\"\nkind = \"logit\"",
    );
    let model = slow.start(&runtime, 3).unwrap();
    let tensors: Vec<Tensor> = (0..16).map(|s| model.prepare(&small(s)).unwrap()).collect();
    let mut alone = Vec::new();
    for tensor in &tensors {
        alone.push(logit(&model, tensor.clone()).await.unwrap().to_bits());
    }
    let runs = (0..20).flat_map(|_| tensors.iter().rev().map(|t| logit(&model, t.clone())));
    let answers = futures_util::future::join_all(runs).await;
    for (answer, want) in answers
        .into_iter()
        .zip((0..20).flat_map(|_| alone.iter().rev()))
    {
        assert_eq!(answer.unwrap().to_bits(), *want);
    }
}

#[test]
fn a_batch_gives_what_its_pictures_give_alone() {
    let Some(runtime) = runtime() else { return };
    let place = tempfile::tempdir().unwrap();
    let slow = tiny(
        "slow.onnx",
        PLAIN_NCHW,
        "name = \"logit\"\nkind = \"logit\"",
    );
    let bundle = scorer(slow.bundle(&place.path().join("tiny")));
    let config = SessionConfig {
        target: &Provider::Cpu.into(),
        intra_threads: 1,
    };
    let input = InputSlot {
        encoding: &bundle.task.input.encoding,
        shape: &[Some(1), Some(3), Some(2), Some(2)],
        max_batch: 4,
    };
    let prepared = Prepared::default();
    let mut session = Session::new(&runtime, &bundle, input, config, &prepared).unwrap();
    let one = |seed: u16| ndarray::ArrayD::from_elem(vec![1, 3, 2, 2], f32::from(seed) / 9.0);
    let singles = [one(1), one(2), one(3)];
    let mut run = |tensor: Tensor| session.run(&tensor, &["logit"]).unwrap().remove(0);
    let alone = singles
        .clone()
        .map(|x| run(Tensor::Float32(x)).into_iter().next().unwrap());
    let batch = concatenate(Axis(0), &singles.each_ref().map(|x| x.view())).unwrap();
    let together = run(Tensor::Float32(batch));
    assert_eq!(together.shape(), [3]);
    for (a, b) in alone.iter().zip(together) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
}

const SLOW: &str = "name = \"logit\"\nkind = \"logit\"";

#[tokio::test]
async fn sessions_that_share_weights_answer_as_one_that_has_its_own() {
    let Some(runtime) = runtime() else { return };
    let external = Tiny {
        more: &["external.data"],
        ..tiny("external.onnx", PLAIN_NCHW, SLOW)
    };
    let place = tempfile::tempdir().unwrap();
    let bundle = external.bundle(&place.path().join("tiny"));
    let config = SessionConfig {
        target: &Provider::Cpu.into(),
        intra_threads: 1,
    };
    let of = |sessions| Prepared::new(&runtime, &bundle, config, sessions).unwrap();
    assert_eq!([of(1).shared(), of(2).shared()], [0, 2]);
    let own = tiny("slow.onnx", PLAIN_NCHW, SLOW)
        .start(&runtime, 1)
        .unwrap();
    let alone = external.start(&runtime, 1).unwrap();
    let shared = external.start(&runtime, 3).unwrap();
    for seed in 0..20 {
        let tensor = own.prepare(&small(seed)).unwrap();
        let want = logit(&own, tensor.clone()).await.unwrap();
        for model in [&alone, &shared] {
            let got = logit(model, tensor.clone()).await.unwrap();
            assert!((got - want).abs() < 1e-4, "{got} for {want}");
        }
    }
}

#[test]
fn weights_in_a_file_that_is_not_listed_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("tiny");
    let error = tiny("external.onnx", PLAIN_NCHW, SLOW)
        .try_bundle(&folder)
        .unwrap_err();
    assert!(error.to_string().contains("\"external.data\""), "{error}");
}
