//! Files with flipped bytes: frames or a typed error, and a child that lives to say so.

use std::collections::BTreeMap;
use std::path::Path;

use jaga::domain::sampling::SamplingPlan;
use jaga::media::MediaError;
use jaga::media::sandbox::ChildConfig;

use super::corpus::{on_two_threads, seeds};
use super::witness::{Seen, witness};
use crate::decoder::{keyframe, play, uniform};
use crate::media_files::have_ffmpeg;
use crate::random::Random;

/// Mutants of each seed file; `JAGA_TEST_MUTANTS` asks for more.
const MUTANTS: u64 = 6;

/// Flips some bytes, half of them in the first 2 KB, where headers are; sometimes cuts the end.
fn mutate(whole: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for round in 0..=random.below(24) {
        let reach = if round % 2 == 0 {
            bytes.len().min(2048)
        } else {
            bytes.len()
        };
        let at = random.below(reach);
        bytes[at] = match random.below(3) {
            0 => 0xff,
            1 => 0,
            _ => random.next().to_le_bytes()[0],
        };
    }
    if random.below(4) == 0 {
        bytes.truncate(random.below(bytes.len()).max(1));
    }
    bytes
}

/// The code of a fault that a file may have; panics on others.
fn code(what: &str, error: &MediaError) -> &'static str {
    match error {
        MediaError::Empty => "empty_media",
        MediaError::UnsupportedFormat(_)
        | MediaError::UnsupportedCodec(_)
        | MediaError::Encrypted => "unsupported_media",
        MediaError::NoVideoStream => "no_video_stream",
        MediaError::NoFrames(_) | MediaError::Corrupt(_) => "corrupt_media",
        MediaError::Limit(_) => "limit_exceeded",
        other => panic!("{what}: {other}"),
    }
}

/// The server's side of a mutant, and the kernel's.
fn look(what: &str, path: &Path, plan: SamplingPlan) -> (&'static str, Seen) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let played = runtime.block_on(play(path, plan));
    let code = played.map_or_else(|error| code(what, &error), |_| "scored");
    let seen = witness(path, &plan.into(), &ChildConfig::default());
    assert!(seen.ended_in_order(), "{what}: {}", seen.words);
    (code, seen)
}

#[test]
fn flipped_bytes_never_kill_the_child() {
    if !have_ffmpeg() {
        return;
    }
    let asked = std::env::var("JAGA_TEST_MUTANTS").ok();
    let mutants: u64 = asked.map_or(MUTANTS, |number| number.parse().unwrap());
    let mutants: Vec<_> = seeds()
        .into_iter()
        .flat_map(|seed| (0..mutants).map(move |number| (seed.clone(), number)))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let looked = on_two_threads(&mutants, |((name, seed), number)| {
        let what = format!("{name} mutant {number}");
        let bytes = mutate(&std::fs::read(seed).unwrap(), &mut Random(*number));
        let path = folder.path().join(&what);
        std::fs::write(&path, bytes).unwrap();
        let plan = if number % 2 == 0 {
            uniform(5)
        } else {
            keyframe(5)
        };
        let (code, seen) = look(&what, &path, plan);
        std::fs::remove_file(path).unwrap();
        (what, code, seen)
    });
    let mut codes = BTreeMap::new();
    for (_, code, _) in &looked {
        *codes.entry(*code).or_insert(0) += 1;
    }
    let slowest = looked.iter().max_by(|a, b| a.2.cpu_s.total_cmp(&b.2.cpu_s));
    let largest = looked.iter().max_by_key(|(_, _, seen)| seen.peak_bytes);
    eprintln!(
        "{} mutants: {codes:?}\n{slowest:?}\n{largest:?}",
        looked.len()
    );
}
