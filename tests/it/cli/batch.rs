//! `jaga batch`: files and URLs in, lines of JSON out, across a kill.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use super::Shell;
use crate::http::batches::Pictures;
use crate::server::eventually;

/// So many pictures in `folder`, and lines that name them relative to it.
fn pictures(folder: &Path, number: usize) -> String {
    let mut manifest = String::new();
    for place in 0..number {
        let name = format!("p-{place}.png");
        let grey = u8::try_from(place % 250).unwrap();
        let picture = image::RgbImage::from_pixel(40, 30, image::Rgb([grey; 3]));
        picture.save(folder.join(&name)).unwrap();
        writeln!(
            manifest,
            "{}",
            json!({ "id": format!("a-{place}"), "path": name })
        )
        .unwrap();
    }
    manifest
}

struct Bench {
    shell: Shell,
    folder: PathBuf,
    manifest: String,
    results: PathBuf,
}

impl Bench {
    /// With a manifest in a folder of its own.
    fn new(manifest: impl FnOnce(&Path) -> String) -> Option<Self> {
        let shell = Shell::new()?;
        let folder = shell.data().parent().unwrap().join("catalogue");
        fs::create_dir(&folder).unwrap();
        let path = folder.join("manifest.jsonl");
        fs::write(&path, manifest(&folder)).unwrap();
        Some(Self {
            shell,
            manifest: path.to_str().unwrap().to_owned(),
            results: folder.join("results.jsonl"),
            folder,
        })
    }

    fn arguments<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let results = self.results.to_str().unwrap();
        [&["batch", &self.manifest, "--out", results], more].concat()
    }

    fn run(&self, more: &[&str]) -> (i32, String, String) {
        self.shell.run(&self.arguments(more))
    }

    fn results(&self) -> Vec<Value> {
        read(&fs::read_to_string(&self.results).unwrap())
    }
}

fn read(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn ids(results: &[Value]) -> BTreeSet<&str> {
    let ids = results.iter().map(|line| line["id"].as_str().unwrap());
    ids.collect()
}

#[test]
fn files_are_scored_and_partial_failures_named() {
    let start = Bench::new(|folder| {
        fs::write(folder.join("text.mp4"), "no video\n".repeat(100)).unwrap();
        pictures(folder, 3)
            + "{\"id\":\"text\",\"path\":\"text.mp4\"}\n\n"
            + "{\"id\":\"gone\",\"path\":\"gone.mp4\",\"client_ref\":\"7\"}\n"
            + "{\"id\":\"url\",\"url\":\"https://example.org/a\"}"
    });
    let Some(bench) = start else { return };
    let (code, out, err) = bench.run(&[]);
    assert_eq!((code, out.as_str(), err.as_str()), (3, "", ""));
    let results = bench.results();
    assert_eq!((results.len(), ids(&results).len()), (6, 6));
    for line in &results {
        let code = match line["id"].as_str().unwrap() {
            "text" => "unsupported_media",
            "gone" => "not_found",
            "url" => "bad_url",
            _ => {
                assert_eq!(line["report"]["schema"], "jaga.report/1");
                continue;
            }
        };
        assert_eq!(line["problem"]["code"], code, "{line}");
        assert_eq!(line["problem"]["type"], format!("urn:jaga:problem:{code}"));
        assert!(line.get("report").is_none(), "{line}");
    }
    let gone = results.iter().find(|line| line["id"] == "gone").unwrap();
    assert_eq!(gone["client_ref"], "7");
    // The same score as any door's.
    let clip = bench.folder.join("p-1.png");
    let (_, out, _) = bench
        .shell
        .run(&["score", clip.to_str().unwrap(), "--format", "jsonl"]);
    let direct = &read(&out)[0];
    let own = results.iter().find(|line| line["id"] == "a-1").unwrap();
    assert_eq!(own["report"]["score"], direct["report"]["score"]);
    // Nothing is written over, and nothing is scored again.
    let (code, _, err) = bench.run(&[]);
    assert!(code == 2 && err.contains("--resume"), "{err}");
    let before = fs::read(&bench.results).unwrap();
    assert_eq!(bench.run(&["--resume"]).0, 3, "some have failed before");
    assert_eq!(fs::read(&bench.results).unwrap(), before);
}

#[test]
fn a_manifest_that_is_wrong_costs_nothing() {
    let start = Bench::new(|folder| pictures(folder, 2) + "{\"id\":\"a-1\",\"path\":\"x\"}\n");
    let Some(bench) = start else { return };
    let good = fs::read_to_string(&bench.manifest).unwrap();
    let refused = |text: &str| {
        fs::write(&bench.manifest, text).unwrap();
        let (code, _, err) = bench.run(&["--resume"]);
        assert_eq!((code, bench.results().len()), (2, 0), "{err}");
        err
    };
    let told = refused(&good);
    assert!(
        told.contains(
            "manifest.jsonl: line 3 of the manifest: the id \"a-1\" stands in an earlier line"
        ),
        "{told}"
    );
    let line = |more: &str| format!("{{\"id\":\"a\",\"path\":\"p-0.png\",{more}}}\n");
    assert!(refused(&line("\"model\":[\"none\"]")).contains("there is no model none"));
    assert!(refused(&line("\"policy\":\"none\"")).contains("line 1 of the manifest"));
    assert!(refused(&line("\"frames\":0")).contains("line 1 of the manifest"));
    assert!(refused("").contains("the manifest has no line"));
}

#[test]
fn urls_are_fetched_where_they_may_be() {
    let site = Pictures::start();
    let gone = json!({ "id": "gone", "url": format!("{}/none", site.url) });
    let Some(bench) = Bench::new(|_| format!("{}{gone}\n", site.line("b"))) else {
        return;
    };
    let mut command = bench.shell.command(&bench.arguments(&["--jobs", "2"]));
    let output = command.envs(site.variables()).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let results = bench.results();
    let by_id = |id: &str| results.iter().find(|line| line["id"] == id).unwrap();
    assert_eq!(by_id("b")["report"]["schema"], "jaga.report/1");
    assert_eq!(by_id("gone")["problem"]["code"], "fetch_failed");
}

#[test]
fn a_pipe_goes_in_and_out() {
    let Some(bench) = Bench::new(|folder| pictures(folder, 2)) else {
        return;
    };
    let text = fs::read(&bench.manifest).unwrap();
    let mut command = bench.shell.command(&["batch", "-", "--out", "-"]);
    // Without a file, paths begin in the working folder.
    command.current_dir(&bench.folder).env(
        "JAGA_MODELS__DIRS",
        bench.shell.data().parent().unwrap().join("models"),
    );
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&text).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), told.as_str()), (Some(0), ""));
    let results = read(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(ids(&results), BTreeSet::from(["a-0", "a-1"]));
    let (code, _, err) = bench.shell.run(&["batch", "-", "--out", "-", "--resume"]);
    assert!(code == 2 && err.contains("--resume needs a file"), "{err}");
}

#[test]
fn a_run_that_was_killed_goes_on_where_it_stopped() {
    let Some(bench) = Bench::new(|folder| pictures(folder, 60)) else {
        return;
    };
    let mut command = bench.shell.command(&bench.arguments(&["--jobs", "1"]));
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let lines = || fs::read_to_string(&bench.results).map_or(0, |text| text.lines().count());
    eventually("some are scored", || lines() >= 5);
    child.kill().unwrap();
    child.wait().unwrap();
    let before = fs::read_to_string(&bench.results).unwrap();
    let whole = before.rfind('\n').unwrap() + 1;
    let done = read(&before[..whole]).len();
    assert!(done < 60, "it was killed before the end");
    // As a kill in the midst of a line leaves it.
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(&bench.results)
        .unwrap();
    file.write_all(b"{\"id\":\"a-59\",\"rep").unwrap();
    let (code, _, err) = bench.run(&["--resume"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let after = fs::read_to_string(&bench.results).unwrap();
    assert_eq!(&after[..whole], &before[..whole], "what was there stays");
    let results = read(&after);
    assert_eq!((results.len(), ids(&results).len()), (60, 60));
}

#[test]
fn other_files_are_left_alone() {
    let Some(bench) = Bench::new(|folder| pictures(folder, 1)) else {
        return;
    };
    for text in [
        "hello\nworld\n",
        "{\"id\":\"a\"}\n{\"id\":\"b\",\"report\":{}}\n",
    ] {
        fs::write(&bench.results, text).unwrap();
        let (code, _, err) = bench.run(&["--resume"]);
        assert!(code == 2 && err.contains("line 1 is no result"), "{err}");
        assert_eq!(fs::read_to_string(&bench.results).unwrap(), text);
    }
}
