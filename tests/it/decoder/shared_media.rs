//! Every file of the shared test media: frames or a typed error, as written down here.

use std::path::{Path, PathBuf};

use jaga::media::MediaError;

use super::{Played, keyframe, play, uniform};

/// What must come of a file.
#[derive(Debug, Clone, Copy)]
enum Expected {
    /// Codec, sides as shown, clockwise turn, frames in the container.
    Shown(&'static str, (u32, u32), u32, u64),
    /// The error's variant.
    Fails(&'static str),
}

use Expected::{Fails, Shown};

/// Frame counts agree with a full decode by another program (where that got to the end); sides
/// are those of the display, so with square pixels and upright. `annex-b` is the first 100 KB of
/// a file whose index promises 35 seconds: none of 8 slices' centres is there.
#[rustfmt::skip]
const ODD: &[(&str, Expected)] = &[
    ("decord__corrupted.mp4", Shown("h264", (1280, 720), 0, 50)),
    ("decord__unordered.mov", Shown("h264", (50, 50), 0, 4)),
    ("decord__video_0.mov", Shown("h264", (568, 320), 0, 3)),
    ("decord__video_180.mov", Shown("h264", (568, 320), 180, 3)),
    ("decord__video_270.mov", Shown("h264", (320, 568), 270, 3)),
    ("decord__video_90.mov", Shown("h264", (320, 568), 90, 3)),
    ("go-mp4__sample.mp4", Shown("h264", (320, 180), 0, 10)),
    ("go-mp4__sample_fragmented.mp4", Shown("h264", (1280, 720), 0, 10)),
    ("go-mp4__sample_init.enca.mp4", Fails("NoFrames")),
    ("go-mp4__sample_init.encv.mp4", Fails("Encrypted")),
    ("go-mp4__sample_qt.mp4", Fails("NoFrames")),
    ("media__bbb_176x144_128kbps_15fps_h263.3gp", Shown("h263", (176, 144), 0, 15)),
    ("media__bbb_800x640_768kbps_30fps_vp9.mp4", Shown("vp9", (1138, 640), 0, 120)),
    ("media__bbb_mono_8kHz_12.2kbps_amrnb.3gp", Fails("NoVideoStream")),
    ("media__edit_list_positive_shift.mp4", Shown("h264", (1920, 1080), 0, 270)),
    ("media__sample-with-large-length.avi", Shown("h264", (256, 144), 0, 58)),
    ("media__sample_ac4_fragmented.mp4", Fails("NoVideoStream")),
    ("media__sample_android_slow_motion.mp4", Shown("h264", (1280, 720), 0, 7)),
    ("media__sample_eac3joc_fragmented.mp4", Fails("NoVideoStream")),
    ("media__sample_fragmented_clearkey.mp4", Fails("Encrypted")),
    ("media__sample_fragmented_seekable_multiple_sidx.mp4", Shown("h264", (1920, 1080), 0, 600)),
    ("media__sample_fragmented_sideloaded_track.mp4", Fails("Corrupt")),
    ("media__sample_mhm1_bl_configchange_fragmented.mp4", Fails("NoVideoStream")),
    ("media__sample_mhm1_lcbl_configchange_fragmented.mp4", Fails("NoVideoStream")),
    ("media__sample_rotate_and_reflect.mp4", Shown("h264", (720, 1080), 90, 30)),
    ("media__sample_sef_super_slow_motion.mp4", Shown("h264", (160, 120), 0, 435)),
    ("media__sample_with_color_info.mp4", Shown("hevc", (1080, 1920), 90, 9)),
    ("media__sample_with_dts_hd_ma.mkv", Fails("NoVideoStream")),
    ("media__sample_with_pgs_subtitles.mkv", Shown("h264", (1080, 720), 0, 30)),
    ("media__sample_with_vorbis_audio.mkv", Shown("h264", (1080, 720), 0, 30)),
    ("mediabunny__ac3.mkv", Fails("NoVideoStream")),
    ("mediabunny__annex-b.mp4", Fails("Corrupt")),
    ("mediabunny__frames.webm", Shown("vp9", (1080, 1080), 0, 100)),
    ("mediabunny__malformed-join.mp3", Fails("NoVideoStream")),
    ("mediabunny__no-initial-keyframe.ts", Shown("h264", (640, 360), 0, 15)),
    ("moviepy__pigs_in_a_polka.gif", Shown("gif", (314, 273), 0, 30)),
    ("moviepy__result.webm", Fails("Empty")),
    ("moviepy__smpte-2997.mp4", Shown("h264", (1920, 1080), 0, 251)),
    ("mp4ff__audio.mp4", Fails("NoVideoStream")),
    ("mp4ff__cbcs.mp4", Fails("Encrypted")),
    ("mp4ff__hevc.mp4", Shown("hevc", (1920, 1080), 0, 50)),
    ("mp4ff__iamf.mp4", Fails("NoVideoStream")),
    ("mp4ff__prog_8s_enc_dashinit.mp4", Fails("Encrypted")),
    ("mp4ff__stpp_prog.mp4", Fails("NoVideoStream")),
    ("mp4parse-rust__amr_nb_1f.3gp", Fails("NoVideoStream")),
    ("mp4parse-rust__bbb_sunflower_QCIF_30fps_h263_noaudio_1f.3gp", Shown("h263", (216, 144), 0, 1)),
    ("mp4parse-rust__chunk_out_of_range.mp4", Fails("Corrupt")),
    ("mp4parse-rust__invalid_userdata.mp4", Fails("NoFrames")),
    ("mp4parse-rust__opus_audioinit.mp4", Fails("NoVideoStream")),
    ("mp4parse-rust__video_colr_nclx_hdr10.mp4", Shown("h264", (2, 2), 0, 3)),
    ("mp4parse-rust__video_colr_nclx_two_colr.mp4", Shown("h264", (2, 2), 0, 3)),
    ("mp4parser__BBB_fixedres_B_180x320_200.mp4", Shown("h264", (180, 102), 0, 242)),
    ("mp4parser__count-deutsch-audio.mp4", Fails("NoVideoStream")),
    ("mp4parser__count.h264", Shown("h264", (640, 480), 0, 245)),
    ("mp4parser__multiTrack.3gp", Shown("mpeg4", (176, 144), 0, 1050)),
    ("mp4parser__v2.mp4", Shown("h264", (480, 272), 0, 178)),
    ("mp4san__ffmpeg-smptebars-30f.mp4", Shown("h264", (320, 240), 0, 30)),
    ("torchcodec__av1_video.mkv", Shown("av1", (640, 360), 0, 125)),
    ("torchcodec__h264_10bits.mp4", Shown("h264", (200, 200), 0, 30)),
    ("torchcodec__h265_10bits.mp4", Shown("hevc", (200, 200), 0, 30)),
    ("torchcodec__h265_video.mp4", Shown("hevc", (128, 128), 0, 10)),
];

fn shared(kind: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/media")
        .join(kind);
    if folder.is_dir() {
        Some(folder)
    } else {
        eprintln!("skipped: there is no {}", folder.display());
        None
    }
}

fn variant(error: &MediaError) -> String {
    let debug = format!("{error:?}");
    debug.split(['(', ' ']).next().unwrap_or("").to_owned()
}

fn assert_whole(played: &Played, what: &str) {
    assert!(!played.frames.is_empty(), "{what}");
    assert_eq!(played.missed, [0; 0], "{what}");
    assert_eq!(played.frames.len(), played.chosen.times_s.len(), "{what}");
}

#[tokio::test]
async fn odd_files_come_to_what_is_written_down() {
    let Some(folder) = shared("odd") else { return };
    for (name, expected) in ODD {
        let played = play(&folder.join(name), uniform(8)).await;
        match (played, expected) {
            (Ok(played), Shown(codec, sides, turn, frames)) => {
                let facts = &played.facts;
                assert_eq!(facts.video_codec, *codec, "{name}");
                assert_eq!((facts.width, facts.height), *sides, "{name}");
                assert_eq!(facts.rotation_deg, *turn, "{name}");
                assert_eq!(facts.frame_count, *frames, "{name}");
                assert_whole(&played, name);
            }
            (Err(error), Fails(expected)) => assert_eq!(variant(&error), *expected, "{name}"),
            (got, _) => panic!("{name}: {:?}, not {expected:?}", got.map(|p| p.facts)),
        }
    }
}

#[tokio::test]
async fn no_odd_file_is_left_out() {
    let Some(folder) = shared("odd") else { return };
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known = ODD.iter().any(|(known, _)| *known == name);
        assert!(known || name == "probe.tsv", "{name} has no expectation");
    }
}

#[tokio::test]
async fn ordinary_clips_decode_whole() {
    for kind in ["ai_scene", "real_scene", "fake_face", "real_face"] {
        let Some(folder) = shared(kind) else { return };
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            for plan in [uniform(4), keyframe(4)] {
                let played = play(&path, plan).await;
                let played = played.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                assert_whole(&played, &path.display().to_string());
                assert!(!played.facts.truncated, "{}", path.display());
            }
        }
    }
}
