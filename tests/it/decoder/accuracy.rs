//! Every sampled frame is the planned one: pictures that show their own number, in the codecs and
//! containers that people upload.

use std::path::Path;

use jaga::domain::sampling::{Choice, ListedFrame, SamplingPlan, choose};

use super::encoders::{AV1, GROUP, H264, HEVC, MPEG2, MPEG4, OPEN_GROUPS, REFRESH, VP8, VP9};
use super::{Played, keyframe, play, uniform};
use crate::media_files::{have_ffmpeg, numbered, read_number, remade};

const FRAMES: u32 = 96;

/// What is known of a clip by its making.
struct Known {
    /// Seconds from the first frame to each frame.
    times_s: Vec<f64>,
    /// The first frame's number.
    first: u32,
    /// A millisecond container rounds times.
    tolerance_s: f64,
}

impl Known {
    fn constant(frames: u32, rate: f64) -> Self {
        Self {
            times_s: (0..frames).map(|i| f64::from(i) / rate).collect(),
            first: 0,
            tolerance_s: 0.0011,
        }
    }
}

/// Each picture shows the number of the frame whose time was planned.
fn check(played: &Played, known: &Known, what: &str) {
    assert_eq!(played.missed, [0; 0], "{what}");
    assert_eq!(played.frames.len(), played.chosen.times_s.len(), "{what}");
    for frame in &played.frames {
        let picture = &frame.picture;
        let shows = read_number(picture.width(), picture.height(), picture.rgb());
        let place = usize::try_from(shows - known.first).unwrap();
        let true_time = known.times_s[place];
        assert!(
            (true_time - frame.time_s).abs() <= known.tolerance_s,
            "{what}: the frame at {} s shows number {shows}, which is at {true_time} s",
            frame.time_s
        );
    }
}

/// The numbers that a plan must give of a clip with equal distances and closed groups.
fn expected(plan: SamplingPlan, frames: u32) -> Vec<u32> {
    let listed: Vec<ListedFrame> = (0..frames)
        .map(|i| ListedFrame {
            tick: i64::from(i) * 100,
            keyframe: i % GROUP == 0,
        })
        .collect();
    let end = i64::from(frames) * 100;
    choose(plan, &listed, end, end)
        .iter()
        .map(|choice| match choice {
            Choice::Frame(index) => u32::try_from(*index).unwrap(),
            Choice::Missing => panic!("nothing is missing"),
        })
        .collect()
}

fn numbers(played: &Played) -> Vec<u32> {
    let pictures = played.frames.iter().map(|frame| &frame.picture);
    pictures
        .map(|picture| read_number(picture.width(), picture.height(), picture.rgb()))
        .collect()
}

async fn every_plan(path: &Path, known: &Known) {
    for frames in [1, 5, 16, 200] {
        for plan in [uniform(frames), keyframe(frames)] {
            let what = format!("{} {plan}", path.display());
            let played = play(path, plan)
                .await
                .unwrap_or_else(|e| panic!("{what}: {e}"));
            check(&played, known, &what);
            let count = u64::try_from(known.times_s.len()).unwrap();
            assert_eq!(played.facts.frame_count, count, "{what}");
            assert!(!played.facts.truncated, "{what}");
        }
    }
}

/// All plans, and the very frames where groups are closed and distances equal.
async fn exact(name: &str, extension: &str, arguments: &[&str]) {
    if !have_ffmpeg() {
        return;
    }
    let path = numbered(name, extension, FRAMES, "30", arguments);
    every_plan(&path, &Known::constant(FRAMES, 30.0)).await;
    for frames in [1, 5, 16, 200] {
        for plan in [uniform(frames), keyframe(frames)] {
            let played = play(&path, plan).await.unwrap();
            assert_eq!(numbers(&played), expected(plan, FRAMES), "{name} {plan}");
        }
    }
}

#[tokio::test]
async fn h264_with_b_frames_in_mp4() {
    exact("h264", "mp4", H264).await;
}

#[tokio::test]
async fn h264_in_fragmented_mp4() {
    let arguments = [H264, &["-movflags", "frag_keyframe+empty_moov"]].concat();
    exact("h264-fragmented", "mp4", &arguments).await;
}

#[tokio::test]
async fn h264_in_matroska() {
    exact("h264", "mkv", H264).await;
}

#[tokio::test]
async fn h264_in_mov() {
    exact("h264", "mov", H264).await;
}

#[tokio::test]
async fn h264_in_a_transport_stream() {
    exact("h264", "ts", H264).await;
}

#[tokio::test]
async fn h264_in_flv() {
    exact("h264", "flv", H264).await;
}

#[tokio::test]
async fn hevc_in_mp4_and_matroska() {
    if !have_ffmpeg() {
        return;
    }
    for extension in ["mp4", "mkv", "ts"] {
        let path = numbered("hevc", extension, FRAMES, "30", HEVC);
        every_plan(&path, &Known::constant(FRAMES, 30.0)).await;
    }
}

#[tokio::test]
async fn vp9_in_webm_and_mp4() {
    exact("vp9", "webm", VP9).await;
    exact("vp9", "mp4", VP9).await;
}

#[tokio::test]
async fn vp8_in_webm() {
    exact("vp8", "webm", VP8).await;
}

#[tokio::test]
async fn av1_in_mp4_and_matroska() {
    if !have_ffmpeg() {
        return;
    }
    for extension in ["mp4", "mkv"] {
        let path = numbered("av1", extension, FRAMES, "30", AV1);
        every_plan(&path, &Known::constant(FRAMES, 30.0)).await;
    }
}

#[tokio::test]
async fn mpeg4_part_2_with_b_frames() {
    if !have_ffmpeg() {
        return;
    }
    // Its last picture is a keyframe outside of the rhythm, so only each frame's number is known.
    let path = numbered("mpeg4", "mp4", FRAMES, "30", MPEG4);
    every_plan(&path, &Known::constant(FRAMES, 30.0)).await;
}

#[tokio::test]
async fn mpeg4_part_2_in_avi_has_no_presentation_times() {
    if !have_ffmpeg() {
        return;
    }
    let path = numbered("mpeg4", "avi", FRAMES, "30", MPEG4);
    every_plan(&path, &Known::constant(FRAMES, 30.0)).await;
}

#[tokio::test]
async fn mpeg2_in_program_and_transport_streams() {
    if !have_ffmpeg() {
        return;
    }
    for extension in ["ts", "mpg"] {
        let path = numbered("mpeg2", extension, FRAMES, "30", MPEG2);
        every_plan(&path, &Known::constant(FRAMES, 30.0)).await;
    }
}

#[tokio::test]
async fn raw_h264_is_timed_by_its_rate() {
    if !have_ffmpeg() {
        return;
    }
    let path = numbered("h264", "h264", FRAMES, "25", H264);
    let mut known = Known::constant(FRAMES, 25.0);
    known.tolerance_s = 0.041;
    every_plan(&path, &known).await;
}

#[tokio::test]
async fn open_groups_of_h264() {
    if !have_ffmpeg() {
        return;
    }
    for extension in ["mp4", "mkv", "ts"] {
        let path = numbered("open-groups", extension, FRAMES, "30", OPEN_GROUPS);
        every_plan(&path, &Known::constant(FRAMES, 30.0)).await;
    }
}

#[tokio::test]
async fn intra_refresh_without_whole_keyframes() {
    if !have_ffmpeg() {
        return;
    }
    let path = numbered("refresh", "mp4", FRAMES, "30", REFRESH);
    every_plan(&path, &Known::constant(FRAMES, 30.0)).await;
}

#[tokio::test]
async fn variable_frame_rate() {
    if !have_ffmpeg() {
        return;
    }
    let timing = [
        "-vf",
        "settb=1/1000,setpts=N*33+mod(N*7\\,13)*2",
        "-fps_mode",
        "passthrough",
        "-enc_time_base",
        "1/1000",
    ];
    let known = Known {
        times_s: (0..FRAMES)
            .map(|n| f64::from(n * 33 + n * 7 % 13 * 2) / 1000.0)
            .collect(),
        first: 0,
        tolerance_s: 0.0011,
    };
    for (codec, extension) in [(H264, "mp4"), (H264, "mkv"), (VP9, "webm"), (HEVC, "mp4")] {
        let arguments = [&timing, codec].concat();
        let path = numbered("variable", extension, FRAMES, "30", &arguments);
        every_plan(&path, &known).await;
        let facts = play(&path, uniform(1)).await.unwrap().facts;
        assert!(facts.variable_frame_rate, "{}", path.display());
    }
}

#[tokio::test]
async fn an_edit_list_that_starts_within_a_group() {
    if !have_ffmpeg() {
        return;
    }
    let whole = numbered("h264", "mp4", FRAMES, "30", H264);
    let cut = remade("edit-list", "mov", &whole, &["-ss", "0.5"], &["-c", "copy"]);
    let mut known = Known::constant(FRAMES - 15, 30.0);
    known.first = 15;
    every_plan(&cut, &known).await;
}

#[tokio::test]
async fn a_start_that_is_not_zero() {
    if !have_ffmpeg() {
        return;
    }
    for extension in ["mkv", "mp4", "ts"] {
        let arguments = [H264, &["-output_ts_offset", "77.7"]].concat();
        let path = numbered("late", extension, FRAMES, "30", &arguments);
        every_plan(&path, &Known::constant(FRAMES, 30.0)).await;
    }
}

#[tokio::test]
async fn audio_beside_and_before_the_video() {
    if !have_ffmpeg() {
        return;
    }
    let whole = numbered("h264", "mp4", FRAMES, "30", H264);
    for extension in ["mp4", "mkv", "ts", "flv"] {
        let sound = ["-f", "lavfi", "-i", "sine=duration=6"];
        let arguments = ["-map", "1:v", "-map", "0:a", "-c:v", "copy", "-c:a", "aac"];
        let path = remade("sound", extension, &whole, &sound, &arguments);
        every_plan(&path, &Known::constant(FRAMES, 30.0)).await;
        let facts = play(&path, uniform(1)).await.unwrap().facts;
        assert!(facts.has_audio);
    }
}

#[tokio::test]
async fn keyframe_sampling_decodes_one_packet_a_keyframe() {
    if !have_ffmpeg() {
        return;
    }
    for (codec, extension) in [(H264, "mp4"), (H264, "mkv"), (VP9, "webm"), (MPEG4, "mp4")] {
        let path = numbered("many-groups", extension, 16 * GROUP, "30", codec);
        let played = play(&path, keyframe(16)).await.unwrap();
        assert_eq!(played.frames.len(), 16, "{}", path.display());
        assert_eq!(played.packets, 16, "{}", path.display());
    }
}

#[tokio::test]
async fn three_hours_are_sampled_in_little_time() {
    if !have_ffmpeg() {
        return;
    }
    let frames = 3 * 3600 / 5;
    let arguments = [H264, &["-preset", "ultrafast"]].concat();
    let path = numbered("hours", "mp4", frames, "1/5", &arguments);
    let played = play(&path, uniform(256)).await.unwrap();
    check(&played, &Known::constant(frames, 0.2), "3 hours");
    assert!((played.facts.duration_s - 10_800.0).abs() < 5.1);
    assert_eq!(played.frames.len(), 256);
}

#[tokio::test]
async fn one_frame_is_a_video() {
    if !have_ffmpeg() {
        return;
    }
    for extension in ["mp4", "mkv", "ts"] {
        let path = numbered("one", extension, 1, "30", H264);
        for plan in [uniform(16), keyframe(16)] {
            let played = play(&path, plan).await.unwrap();
            assert_eq!(numbers(&played), [0], "{}", path.display());
        }
    }
}
