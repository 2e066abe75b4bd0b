//! Children come and go with their uploads, and leave nothing behind.

use std::collections::HashSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jaga::media::{ChildEnd, Decoder, MediaConfig, MediaError};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use super::{config, open, play_with, uniform};
use crate::media_files::{have_ffmpeg, numbered};

fn clip() -> PathBuf {
    numbered(
        "lifecycle",
        "mp4",
        96,
        "30",
        &["-c:v", "libx264", "-pix_fmt", "yuv420p"],
    )
}

fn decoder(warm_children: usize) -> Decoder {
    Decoder::start(&MediaConfig {
        warm_children,
        ..config()
    })
    .unwrap()
}

/// True while the process exists, a zombie included.
fn exists(id: u32) -> bool {
    Path::new(&format!("/proc/{id}")).exists()
}

/// True while the process exists and is no zombie.
fn lives(id: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Waits for something that another thread does soon.
async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn dropping_at_any_point_kills_and_reaps() {
    if !have_ffmpeg() {
        return;
    }
    let decoder = decoder(1);
    for stage in 0..4 {
        let mut media = open(&decoder, &clip()).await.unwrap();
        let id = media.child_id().unwrap();
        assert!(exists(id));
        if stage > 0 {
            media.choose(&uniform(64).into()).await.unwrap();
        }
        if stage > 1 {
            media.next().await.unwrap();
        }
        if stage > 2 {
            // A read that is abandoned in the middle.
            let _pending = tokio::time::timeout(Duration::ZERO, media.next()).await;
        }
        drop(media);
        eventually("the child is gone", || !exists(id)).await;
    }
}

#[tokio::test]
async fn a_child_that_comes_too_late_is_not_forgotten() {
    if !have_ffmpeg() {
        return;
    }
    let decoder = decoder(1);
    let before = decoder.counts();
    let upload = std::fs::File::open(clip()).unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    let mut opening = Box::pin(decoder.open(upload.into(), deadline));
    assert!(futures_util::poll!(&mut opening).is_pending());
    // The next one is started when this one is on its way, and then its caller leaves.
    eventually("a child was handed out", || {
        decoder.counts().started > before.started
    })
    .await;
    drop(opening);
    eventually("it was buried", || {
        decoder.counts().ended(ChildEnd::Abandoned) == 1
    })
    .await;
}

#[tokio::test]
async fn the_end_reaps_as_well() {
    if !have_ffmpeg() {
        return;
    }
    let decoder = decoder(1);
    let mut media = open(&decoder, &clip()).await.unwrap();
    let id = media.child_id().unwrap();
    media.choose(&uniform(2).into()).await.unwrap();
    while media.next().await.unwrap().is_some() {}
    assert_eq!(media.child_id(), None);
    eventually("the child is gone", || !exists(id)).await;
    assert!(
        media.next().await.unwrap().is_none(),
        "the end stays the end"
    );
}

#[tokio::test]
async fn a_deadline_kills() {
    if !have_ffmpeg() {
        return;
    }
    let decoder = decoder(1);
    let file = std::fs::File::open(clip()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut media = decoder.open(file.into(), deadline).await.unwrap();
    let id = media.child_id().unwrap();
    tokio::time::sleep_until(deadline).await;
    let error = media.choose(&uniform(2).into()).await.unwrap_err();
    assert!(matches!(error, MediaError::Deadline), "{error}");
    eventually("the child is gone", || !exists(id)).await;
}

#[tokio::test]
async fn one_child_serves_one_upload() {
    if !have_ffmpeg() {
        return;
    }
    let decoder = decoder(2);
    let mut seen = HashSet::new();
    for _ in 0..5 {
        let media = open(&decoder, &clip()).await.unwrap();
        assert!(seen.insert(media.child_id().unwrap()));
    }
}

#[tokio::test]
async fn uploads_are_decoded_side_by_side_and_the_same_each_time() {
    if !have_ffmpeg() {
        return;
    }
    let decoder = decoder(2);
    let path = clip();
    let jobs = (0..6).map(|_| {
        let (decoder, path) = (decoder.clone(), path.clone());
        tokio::spawn(async move { play_with(&decoder, &path, uniform(16)).await.unwrap() })
    });
    let mut pictures = Vec::new();
    for job in jobs.collect::<Vec<_>>() {
        let frames = job.await.unwrap().frames;
        pictures.push(frames.into_iter().map(|f| f.picture).collect::<Vec<_>>());
    }
    assert!(pictures.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn a_warm_child_that_died_is_replaced() {
    if !have_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("noted");
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/it/decoder/noted-decoder.sh"
    );
    symlink(script, &program).unwrap();
    symlink(
        env!("CARGO_BIN_EXE_jaga-decoder"),
        folder.path().join("noted.real"),
    )
    .unwrap();
    let decoder = Decoder::start(&MediaConfig {
        decoder: Some(program),
        warm_children: 2,
        ..config()
    })
    .unwrap();
    for _ in 0..3 {
        let ids = std::fs::read_to_string(folder.path().join("noted.ids")).unwrap();
        for id in ids.lines() {
            // Dead ones were reaped or wait to be; either way there is nothing left to kill.
            let pid = Pid::from_raw(id.parse().unwrap()).unwrap();
            let _already_dead = kill_process(pid, Signal::KILL);
            eventually("the child is dead", || !lives(id)).await;
        }
        let played = play_with(&decoder, &clip(), uniform(1)).await.unwrap();
        assert_eq!(played.frames.len(), 1);
    }
}

#[tokio::test]
async fn the_last_clone_takes_the_warm_children_along() {
    if !have_ffmpeg() {
        return;
    }
    let decoder = decoder(1);
    let media = open(&decoder, &clip()).await.unwrap();
    let id = media.child_id().unwrap();
    drop(decoder);
    assert!(exists(id), "an upload in work keeps its child");
    let mut media = media;
    media.choose(&uniform(1).into()).await.unwrap();
    assert!(media.next().await.unwrap().is_some());
    drop(media);
    eventually("the child is gone", || !exists(id)).await;
}
