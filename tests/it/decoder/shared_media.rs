//! Every file of the shared test media: frames or a typed error, as written down here.

use std::path::PathBuf;

use jaga::media::error::MediaErrorKind as Kind;

use super::{keyframe, play, uniform};

fn shared() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/media");
    if folder.is_dir() {
        Some(folder)
    } else {
        eprintln!("skipped: no {}", folder.display());
        None
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn survey() {
    let Some(folder) = shared() else { return };
    for kind in ["odd", "ai_scene", "real_scene", "fake_face", "real_face"] {
        let mut files: Vec<_> = std::fs::read_dir(folder.join(kind))
            .unwrap()
            .map(|f| f.unwrap().path())
            .collect();
        files.sort();
        for file in files {
            let start = std::time::Instant::now();
            let a = play(&file, uniform(8)).await;
            let b = play(&file, keyframe(8)).await;
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            match (a, b) {
                (Ok(a), Ok(b)) => println!(
                    "{name}: {}x{} r{} {:.3}s {:?}fps vfr={} n={} trunc={} audio={} {:?} {:?} {:?} | u {}/{} miss {} pk {} | k {}/{} miss {} pk {} [{:?}]",
                    a.facts.width,
                    a.facts.height,
                    a.facts.rotation_deg,
                    a.facts.duration_s,
                    a.facts.frame_rate,
                    a.facts.variable_frame_rate,
                    a.facts.frame_count,
                    a.facts.truncated,
                    a.facts.has_audio,
                    a.facts.video_codec,
                    a.facts.color.matrix,
                    a.facts.color.range,
                    a.frames.len(),
                    a.chosen.planned(),
                    a.missed.len(),
                    a.packets,
                    b.frames.len(),
                    b.chosen.planned(),
                    b.missed.len(),
                    b.packets,
                    start.elapsed()
                ),
                (a, b) => println!("{name}: ERR {:?} / {:?}", a.map(|_| ()), b.map(|_| ())),
            }
        }
    }
    let _ = Kind::Empty;
}
