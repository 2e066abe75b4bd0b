//! What can't be decoded, or not whole, says so by its own error.

use std::path::{Path, PathBuf};

use jaga::media::error::MediaErrorKind;
use jaga::media::limits::LimitName;
use jaga::media::{Decoder, MediaConfig, MediaError, MediaLimits};

use super::encoders::H264;
use super::{Played, config, keyframe, play, play_with, uniform};
use crate::media_files::{have_ffmpeg, made, numbered, remade};

fn file(name: &str, extension: &str, bytes: &[u8]) -> PathBuf {
    made(name, extension, &bytes, |path| {
        std::fs::write(path, bytes).unwrap();
    })
}

async fn kind(path: &Path) -> MediaErrorKind {
    let error = play(path, uniform(8)).await.unwrap_err();
    error.kind()
}

fn clip() -> PathBuf {
    numbered(
        "whole",
        "mp4",
        96,
        "30",
        &[H264, &["-movflags", "+faststart"]].concat(),
    )
}

/// The first `share` of a file.
fn cut(path: &Path, share: f64) -> PathBuf {
    let bytes = std::fs::read(path).unwrap();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a length is a length"
    )]
    let length = (bytes.len() as f64 * share) as usize;
    let extension = path.extension().unwrap().to_str().unwrap();
    file("cut", extension, &bytes[..length])
}

#[tokio::test]
async fn an_empty_file_is_empty() {
    for extension in ["mp4", "png", "bin"] {
        let path = file("empty", extension, b"");
        assert_eq!(kind(&path).await, MediaErrorKind::Empty);
    }
}

#[tokio::test]
async fn what_is_no_media_is_unsupported() {
    let cases: [(&str, &[u8]); 8] = [
        ("text", b"This is a text about nothing much, and no video at all.\n"),
        ("pdf", b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n"),
        ("zip", b"PK\x03\x04\x14\0\0\0\x08\0not really a zip"),
        ("svg", b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"),
        ("hls", b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"),
        ("concat", b"ffconcat version 1.0\nfile /etc/passwd\n"),
        ("sdp", b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5 RTP/AVP 96\n"),
        ("byte", b"x"),
    ];
    for (name, bytes) in cases {
        for extension in ["mp4", "m3u8"] {
            let path = file(name, extension, bytes);
            assert_eq!(kind(&path).await, MediaErrorKind::Unsupported, "{name}");
        }
    }
}

#[tokio::test]
async fn sound_alone_has_no_video_stream() {
    if !have_ffmpeg() {
        return;
    }
    for extension in ["mp3", "wav", "flac", "m4a", "ogg", "mka", "aac", "ac3"] {
        let path = made("sound", extension, &extension, |path| {
            crate::media_files::ffmpeg(&["-f", "lavfi", "-i", "sine=duration=1"], &[], path);
        });
        let got = kind(&path).await;
        assert_eq!(got, MediaErrorKind::NoVideoStream, "{extension}");
    }
}

#[tokio::test]
async fn cover_art_is_no_video() {
    if !have_ffmpeg() {
        return;
    }
    for extension in ["mp3", "m4a", "flac"] {
        let path = made("cover", extension, &extension, |path| {
            let arguments = [
                "-f",
                "lavfi",
                "-i",
                "sine=duration=1",
                "-f",
                "lavfi",
                "-i",
                "color=red:size=64x64:duration=0.04",
                "-map",
                "0",
                "-map",
                "1",
                "-c:v",
                "mjpeg",
                "-pix_fmt",
                "yuvj420p",
                "-frames:v",
                "1",
                "-disposition:v",
                "attached_pic",
            ];
            crate::media_files::ffmpeg(&arguments, &[], path);
        });
        let got = kind(&path).await;
        assert_eq!(got, MediaErrorKind::NoVideoStream, "{extension}");
    }
}

fn assert_cut(played: &Played, what: &str) {
    let facts = &played.facts;
    assert!(facts.truncated, "{what}");
    assert!(
        (facts.duration_s - 3.2).abs() < 0.1,
        "{what}: {}",
        facts.duration_s
    );
    assert!(facts.frame_count < 90 && facts.frame_count > 20, "{what}");
    assert!(
        played.chosen.stills.missing >= 3,
        "{what}: {:?}",
        played.chosen
    );
    assert_eq!(played.chosen.stills.planned(), 16, "{what}");
    assert!(!played.frames.is_empty(), "{what}");
}

#[tokio::test]
async fn a_file_cut_behind_its_index_shows_what_is_missing() {
    if !have_ffmpeg() {
        return;
    }
    let mp4 = clip();
    let mkv = remade("whole", "mkv", &mp4, &[], &["-c", "copy"]);
    let flv = remade("whole", "flv", &mp4, &[], &["-c", "copy"]);
    let avi = numbered("whole", "avi", 96, "30", &["-c:v", "mpeg4", "-g", "24"]);
    for whole in [mp4, mkv, flv, avi] {
        let played = play(&cut(&whole, 0.6), uniform(16)).await.unwrap();
        assert_cut(&played, whole.to_str().unwrap());
        let played = play(&whole, uniform(16)).await.unwrap();
        assert!(!played.facts.truncated && played.chosen.stills.missing == 0);
    }
}

#[tokio::test]
async fn audio_that_outlasts_the_video_is_no_cut() {
    if !have_ffmpeg() {
        return;
    }
    for extension in ["mkv", "mp4", "flv"] {
        let sound = ["-f", "lavfi", "-i", "sine=duration=9"];
        let map = ["-map", "1:v", "-map", "0:a", "-c:v", "copy", "-c:a", "aac"];
        let path = remade("long-sound", extension, &clip(), &sound, &map);
        let facts = play(&path, uniform(4)).await.unwrap().facts;
        assert!(!facts.truncated, "{extension}");
        assert!((facts.duration_s - 3.2).abs() < 0.05, "{extension}");
    }
}

#[tokio::test]
async fn a_file_cut_before_its_index_is_corrupt() {
    if !have_ffmpeg() {
        return;
    }
    let index_last = numbered("whole", "mp4", 96, "30", H264);
    for share in [0.2, 0.5, 0.8] {
        assert_eq!(
            kind(&cut(&index_last, share)).await,
            MediaErrorKind::Corrupt
        );
    }
}

#[tokio::test]
async fn an_init_segment_has_no_frames() {
    if !have_ffmpeg() {
        return;
    }
    let arguments = [H264, &["-movflags", "frag_keyframe+empty_moov"]].concat();
    let whole = std::fs::read(numbered("fragments", "mp4", 48, "30", &arguments)).unwrap();
    let fragment = whole.windows(4).position(|w| w == b"moof").unwrap() - 4;
    let path = file("init", "mp4", &whole[..fragment]);
    let error = play(&path, uniform(8)).await.unwrap_err();
    assert!(matches!(error, MediaError::NoFrames(_)), "{error}");
}

#[tokio::test]
async fn an_encrypted_video_says_so() {
    if !have_ffmpeg() {
        return;
    }
    let key = "00112233445566778899aabbccddeeff";
    let encrypt = [
        "-c",
        "copy",
        "-encryption_scheme",
        "cenc-aes-ctr",
        "-encryption_key",
        key,
        "-encryption_kid",
        key,
    ];
    let path = remade("encrypted", "mp4", &clip(), &[], &encrypt);
    let error = play(&path, uniform(8)).await.unwrap_err();
    assert!(matches!(error, MediaError::Encrypted), "{error}");
}

#[tokio::test]
async fn a_codec_that_is_not_allowed_is_named() {
    if !have_ffmpeg() {
        return;
    }
    let path = numbered("huffyuv", "avi", 8, "30", &["-c:v", "huffyuv"]);
    match play(&path, uniform(8)).await.unwrap_err() {
        MediaError::UnsupportedCodec(name) => assert_eq!(name, "huffyuv"),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn damage_in_the_middle_costs_frames_not_the_video() {
    if !have_ffmpeg() {
        return;
    }
    let whole = clip();
    let mut bytes = std::fs::read(&whole).unwrap();
    let data = bytes.windows(4).position(|w| w == b"mdat").unwrap();
    let (from, to) = (
        data + (bytes.len() - data) / 3,
        data + (bytes.len() - data) / 2,
    );
    for (place, byte) in bytes[from..to].iter_mut().enumerate() {
        *byte ^= u8::try_from(place % 251).unwrap();
    }
    let played = play(&file("damaged", "mp4", &bytes), uniform(16))
        .await
        .unwrap();
    assert!(!played.missed.is_empty() && !played.frames.is_empty());
    assert_eq!(played.missed.len() + played.frames.len(), 16);
}

#[tokio::test]
async fn random_bytes_behind_any_signature_end_in_a_typed_error() {
    let signatures: [&[u8]; 8] = [
        b"\0\0\0\x18ftypisom\0\0\0\0",
        b"\x1a\x45\xdf\xa3",
        b"RIFF\xff\xff\xff\xffAVI LIST",
        b"FLV\x01\x05\0\0\0\x09",
        b"GIF89a",
        b"OggS\0",
        b"\xff\xd8\xff\xe0",
        b"\x89PNG\r\n\x1a\n",
    ];
    for signature in signatures {
        let noise = (0..40_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8);
        let bytes: Vec<u8> = signature.iter().copied().chain(noise).collect();
        let kind = kind(&file("noise", "mp4", &bytes)).await;
        let typed = [
            MediaErrorKind::Corrupt,
            MediaErrorKind::Unsupported,
            MediaErrorKind::NoVideoStream,
            MediaErrorKind::Limit,
        ];
        assert!(typed.contains(&kind), "{signature:?}: {kind:?}");
    }
}

#[tokio::test]
async fn each_limit_names_itself() {
    if !have_ffmpeg() {
        return;
    }
    let limits = MediaLimits::default();
    let cases = [
        (
            MediaLimits {
                max_duration_s: 3.0,
                ..limits
            },
            LimitName::MaxDurationS,
        ),
        (
            MediaLimits {
                max_side_px: 200,
                ..limits
            },
            LimitName::MaxSidePx,
        ),
        (
            MediaLimits {
                max_pixels: 30_000,
                ..limits
            },
            LimitName::MaxPixels,
        ),
        (
            MediaLimits {
                max_packets: 95,
                ..limits
            },
            LimitName::MaxPackets,
        ),
        (
            MediaLimits {
                max_streams: 0,
                ..limits
            },
            LimitName::MaxStreams,
        ),
    ];
    for (limits, name) in cases {
        let decoder = Decoder::start(&MediaConfig { limits, ..config() }).unwrap();
        match play_with(&decoder, &clip(), keyframe(4)).await.unwrap_err() {
            MediaError::Limit(exceeded) => assert_eq!(exceeded.limit, name),
            other => panic!("{name}: {other}"),
        }
    }
}
