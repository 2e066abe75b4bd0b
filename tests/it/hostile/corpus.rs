//! `tests/hostile`: each case through a locked-down child and through the whole server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use jaga::media::sandbox::ChildConfig;

use super::service::{Answer, Service, score_head};
use super::witness::{Seen, witness};
use crate::decoder::keyframe;
use crate::inference::support::root;
use crate::media_files::{have_ffmpeg, made};

/// Processor time and memory that no case may pass, well below the default limits of a child
/// (300 s, 4 GiB).
const MOST_CPU_S: f64 = 30.0;
const MOST_PEAK_BYTES: u64 = 1536 << 20;

/// A file of the corpus.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// Codes of which it must give one; `scored` is 200.
    pub(crate) expected: Vec<String>,
}

impl Case {
    pub(crate) fn allows(&self, code: &str) -> bool {
        self.expected.iter().any(|expected| expected == code)
    }
}

/// Makes the corpus unless this version of it is there; its folder.
fn corpus_folder() -> PathBuf {
    let scripts = root().join("tests/hostile");
    let mut parts: Vec<PathBuf> = fs::read_dir(&scripts)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    parts.sort();
    let texts: Vec<Vec<u8>> = parts.iter().map(|path| fs::read(path).unwrap()).collect();
    made("hostile", "corpus", &texts, |folder| {
        let python = std::env::var_os("JAGA_TEST_PYTHON").unwrap_or_else(|| "python3".into());
        let output = Command::new(python)
            .arg("-B")
            .arg(scripts.join("make.py"))
            .arg(folder)
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{log}");
    })
}

static FOLDER: LazyLock<PathBuf> = LazyLock::new(corpus_folder);

/// All cases; none without `ffmpeg`.
pub(crate) fn cases() -> Vec<Case> {
    if !have_ffmpeg() {
        return Vec::new();
    }
    let list = fs::read_to_string(FOLDER.join("list.tsv")).unwrap();
    let case = |line: &str| {
        let mut columns = line.split('\t');
        let name = columns.next().unwrap().to_owned();
        let expected = columns.next().unwrap().split('|');
        Case {
            path: FOLDER.join(&name),
            name,
            expected: expected.map(str::to_owned).collect(),
        }
    };
    list.lines().map(case).collect()
}

/// Well-formed files, one a container, by name.
pub(crate) fn seeds() -> Vec<(String, PathBuf)> {
    let mut seeds: Vec<(String, PathBuf)> = fs::read_dir(&*FOLDER)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let name = path
                .file_name()?
                .to_str()?
                .strip_prefix("seed.")?
                .to_owned();
            Some((name, path))
        })
        .collect();
    seeds.sort();
    seeds
}

/// `work` for each of `items` on two threads; what came of them, in any order.
pub(crate) fn on_two_threads<'a, T: Sync, R: Send>(
    items: &'a [T],
    work: impl Fn(&'a T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let run = || {
        let mut results = Vec::new();
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            results.push(work(item));
        }
        results
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(run);
        let mut results = run();
        results.extend(other.join().unwrap());
        results
    })
}

/// As a server asks when a request names no plan.
fn look(path: &Path) -> Seen {
    witness(path, &keyframe(16).into(), &ChildConfig::default())
}

#[test]
fn each_case_ends_as_its_row_says_within_its_bounds() {
    let cases = cases();
    let looked = on_two_threads(&cases, |case| (case, look(&case.path)));
    let mut wrong = Vec::new();
    for (case, seen) in &looked {
        eprintln!(
            "{:34} {:18} {:6.2} s {:5} MiB {}",
            case.name,
            seen.code,
            seen.cpu_s,
            seen.peak_bytes >> 20,
            seen.words
        );
        let kept = case.allows(seen.code)
            && seen.ended_in_order()
            && seen.cpu_s < MOST_CPU_S
            && seen.peak_bytes < MOST_PEAK_BYTES;
        if !kept {
            wrong.push((case, seen));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}: {wrong:#?}",
        wrong.len(),
        looked.len()
    );
}

/// Largest case that is sent through the whole server.
const MOST_SENT_BYTES: u64 = 8 << 20;

/// Of the files that are cut, each fifth one; of the others those that are no huge upload.
fn sample() -> Vec<Case> {
    let mut cut = 0_usize;
    let mut wanted = |case: &Case| {
        cut += usize::from(case.name.starts_with("cut-"));
        let fifth = !case.name.starts_with("cut-") || cut.is_multiple_of(5);
        fifth && fs::metadata(&case.path).unwrap().len() <= MOST_SENT_BYTES
    };
    let mut cases = cases();
    cases.retain(|case| wanted(case));
    cases
}

fn code((status, body): &Answer) -> String {
    match status {
        200 => "scored".to_owned(),
        _ => body["code"].as_str().unwrap_or("none").to_owned(),
    }
}

#[test]
fn the_server_goes_on_after_each_case_and_holds_nothing_more() {
    let cases = sample();
    let Some(service) = Service::start(&[]).filter(|_| !cases.is_empty()) else {
        return;
    };
    let good = fs::read(FOLDER.join("seed.mp4")).unwrap();
    let score = || service.score(&good).1["score"].as_f64().unwrap();
    let (first, before) = (score(), service.holdings());
    let wrong: Vec<_> = on_two_threads(&cases, |case| {
        let answer = service.score(&fs::read(&case.path).unwrap());
        (!case.allows(&code(&answer))).then(|| (&case.name, answer.0, code(&answer)))
    })
    .into_iter()
    .flatten()
    .collect();
    assert!(
        wrong.is_empty(),
        "{} of {}: {wrong:#?}",
        wrong.len(),
        cases.len()
    );
    service.settles(before);
    assert!((score() - first).abs() < f64::EPSILON, "the same score");
    let log = service.log();
    for word in [
        "panicked",
        "request failed",
        "sandbox_violation",
        "had died",
    ] {
        assert!(!log.contains(word), "{word}: {log}");
    }
    eprintln!(
        "{} cases, {:?}, {} MiB",
        cases.len(),
        service.holdings(),
        service.resident_bytes() >> 20
    );
}

#[test]
fn a_file_of_10_gb_is_refused_by_its_length() {
    let Some(service) = Service::start(&[]) else {
        return;
    };
    let answer = service.exchange(score_head(10_000_000_000, "").as_bytes());
    assert_eq!((answer.0, code(&answer).as_str()), (413, "too_large"));
}
