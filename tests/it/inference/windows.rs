//! Windows, element types and inputs without a fixed size: tiny graphs with closed-form answers.

use std::path::Path;

use jaga::domain::frame::Picture;
use jaga::domain::windows::{Step, WindowPlan};
use jaga::inference::bundle::manifest::Layout;
use jaga::inference::bundle::{FinderTask, Sorted};
use jaga::inference::session::{InputSlot, Prepared, Session, SessionConfig};
use jaga::inference::{
    Bundle, InferenceError, InferenceErrorKind, Look, Model, ModelsConfig, Pixels, Provider,
    Runtime, Tensor,
};
use ndarray::ArrayD;

use super::support::{HEAD, Tiny, logit, runtime, scorer, small, write_finder};

/// float32 in the graph, f64 here.
const TOLERANCE: f64 = 1e-5;

const LOGIT: &str = "name = \"logit\"\nkind = \"logit\"";

const WINDOW: &str = "[window]\nframes = 3\nstride = 1\ncount = 2\n";

fn tiny(graph: &'static str, input: &'static str, output: &'static str) -> Tiny {
    Tiny {
        graph,
        input,
        output,
        max_batch: 4,
        more: &[],
    }
}

/// A model that looks at windows of `frames` pictures.
fn window_model(
    runtime: &Runtime,
    graph: &'static str,
    input: &'static str,
    section: &str,
) -> Result<Model, InferenceError> {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("tiny");
    tiny(graph, input, LOGIT).write(&folder, HEAD, |text| {
        format!(
            "{}{section}",
            text.replace("kind = \"frame\"", "kind = \"window\"")
        )
    });
    start(runtime, &folder)
}

fn start(runtime: &Runtime, folder: &Path) -> Result<Model, InferenceError> {
    let bundle = scorer(Bundle::open(folder, Path::new("nowhere"))?);
    let config = ModelsConfig {
        sessions: 1,
        ..ModelsConfig::default()
    };
    Model::start(runtime, &bundle, &config, Provider::Cpu)
}

/// The answer of the graphs of windows: each picture counts as often as its place says, from 1.
fn weighted(pictures: &[&Picture], channels: [usize; 3]) -> f64 {
    let at_time = |(t, picture): (usize, &&Picture)| {
        let mut sum = 0.0;
        for pixel in picture.rgb().chunks_exact(3) {
            for (channel, factor) in channels.iter().zip([1.0, 2.0, 4.0]) {
                sum += f64::from(pixel[*channel]) * factor / 4.0;
            }
        }
        sum * (t + 1) as f64
    };
    pictures.iter().enumerate().map(at_time).sum()
}

fn close(got: f64, want: f64) {
    let error = (got - want).abs() / want.abs().max(1.0);
    assert!(error < TOLERANCE, "{got} for {want}");
}

async fn window_logit(model: &Model, pictures: &[&Picture]) -> f64 {
    let pixels: Vec<Pixels> = pictures.iter().map(|p| model.pixels(p)).collect();
    let pixels: Vec<&Pixels> = pixels.iter().collect();
    logit(model, model.tensor(&pixels).unwrap()).await.unwrap()
}

#[tokio::test]
async fn windows_keep_time_and_channels_apart_in_every_layout() {
    let Some(runtime) = runtime() else { return };
    let (rgb, bgr) = ([0, 1, 2], [2, 1, 0]);
    for (graph, input) in [
        (
            "window_ncthw.onnx",
            "layout = \"NCTHW\"\ndtype = \"float32\"\n",
        ),
        (
            "window_ntchw.onnx",
            "layout = \"NTCHW\"\ndtype = \"float32\"\n",
        ),
        (
            "window_uint8.onnx",
            "layout = \"NTCHW\"\ndtype = \"uint8\"\n",
        ),
    ] {
        let model = window_model(&runtime, graph, input, WINDOW).unwrap();
        let (a, b, c) = (small(1), small(2), small(3));
        let mut seen = Vec::new();
        for order in [[&a, &b, &c], [&c, &b, &a], [&b, &a, &c]] {
            let want = weighted(&order, rgb);
            close(window_logit(&model, &order).await, want);
            seen.push(want);
        }
        assert!((seen[0] - seen[1]).abs() > 1.0 && (seen[0] - seen[2]).abs() > 1.0);
        // The channels count too.
        assert!((weighted(&[&a, &b, &c], rgb) - weighted(&[&a, &b, &c], bgr)).abs() > 1.0);
    }
}

#[tokio::test]
async fn blue_first_windows_are_blue_first() {
    let Some(runtime) = runtime() else { return };
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("tiny");
    let input = "layout = \"NCTHW\"\ndtype = \"float32\"\n";
    tiny("window_ncthw.onnx", input, LOGIT).write(&folder, HEAD, |text| {
        let text = text.replace("kind = \"frame\"", "kind = \"window\"");
        format!("{}{WINDOW}", text.replace("\"RGB\"", "\"BGR\""))
    });
    let model = start(&runtime, &folder).unwrap();
    let (a, b, c) = (small(4), small(5), small(6));
    let got = window_logit(&model, &[&a, &b, &c]).await;
    close(got, weighted(&[&a, &b, &c], [2, 1, 0]));
}

#[test]
fn a_window_takes_exactly_its_pictures() {
    let Some(runtime) = runtime() else { return };
    let input = "layout = \"NTCHW\"\ndtype = \"float32\"\n";
    let model = window_model(&runtime, "window_ntchw.onnx", input, WINDOW).unwrap();
    let wanted = WindowPlan {
        count: 2,
        frames: 3,
        step: Step::Stride(1),
    };
    assert_eq!(
        model.look(),
        &Look::Window {
            window: wanted,
            face: None
        }
    );
    let pixels = model.pixels(&small(1));
    for count in [0, 1, 2, 4] {
        let error = model.tensor(&vec![&pixels; count]).unwrap_err();
        assert!(
            matches!(error, InferenceError::PictureCount { expected: 3, found } if found == count),
            "{error}"
        );
    }
    assert!(model.prepare(&small(1)).is_err());
    assert_eq!(
        model.tensor(&[&pixels; 3]).unwrap().shape(),
        [1, 3, 3, 2, 2]
    );
}

#[test]
fn a_window_that_does_not_fit_the_graph_is_named() {
    let Some(runtime) = runtime() else { return };
    let input = "layout = \"NTCHW\"\ndtype = \"float32\"\n";
    let longer = WINDOW.replace("frames = 3", "frames = 4");
    let error = window_model(&runtime, "window_ntchw.onnx", input, &longer).unwrap_err();
    assert_eq!(error.kind(), InferenceErrorKind::Configuration);
    let text = error.to_string();
    for word in [
        "[-1, 3, 3, 2, 2]",
        "[1, 4, 3, 2, 2]",
        "model.toml",
        "window",
    ] {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
    // A graph for single pictures.
    let error = window_model(&runtime, "logit_nchw.onnx", input, WINDOW).unwrap_err();
    assert!(error.to_string().contains("[-1, 3, 2, 2]"), "{error}");
}

#[tokio::test]
async fn half_precision_in_and_out() {
    let Some(runtime) = runtime() else { return };
    let half = "layout = \"NCHW\"\ndtype = \"float16\"\n";
    // Whole numbers below 64: their means and the sum have at most 11 digits, which halves hold.
    let rgb: Vec<u8> = small(7).rgb().iter().map(|v| v / 4).collect();
    let exact = Picture::new(2, 2, rgb).unwrap();
    for output in ["logit", "rounded"] {
        let output = match output {
            "logit" => LOGIT,
            _ => "name = \"rounded\"\nkind = \"logit\"",
        };
        let model = tiny("half.onnx", half, output).start(&runtime, 1).unwrap();
        let tensor = model.prepare(&exact).unwrap();
        assert!(matches!(tensor, Tensor::Float16(_)));
        let got = logit(&model, tensor).await.unwrap();
        close(got, weighted(&[&exact], [0, 1, 2]));
    }
    // Normalised values are no halves: the graph sees them rounded, to 11 digits.
    let scaled = "layout = \"NCHW\"\ndtype = \"float16\"\nscale = 0.00392156862745098\n\
                  mean = [0.485, 0.456, 0.406]\nstd = [0.229, 0.224, 0.225]\n";
    let model = tiny("half.onnx", scaled, LOGIT).start(&runtime, 1).unwrap();
    let picture = small(8);
    let tensor = model.prepare(&picture).unwrap();
    let Tensor::Float16(array) = &tensor else {
        panic!("{tensor:?}")
    };
    let (mut want, mut unrounded) = (0.0, 0.0);
    for (c, factor) in [1.0, 2.0, 4.0].into_iter().enumerate() {
        for (pixel, place) in picture.rgb().chunks_exact(3).zip(0..) {
            let mean = [0.485, 0.456, 0.406][c];
            let std = [0.229, 0.224, 0.225][c];
            let value = (f64::from(pixel[c]) * 0.003_921_568_627_450_98 - mean) / std;
            let half = array[[0, c, place / 2, place % 2]].to_f64();
            assert!(
                (half - value).abs() <= value.abs() / 2048.0,
                "{half} for {value}"
            );
            want += half * factor / 4.0;
            unrounded += value * factor / 4.0;
        }
    }
    assert!((want - unrounded).abs() > TOLERANCE, "the rounding shows");
    close(logit(&model, tensor).await.unwrap(), want);
}

#[test]
fn the_element_type_must_be_the_graphs() {
    let Some(runtime) = runtime() else { return };
    let plain = "layout = \"NCHW\"\ndtype = \"float32\"\n";
    let error = tiny("half.onnx", plain, LOGIT)
        .start(&runtime, 1)
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("input.dtype") && text.contains("Float16"),
        "{text}"
    );
}

/// A finder around `graph`, whose input has no fixed size.
fn finder(folder: &Path, graph: &'static str) -> Bundle<FinderTask> {
    write_finder(folder, (graph, ["grey", "once", "twice", "minus"]));
    match Bundle::open(folder, Path::new("nowhere")).unwrap().sort() {
        Sorted::Finder(finder) => finder,
        Sorted::Scorer(_) => panic!("a scorer"),
    }
}

fn open_session(runtime: &Runtime, bundle: &Bundle<FinderTask>) -> Result<Session, InferenceError> {
    let input = InputSlot {
        encoding: &bundle.task.encoding,
        shape: &[Some(1), Some(3), None, None],
        max_batch: 1,
    };
    let config = SessionConfig {
        target: &Provider::Cpu.into(),
        intra_threads: 1,
    };
    Session::new(runtime, bundle, input, config, &Prepared::default())
}

#[test]
fn a_session_takes_pictures_of_any_size_where_the_graph_does() {
    let Some(runtime) = runtime() else { return };
    let place = tempfile::tempdir().unwrap();
    let bundle = finder(&place.path().join("tiny"), "open.onnx");
    assert_eq!(bundle.task.encoding.layout, Layout::Nchw);
    let mut session = open_session(&runtime, &bundle).unwrap();
    for name in &bundle.task.finder.outputs {
        let dims = session.output(&bundle, "finder.outputs", name).unwrap();
        assert_eq!(dims.len(), 4);
        assert!(dims[2] < 0 && dims[3] < 0);
    }
    let missing = session.output(&bundle, "finder.outputs", "landmarks");
    let text = missing.unwrap_err().to_string();
    for word in ["finder.outputs", "\"grey\"", "\"landmarks\"", "model.toml"] {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
    for [height, width] in [[4_usize, 8], [12, 4], [1, 1]] {
        let values = (0..3 * height * width).map(|v| v as f32).collect();
        let x = ArrayD::from_shape_vec(vec![1, 3, height, width], values).unwrap();
        let outputs = session
            .run(&Tensor::Float32(x.clone()), &["minus", "grey"])
            .unwrap();
        let [minus, grey] = outputs.as_slice() else {
            panic!("{} outputs", outputs.len())
        };
        assert_eq!(minus, &(-&x));
        assert_eq!(grey.shape(), [1, 1, height, width]);
        let pixels = height * width;
        for (index, value) in grey.iter().enumerate() {
            close(f64::from(*value), (index + pixels) as f64);
        }
    }
    let error = session
        .run(&Tensor::Float32(ArrayD::zeros(vec![1, 3, 2, 2])), &["none"])
        .unwrap_err();
    assert!(matches!(error, InferenceError::Run { .. }), "{error}");
}

#[test]
fn a_finder_on_a_graph_of_fixed_size_is_refused() {
    let Some(runtime) = runtime() else { return };
    let place = tempfile::tempdir().unwrap();
    let bundle = finder(&place.path().join("tiny"), "single.onnx");
    let error = open_session(&runtime, &bundle).err().unwrap().to_string();
    for word in ["input", "[1, 3, 2, 2]", "[1, 3, any, any]", "model.toml"] {
        assert!(error.contains(word), "{word:?} is not in {error}");
    }
}
