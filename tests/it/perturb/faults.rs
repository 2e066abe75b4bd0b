//! Hostile videos, limits and walls.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use jaga::domain::perturbation::Order;
use jaga::media::decoder::examine;
use jaga::media::error::MediaErrorKind;
use jaga::media::limits::{LimitName, MediaLimits};
use jaga::media::sandbox::ChildConfig;
use jaga::media::sandbox::attempts::ATTEMPTS;
use jaga::media::{MediaConfig, MediaError, PerturbConfig, Perturber};
use tokio::time::Instant;

use super::{order, perturb_config, perturb_with, scene, start};
use crate::decoder::{config, soon};
use crate::media_files::have_ffmpeg;

#[test]
fn every_way_out_is_closed_here_too() {
    let perturber = MediaConfig {
        decoder: perturb_config().program,
        ..config()
    };
    for attempt in ATTEMPTS.iter().filter(|attempt| attempt.quick) {
        let seen = examine(&perturber, *attempt).unwrap();
        assert_eq!(seen.outcome, attempt.end.to_string(), "{}", attempt.name);
    }
}

#[test]
fn it_links_no_filters_and_no_devices() {
    let program = perturb_config().program.unwrap();
    let output = std::process::Command::new("ldd")
        .arg(program)
        .output()
        .unwrap();
    let linked = String::from_utf8(output.stdout).unwrap();
    assert!(linked.contains("libavcodec"), "{linked}");
    for library in ["libavfilter", "libavdevice"] {
        assert!(!linked.contains(library), "{library}");
    }
}

/// Process ids of programs of this name that live.
fn living(name: &str) -> usize {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let of_name = processes.filter(|process| {
        let read = |file| fs::read_to_string(process.path().join(file)).unwrap_or_default();
        read("comm").trim_end() == name && !read("stat").contains(") Z ")
    });
    of_name.count()
}

#[tokio::test]
async fn hostile_input_gets_an_error_and_leaves_nothing() {
    if !have_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("jaga-p-hostile");
    symlink(perturb_config().program.unwrap(), &program).unwrap();
    let config = PerturbConfig {
        program: Some(program),
        ..PerturbConfig::default()
    };
    let media = MediaConfig {
        warm_children: 0,
        ..crate::decoder::config()
    };
    let perturber = Perturber::start(&media, &config).unwrap();
    let whole = fs::read(scene(2)).unwrap();
    let movie = whole.windows(4).position(|w| w == b"moov").unwrap();
    let mut scrambled = whole.clone();
    for byte in scrambled.iter_mut().skip(48).step_by(3).take(20_000) {
        *byte = byte.wrapping_mul(31).wrapping_add(7);
    }
    let cases: [(&str, &[u8], MediaErrorKind); 4] = [
        ("empty", b"", MediaErrorKind::Empty),
        (
            "text",
            &b"no video\n".repeat(99),
            MediaErrorKind::Unsupported,
        ),
        (
            "cut",
            &whole[..movie.min(whole.len() / 2)],
            MediaErrorKind::Corrupt,
        ),
        ("png", b"\x89PNG\r\n\x1a\nnonsense", MediaErrorKind::Corrupt),
    ];
    let path = folder.path().join("video");
    for (name, bytes, kind) in cases {
        fs::write(&path, bytes).unwrap();
        let error = perturb_with(&perturber, &path, order("none", 1.0))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{name}: {error}");
    }
    // Damaged inside: an error, or what could be read; never anything else.
    fs::write(&path, &scrambled).unwrap();
    if let Err(error) = perturb_with(&perturber, &path, order("chain=2", 1.0)).await {
        assert_eq!(error.kind(), MediaErrorKind::Corrupt, "{error}");
    }
    // The one that the start greeted stays; all others are gone.
    let until = Instant::now() + Duration::from_secs(10);
    while living("jaga-p-hostile") > 1 {
        assert!(Instant::now() < until, "children are left");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let files = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 2, "the program and the video");
}

async fn refused(media: &MediaConfig, path: &Path, order: Order) -> MediaError {
    perturb_with(&start(media), path, order).await.unwrap_err()
}

#[tokio::test]
async fn each_limit_has_its_code() {
    if !have_ffmpeg() {
        return;
    }
    let little = Order {
        max_output_bytes: 4000,
        ..order("none", 2.0)
    };
    let error = refused(&config(), &scene(2), little).await;
    assert!(
        matches!(error, MediaError::OutputTooLarge { limit: 4000 }),
        "{error}"
    );
    assert_eq!(error.kind(), MediaErrorKind::Limit);
    let narrow = MediaConfig {
        limits: MediaLimits {
            max_side_px: 400,
            ..MediaLimits::default()
        },
        ..config()
    };
    // The source fits, what is made of it doesn't.
    let error = refused(&narrow, &scene(2), order("letterbox=9:16", 1.0)).await;
    let MediaError::Limit(passed) = error else {
        panic!("{error}")
    };
    assert_eq!((passed.limit, passed.actual), (LimitName::MaxSidePx, 569.0));
    let child = |child| MediaConfig { child, ..config() };
    let hasty = child(ChildConfig {
        cpu_seconds: 1,
        ..ChildConfig::default()
    });
    let error = refused(&hasty, &scene(40), order("chain=3", 40.0)).await;
    let MediaError::Limit(passed) = error else {
        panic!("{error}")
    };
    assert_eq!(passed.limit, LimitName::CpuSeconds);
    let small = child(ChildConfig {
        memory_bytes: 256 << 20,
        ..ChildConfig::default()
    });
    let wide = super::drawn("wide", "testsrc2=size=3840x2160:rate=25:duration=1");
    let error = refused(&small, &wide, order("chain=3", 1.0)).await;
    let MediaError::Limit(passed) = error else {
        panic!("{error}")
    };
    assert_eq!(passed.limit, LimitName::Memory);
}

#[tokio::test]
async fn the_time_is_limited() {
    if !have_ffmpeg() {
        return;
    }
    let perturber = start(&config());
    let video = fs::File::open(scene(40)).unwrap().into();
    let at_once = Instant::now() + Duration::from_millis(1);
    let mut drop_it = |_: &[u8]| Ok(());
    let asked = perturber.perturb(video, order("none", 40.0), at_once, &mut drop_it);
    assert!(matches!(asked.await, Err(MediaError::Deadline)));
}

#[tokio::test]
async fn a_child_that_sends_something_else_is_not_believed() {
    if !have_ffmpeg() {
        return;
    }
    // The decoder speaks the same protocol and has other work.
    let config = PerturbConfig {
        program: crate::decoder::config().decoder,
        ..PerturbConfig::default()
    };
    let decoder = Perturber::start(&crate::decoder::config(), &config).unwrap();
    let error = perturb_with(&decoder, &scene(2), order("none", 1.0))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), MediaErrorKind::Internal, "{error}");
    // A disk that is full ends it.
    let video = fs::File::open(scene(2)).unwrap().into();
    let perturber = start(&crate::decoder::config());
    let full = &mut |_: &[u8]| Err(std::io::ErrorKind::StorageFull.into());
    let asked = perturber
        .perturb(video, order("none", 0.2), soon(), full)
        .await;
    assert!(matches!(asked, Err(MediaError::Io(_))));
}
