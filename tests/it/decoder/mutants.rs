//! Files with flipped bytes: frames or a typed error, and a child that lives to say so.

use std::path::PathBuf;

use jaga::media::MediaError;

use super::{keyframe, play, uniform};
use crate::media_files::{folder, have_ffmpeg, numbered};

/// Mutants of each seed file; `JAGA_MUTANTS` asks for more.
const MUTANTS: u64 = 12;

/// A small generator with a fixed seed (Steele, Lea, Flood 2014: `SplitMix64`).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }
}

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

fn seeds() -> Vec<PathBuf> {
    let h264 = ["-c:v", "libx264", "-g", "12", "-pix_fmt", "yuv420p"];
    let fragments = [&h264, ["-movflags", "frag_keyframe+empty_moov"].as_slice()].concat();
    let vp9 = ["-c:v", "libvpx-vp9", "-cpu-used", "8", "-g", "12"];
    vec![
        numbered("seed", "mp4", 36, "30", &h264),
        numbered("seed-fragments", "mp4", 36, "30", &fragments),
        numbered("seed", "mkv", 36, "30", &h264),
        numbered("seed", "webm", 36, "30", &vp9),
        numbered("seed", "ts", 36, "30", &h264),
        numbered("seed", "avi", 36, "30", &["-c:v", "mpeg4"]),
        numbered("seed", "flv", 36, "30", &h264),
        numbered("seed", "gif", 36, "30", &[]),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flipped_bytes_never_kill_the_child() {
    if !have_ffmpeg() {
        return;
    }
    let asked = std::env::var("JAGA_MUTANTS")
        .ok()
        .and_then(|n| n.parse().ok());
    let mutants: u64 = asked.unwrap_or(MUTANTS);
    for seed in seeds() {
        let whole = std::fs::read(&seed).unwrap();
        for number in 0..mutants {
            let bytes = mutate(&whole, &mut Random(number));
            let path = folder().join(format!("mutant-{}", std::process::id()));
            std::fs::write(&path, &bytes).unwrap();
            let plan = if number % 2 == 0 {
                uniform(5)
            } else {
                keyframe(5)
            };
            let result = play(&path, plan).await;
            let broken = matches!(
                result,
                Err(MediaError::ChildDied { .. }
                    | MediaError::Protocol(_)
                    | MediaError::ChildInternal(_)
                    | MediaError::Io(_)
                    | MediaError::Deadline)
            );
            let error = result.err();
            assert!(!broken, "{} mutant {number}: {error:?}", seed.display());
            std::fs::remove_file(&path).unwrap();
        }
    }
}
