//! `docs/python.md`: its blocks run as they stand, one after the other.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::cli::Shell;
use crate::inference::support::{python, root, skip};
use crate::media_files::{have_ffmpeg, numbered};
use crate::server::Server;

/// The blocks of Python of the page.
fn blocks() -> Vec<String> {
    let text = fs::read_to_string(root().join("docs/python.md")).unwrap();
    let blocks = text.split("```python\n").skip(1);
    let code = blocks.map(|rest| rest.split("\n```").next().unwrap().to_owned());
    code.collect()
}

/// A Python with the page's two packages.
fn with_packages() -> Option<std::path::PathBuf> {
    let python = python()?;
    let has = Command::new(&python)
        .args(["-c", "import pandas, matplotlib"])
        .output();
    if has.unwrap().status.success() {
        return Some(python);
    }
    skip("JAGA_TEST_PYTHON has no pandas or matplotlib; `./scripts/test` sets them up");
    None
}

/// A clip, what is no clip, and the table of an evaluation.
fn material(folder: &Path) {
    let clip = numbered(
        "python",
        "mp4",
        50,
        "25",
        &["-c:v", "libx264", "-pix_fmt", "yuv420p"],
    );
    fs::copy(clip, folder.join("clip.mp4")).unwrap();
    fs::write(
        folder.join("notes.txt"),
        "these are no moving pictures\n".repeat(9),
    )
    .unwrap();
    let mut table = "path,label\nclip.mp4,real\nnotes.txt,real\n".to_owned();
    for number in 0_u8..40 {
        let name = format!("p-{number}.png");
        // The darker half is real, but for a few.
        let is_fake = (number >= 20) != (number % 7 == 0);
        let picture = image::RgbImage::from_pixel(40, 30, image::Rgb([6 * number; 3]));
        picture.save(folder.join(&name)).unwrap();
        writeln!(table, "{name},{}", if is_fake { "fake" } else { "real" }).unwrap();
    }
    fs::write(folder.join("videos.csv"), table).unwrap();
}

fn ended(command: &mut Command, code: i32) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let told = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(code), "{told}");
    String::from_utf8(stdout).unwrap()
}

#[test]
fn the_walk_through_runs_as_it_stands() {
    let (Some(python), Some(shell)) = (with_packages(), Shell::new().filter(|_| have_ffmpeg()))
    else {
        return;
    };
    let Some(server) = Server::start(|_| {}) else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    material(place.path());
    let models = shell.data().parent().unwrap().join("models");
    let jaga = |arguments: &[&str]| {
        let mut command = shell.command(arguments);
        command
            .current_dir(place.path())
            .env("JAGA_MODELS__DIRS", &models);
        command
    };
    let blocks = blocks();
    let at = |words: &str| {
        blocks
            .iter()
            .position(|block| block.contains(words))
            .unwrap()
    };
    // Between the blocks stand the two commands that they read the files of.
    let batch = at("results.jsonl");
    let manifest = "import json\n".to_owned() + &blocks[at("manifest.jsonl")];
    let run = |code: &str| {
        let mut command = Command::new(&python);
        command.args(["-c", code]).current_dir(place.path());
        // Nothing is kept in the home of whoever runs the test.
        command.env("MPLCONFIGDIR", place.path().join("matplotlib"));
        command.env("JAGA_URL", format!("http://{}", server.address));
        ended(&mut command, 0)
    };
    run(&manifest);
    assert!(batch > at("manifest.jsonl"));
    ended(
        &mut jaga(&["batch", "manifest.jsonl", "--out", "results.jsonl"]),
        3,
    );
    ended(
        &mut jaga(&["eval", "videos.csv", "--model", "tiny", "--out", "results"]),
        3,
    );
    let out = run(&blocks.join("\n\n"));
    for words in [
        "tiny 1 experimental ai_generated",
        "16 of 16 frames",
        "unsupported_media",
        "done clip 0.",
        "video-2",
        "not_found",
        "failed",
    ] {
        assert!(out.contains(words), "{words}: {out}");
    }
    let auc = out
        .lines()
        .find(|line| line.contains("in metrics.json"))
        .unwrap();
    let numbers: Vec<&str> = auc
        .split([' ', ','])
        .filter(|word| word.starts_with("0."))
        .collect();
    assert_eq!(numbers[0], numbers[1], "{auc}");
    for picture in ["over-time.png", "histogram.png", "worst.png"] {
        let picture = image::open(place.path().join(picture)).unwrap().to_rgb8();
        let colours: std::collections::HashSet<_> = picture.pixels().collect();
        assert!(
            picture.width() > 300 && colours.len() > 20,
            "it shows something"
        );
    }
}
