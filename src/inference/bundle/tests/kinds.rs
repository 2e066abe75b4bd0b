//! Bundles that look at faces or at time, and finders.

use crate::domain::quality::Bounds;
use crate::domain::windows::{Step, WindowPlan};
use crate::inference::bundle::manifest::{FaceScore, Filter, FinderDecoder, Layout, Template};

use super::*;

const FACE: &str = "[face]\nfinder = \"centerface\"\nmin_size = 40\nmargin = 0.3\n";
const WINDOW: &str = "[window]\nframes = 16\nstride = 2\ncount = 4\n";
const SCOPE: &str = "[scope]\nmin_brightness = 10.0\nmax_brightness = 240.5\nmin_side = 64\n";

fn face() -> String {
    let text = good().replace("kind = \"frame\"", "kind = \"face\"");
    format!("{text}\n{FACE}{SCOPE}")
}

fn window() -> String {
    let text = good().replace("kind = \"frame\"", "kind = \"window\"");
    format!("{}\n{WINDOW}", text.replace("\"NCHW\"", "\"NTCHW\""))
}

fn finder() -> String {
    let graph = sha256(GRAPH);
    format!(
        r#"
[model]
name = "tiny"
version = "1.0.0"
status = "experimental"
license = "MIT"
card = "CARD.md"

[[file]]
path = "encoder.onnx"
sha256 = "{graph}"

[input]
kind = "finder"
name = "x"
layout = "NCHW"
dtype = "float32"
color = "RGB"
resize = {{ filter = "bilinear" }}
mean = [104.0, 117.0, 123.0]

[finder]
decoder = "centerface"
outputs = ["a", "b", "c", "d"]
threshold = 0.35
nms_iou = 0.3
max_side = 1280
multiple = 32
"#
    )
}

#[test]
fn a_face_bundle_says_what_it_sees() {
    let scorer = scorer(Place::new(&face()).open().unwrap());
    let Look::Face(face) = &scorer.look else {
        panic!("{:?}", scorer.look)
    };
    assert_eq!((face.finder.as_str(), face.min_size), ("centerface", 40));
    assert_eq!((face.align, face.score), (None, FaceScore::MaxTrack));
    assert_eq!(face.min_frames.get(), 3);
    assert_eq!(scorer.look.pictures(), 1);
    let scope = Bounds {
        min_side: Some(64),
        min_brightness: Some(10.0),
        max_brightness: Some(240.5),
        ..Bounds::default()
    };
    assert_eq!(scorer.scope, scope);
    let aligned = self::face().replace("margin = 0.3", "margin = 0.3\nalign = \"ffhq\"");
    let bundle = Place::new(&aligned).open().unwrap();
    let look = super::scorer(bundle).look;
    assert_eq!(look.face().unwrap().align, Some(Template::Ffhq));
}

#[test]
fn a_window_bundle_takes_several_pictures() {
    let place = Place::new(&window());
    let scorer = scorer(place.open().unwrap());
    let wanted = WindowPlan {
        count: 4,
        frames: 16,
        step: Step::Stride(2),
    };
    assert_eq!(
        scorer.look,
        Look::Window {
            window: wanted,
            face: None
        }
    );
    assert_eq!(scorer.look.pictures(), 16);
    assert_eq!(scorer.input.encoding.layout, Layout::Ntchw);
    let rate = format!("{}{FACE}", window().replace("stride = 2", "rate = 12.5"));
    let Look::Window { window, face } = super::scorer(Place::new(&rate).open().unwrap()).look
    else {
        panic!("no window")
    };
    assert_eq!(window.step, Step::Rate(12.5));
    assert_eq!(face.unwrap().min_size, 40);
}

#[test]
fn a_finder_has_no_fixed_size_and_no_score() {
    let bundle = Place::new(&finder()).open().unwrap();
    assert_eq!(bundle.task.kind(), InputKind::Finder);
    let Sorted::Finder(bundle) = bundle.sort() else {
        panic!("a scorer")
    };
    let task = &bundle.task;
    assert_eq!(task.filter, Filter::Bilinear);
    assert_eq!(task.finder.decoder, FinderDecoder::Centerface);
    assert_eq!(task.finder.outputs, ["a", "b", "c", "d"]);
    assert!((task.encoding.mean[1] - 117.0).abs() < 1e-12);
    assert_eq!(bundle.name(), "tiny");
}

#[test]
fn what_is_wrong_with_faces_is_named() {
    all_are_named(
        &face(),
        &[
            (
                "finder = \"centerface\"",
                "finder = \" \"",
                &["face.finder"],
            ),
            (
                "min_size = 40",
                "min_size = 0",
                &["face.min_size", "at least 1"],
            ),
            ("min_size = 40", "", &["min_size"]),
            (
                "margin = 0.3",
                "margin = 2.5",
                &["face.margin", "0..=2", "2.5"],
            ),
            ("margin = 0.3", "margin = -0.1", &["face.margin"]),
            ("margin = 0.3", "margin = nan", &["face.margin", "NaN"]),
            ("margin = 0.3", "align = \"dlib\"", &["dlib", "arcface"]),
            ("margin = 0.3", "min_frames = 0", &["nonzero"]),
            ("margin = 0.3", "size = 1", &["unknown field `size`"]),
            (
                "[scope]",
                "[window]\nframes = 4\ncount = 1\n[scope]",
                &["[window]", "absent", "\"face\""],
            ),
            ("\"NCHW\"", "\"NTCHW\"", &["input.layout", "\"face\""]),
            (
                "min_brightness = 10.0",
                "min_brightness = inf",
                &["scope.min_brightness", "finite"],
            ),
            (
                "min_brightness = 10.0",
                "max_flatness = nan",
                &["scope.max_flatness"],
            ),
            (
                "max_brightness = 240.5",
                "max_brightness = 9.5",
                &["scope.min_brightness", "9.5", "10"],
            ),
            ("min_side = 64", "min_sides = 64", &["min_sides"]),
        ],
    );
}

#[test]
fn what_is_wrong_with_windows_is_named() {
    all_are_named(
        &window(),
        &[
            ("frames = 16", "frames = 1", &["window.frames", "2..=64"]),
            ("frames = 16", "frames = 65", &["window.frames", "65"]),
            ("count = 4", "count = 65", &["window.count", "1..=64"]),
            (
                "stride = 2",
                "stride = 1001",
                &["window.stride", "1..=1000"],
            ),
            (
                "stride = 2",
                "",
                &["window.stride", "window.rate", "absent"],
            ),
            (
                "stride = 2",
                "stride = 2\nrate = 5.0",
                &["window.rate", "stride"],
            ),
            (
                "stride = 2",
                "rate = 0.0",
                &["window.rate", "above 0", "120"],
            ),
            ("stride = 2", "rate = 121.0", &["window.rate", "121"]),
            ("stride = 2", "rate = nan", &["window.rate", "NaN"]),
            ("\"NTCHW\"", "\"NCHW\"", &["input.layout", "NCTHW or NTCHW"]),
            (
                "[window]",
                "[finder]\ndecoder = \"centerface\"\noutputs = []\nthreshold = 0.5\nnms_iou = 0.3\nmax_side = 640\n[window]",
                &["[finder]", "absent"],
            ),
        ],
    );
}

#[test]
fn what_is_wrong_with_finders_is_named() {
    all_are_named(
        &finder(),
        &[
            (
                "license = ",
                "question = \"who\"\nlicense = ",
                &["model.question", "absent"],
            ),
            (
                "[finder]",
                "[output]\nname = \"a\"\nkind = \"logit\"\n[finder]",
                &["[output]", "absent"],
            ),
            (
                "[finder]",
                "[calibration]\nkind = \"none\"\n[finder]",
                &["[calibration]"],
            ),
            (
                "[finder]",
                "[aggregation]\nkind = \"mean\"\n[finder]",
                &["[aggregation]"],
            ),
            ("[finder]", "[verdict]\n[finder]", &["[verdict]"]),
            ("[finder]", "[scope]\n[finder]", &["[scope]"]),
            (
                "[finder]",
                "[window]\nframes = 4\ncount = 1\n[finder]",
                &["[window]"],
            ),
            (
                "[finder]",
                "[runtime]\nmax_batch = 2\n[finder]",
                &["runtime.max_batch"],
            ),
            ("\"NCHW\"", "\"NHWC\"", &["input.layout", "NCHW", "NHWC"]),
            (
                "\"float32\"",
                "\"float16\"",
                &["input.dtype", "float32", "float16"],
            ),
            (
                "filter = ",
                "size = 640, filter = ",
                &["input.resize.size", "no fixed size"],
            ),
            (
                "filter = ",
                "mode = \"stretch\", filter = ",
                &["input.resize.mode"],
            ),
            ("filter = ", "pad = 0, filter = ", &["input.resize.pad"]),
            (
                "mean = ",
                "crop = { mode = \"center\", size = 32 }\nmean = ",
                &["input.crop"],
            ),
            (", \"d\"]", "]", &["finder.outputs", "4", "\"c\""]),
            ("\"d\"]", "\"a\"]", &["finder.outputs", "different"]),
            (
                "threshold = 0.35",
                "threshold = 1.5",
                &["finder.threshold", "0..=1"],
            ),
            ("nms_iou = 0.3", "nms_iou = nan", &["finder.nms_iou"]),
            (
                "max_side = 1280",
                "max_side = 16",
                &["finder.max_side", "32..=4096"],
            ),
            (
                "multiple = 32",
                "multiple = 257",
                &["finder.multiple", "1..=256"],
            ),
            (
                "max_side = 1280\nmultiple = 32",
                "max_side = 40\nmultiple = 64",
                &["finder.multiple", "max_side"],
            ),
            ("\"centerface\"", "\"blaze\"", &["blaze", "centerface"]),
            ("[finder]", "[finders]", &["finders"]),
        ],
    );
}

#[test]
fn a_kind_needs_its_sections() {
    let without = |text: &str, section: &str| {
        let start = text.find(section).unwrap();
        let end = text[start + 1..]
            .find("\n[")
            .map_or(text.len(), |i| start + 1 + i);
        format!("{}{}", &text[..start], &text[end..])
    };
    for (text, section) in [
        (good(), "[output]"),
        (good(), "[calibration]"),
        (good(), "[aggregation]"),
        (face(), "[face]"),
        (window(), "[window]"),
        (finder(), "[finder]"),
    ] {
        let error = Place::new(&without(&text, section)).refusal();
        assert!(
            error.contains(section) && error.contains("absent"),
            "{error}"
        );
    }
    let unasked = good().replace("question = \"ai_generated\"\n", "");
    let error = Place::new(&unasked).refusal();
    assert!(error.contains("model.question"), "{error}");
}

#[test]
fn the_input_can_be_read_without_the_files() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join(MANIFEST);
    fs::write(&file, good()).unwrap();
    let input = task::Input::read(&file).unwrap();
    assert_eq!(input.encoding.name, "pixels");
    fs::write(&file, good().replace("size = 224,", "size = 0,")).unwrap();
    assert!(
        task::Input::read(&file)
            .unwrap_err()
            .to_string()
            .contains("input.resize.size")
    );
}
