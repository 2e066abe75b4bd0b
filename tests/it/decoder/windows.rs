//! Windows of consecutive frames: each picture is the planned one, and is decoded once however
//! many plans want it.

use jaga::domain::plan::FramePlan;
use jaga::domain::windows::{Step, WindowPlan};

use super::encoders::{H264, OPEN_GROUPS, VP9};
use super::{Played, play, uniform};
use crate::media_files::{have_ffmpeg, numbered, read_number};

const FRAMES: u32 = 96;

fn window(count: u32, frames: u32, step: Step) -> WindowPlan {
    WindowPlan {
        count,
        frames,
        step,
    }
}

/// The numbers that the frames of these indices show.
fn numbers(played: &Played, indices: &[u32]) -> Vec<u32> {
    let frame = |index: &u32| {
        let index = usize::try_from(*index).unwrap();
        played.frames.iter().find(|frame| frame.index == index)
    };
    let pictures = indices.iter().map(|index| &frame(index).unwrap().picture);
    pictures
        .map(|picture| read_number(picture.width(), picture.height(), picture.rgb()))
        .collect()
}

#[tokio::test]
async fn windows_show_consecutive_frames() {
    if !have_ffmpeg() {
        return;
    }
    for (name, extension, codec) in [
        ("h264", "mp4", H264),
        ("open", "mkv", OPEN_GROUPS),
        ("vp9", "webm", VP9),
    ] {
        let path = numbered(name, extension, FRAMES, "30", codec);
        let kinds = [
            window(3, 8, Step::Stride(1)),
            window(2, 4, Step::Stride(5)),
            window(2, 4, Step::Rate(10.0)),
        ];
        let plan = FramePlan::new(uniform(4), kinds).unwrap();
        let played = play(&path, plan).await.unwrap();
        assert!(played.missed.is_empty(), "{name}");
        let shown: Vec<Vec<Vec<u32>>> = played
            .chosen
            .windows
            .iter()
            .map(|kind| kind.windows.iter().map(|w| numbers(&played, w)).collect())
            .collect();
        let run = |first: u32, step: u32, count: u32| -> Vec<u32> {
            (0..count).map(|i| first + i * step).collect()
        };
        // Slices of 32 frames have their centres at 16, 48 and 80, of 48 frames at 24 and 72;
        // where a tick is a millisecond, the frame before can be on screen then.
        for (window, first) in shown[0].iter().zip([13, 45, 77]) {
            let starts = [run(first - 1, 1, 8), run(first, 1, 8)];
            assert!(starts.contains(window), "{name}: {window:?}");
        }
        for (window, first) in shown[1].iter().zip([17, 65]) {
            let starts = [run(first - 1, 5, 4), run(first, 5, 4)];
            assert!(starts.contains(window), "{name}: {window:?}");
        }
        assert_eq!(shown[2].len(), 2, "{name}");
        for window in &shown[2] {
            assert!(window.windows(2).all(|w| w[1] - w[0] == 3), "{window:?}");
        }
        assert_eq!(
            numbers(&played, &played.chosen.stills.frames),
            [12, 36, 60, 84]
        );
        assert_eq!(played.frames.len(), played.chosen.times_s.len(), "{name}");
    }
}

#[tokio::test]
async fn what_plans_share_is_decoded_once() {
    if !have_ffmpeg() {
        return;
    }
    let path = numbered("h264", "mp4", FRAMES, "30", H264);
    let kinds = [
        window(1, 16, Step::Stride(1)),
        window(1, 8, Step::Stride(2)),
    ];
    let played = play(&path, FramePlan::new(uniform(96), kinds).unwrap())
        .await
        .unwrap();
    assert_eq!(played.frames.len(), 96);
    // The first packet once more: its picture was at hand since the facts were read.
    assert_eq!(played.packets, 97);
}

#[tokio::test]
async fn a_video_too_short_for_a_window_says_so() {
    if !have_ffmpeg() {
        return;
    }
    let path = numbered("h264", "mp4", FRAMES, "30", H264);
    let kinds = [
        window(2, 64, Step::Stride(2)),
        window(1, 64, Step::Rate(10.0)),
    ];
    let played = play(&path, FramePlan::new(uniform(2), kinds).unwrap())
        .await
        .unwrap();
    for (kind, missing) in played.chosen.windows.iter().zip([2, 1]) {
        assert_eq!((kind.windows.len(), kind.missing), (0, missing));
    }
    assert_eq!(played.frames.len(), 2);
}
