//! Reports out of a stream, decided on all cores; memory doesn't grow with their number.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use jiff::civil::Date;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::domain::policy::{Policy, StoredFindings, Transitions};

/// What came of the reports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) transitions: Transitions,
    /// Entries that have a problem instead of a report.
    pub(super) problems: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.transitions.add(other.transitions);
        self.problems = self.problems.saturating_add(other.problems);
    }

    fn take(&mut self, entry: &Entry, policy: &Policy, on: Option<Date>) {
        match entry {
            Entry::Report(stored) | Entry::Wrapped { report: stored } => {
                self.transitions.redecide(stored, policy, on);
            }
            Entry::Problem { .. } => self.problems = self.problems.saturating_add(1),
        }
    }
}

/// A report by itself, or as `jaga score` and a batch write it, with its file or its id.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Entry {
    Report(Box<StoredFindings>),
    Wrapped {
        report: Box<StoredFindings>,
    },
    Problem {
        #[expect(dead_code, reason = "that it is there is enough")]
        problem: IgnoredAny,
    },
}

/// Why a stream can't be counted.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReportsError {
    /// It can't be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// A line that is no report.
    #[error("line {line}")]
    Line {
        /// From 1.
        line: u64,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// JSON that is no report.
    #[error("not a report")]
    Json(#[source] serde_json::Error),
}

/// Some lines of a stream.
struct Block {
    /// Number of the first one, from 1.
    first: u64,
    text: Vec<u8>,
}

/// About as many bytes a block.
const BLOCK_BYTES: usize = 256 << 10;

/// Longest line; a report with every frame's score has less than 1 MiB.
const LINE_BYTES: u64 = 64 << 20;

/// Decides the reports in `input`: one a line, or one indented report or array of them (which is
/// held in memory). As if each were of the day `on`, its own when absent.
pub(super) fn redecide(
    input: impl Read,
    policy: &Policy,
    on: Option<Date>,
) -> Result<Tally, ReportsError> {
    let mut input = BufReader::with_capacity(BLOCK_BYTES, input);
    let mut first = Vec::new();
    line(&mut input, &mut first)?;
    let is_whole = serde_json::from_slice::<IgnoredAny>(&first).is_ok();
    let rest = input;
    if is_whole && !first.starts_with(b"[") {
        return lines(first, rest, policy, on);
    }
    let mut tally = Tally::default();
    let mut take = |entry: &Entry| tally.take(entry, policy, on);
    let is_list = first.trim_ascii_start().starts_with(b"[");
    let all = io::Cursor::new(first).chain(rest);
    if is_list {
        let entries: Vec<Entry> = serde_json::from_reader(all).map_err(ReportsError::Json)?;
        entries.iter().for_each(take);
    } else {
        for entry in serde_json::Deserializer::from_reader(all).into_iter() {
            take(&entry.map_err(ReportsError::Json)?);
        }
    }
    Ok(tally)
}

/// Adds the next line, with its end.
fn line(input: &mut impl BufRead, text: &mut Vec<u8>) -> io::Result<usize> {
    let read = input.by_ref().take(LINE_BYTES).read_until(b'\n', text)?;
    if read as u64 == LINE_BYTES {
        let told = format!("a line has more than {LINE_BYTES} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, told));
    }
    Ok(read)
}

fn lines(
    first: Vec<u8>,
    input: impl BufRead,
    policy: &Policy,
    on: Option<Date>,
) -> Result<Tally, ReportsError> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let (send, receive) = sync_channel(workers);
    let receive = Mutex::new(receive);
    thread::scope(|scope| {
        let work = || count(&receive, policy, on);
        let all: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let read = blocks(first, input, &send);
        drop(send);
        let mut tally = Tally::default();
        let mut fault: Option<(u64, serde_json::Error)> = None;
        for worker in all {
            let (counted, failed) = worker.join().unwrap_or_default();
            tally.add(counted);
            let earlier =
                |(line, _): &(u64, _)| fault.as_ref().is_none_or(|(first, _)| line < first);
            if let Some(failed) = failed.filter(earlier) {
                fault = Some(failed);
            }
        }
        read?;
        fault.map_or(Ok(tally), |(line, source)| {
            Err(ReportsError::Line { line, source })
        })
    })
}

/// Hands out the lines, whole ones, until the end.
fn blocks(first: Vec<u8>, mut input: impl BufRead, send: &SyncSender<Block>) -> io::Result<()> {
    let (mut text, mut begin, mut read) = (first, 1_u64, 1_u64);
    loop {
        let more = text.len() < BLOCK_BYTES && line(&mut input, &mut text)? > 0;
        if more {
            read = read.saturating_add(1);
            continue;
        }
        if text.is_empty() {
            return Ok(());
        }
        let block = Block { first: begin, text };
        if send.send(block).is_err() {
            return Ok(());
        }
        text = Vec::with_capacity(BLOCK_BYTES);
        begin = read.saturating_add(1);
    }
}

type Counted = (Tally, Option<(u64, serde_json::Error)>);

/// Counts blocks until there are no more. After a line that is no report they are only taken, so
/// that who hands them out doesn't wait.
fn count(blocks: &Mutex<Receiver<Block>>, policy: &Policy, on: Option<Date>) -> Counted {
    let (mut tally, mut fault) = (Tally::default(), None);
    loop {
        let next = blocks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(block) = next else {
            return (tally, fault);
        };
        if fault.is_none() {
            fault = count_block(&block, &mut tally, policy, on).err();
        }
    }
}

fn count_block(
    block: &Block,
    tally: &mut Tally,
    policy: &Policy,
    on: Option<Date>,
) -> Result<(), (u64, serde_json::Error)> {
    let lines = block.text.split(|byte| *byte == b'\n');
    let numbered = (block.first..).zip(lines);
    for (place, text) in numbered.filter(|(_, text)| !text.trim_ascii().is_empty()) {
        let entry = entry(text).map_err(|error| (place, error))?;
        tally.take(&entry, policy, on);
    }
    Ok(())
}

/// A report by itself is what a store has, and is read without a second look.
fn entry(text: &[u8]) -> Result<Entry, serde_json::Error> {
    match serde_json::from_slice(text) {
        Ok(report) => Ok(Entry::Report(Box::new(report))),
        Err(error) => serde_json::from_slice(text).map_err(|_| error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
        [policy]
        name = "p"
        version = "1"
        actions = ["none", "label"]
        [[rule]]
        name = "r"
        question = "q"
        min_score = 0.5
        from = "2026-11-01"
        action = "label"
    "#;

    fn report(score: f64, action: &str) -> String {
        format!(
            r#"{{"id":"x","created_at":"2026-10-31T10:00:00Z","models":[{{"question":"q","score":{score},"verdict":"uncertain","coverage":{{"planned":1,"decoded":1,"scored":1,"left_out":0,"failed":0}}}}],"policy":{{"action":"{action}"}}}}"#
        )
    }

    fn redecided(text: &str, on: Option<&str>) -> Result<Tally, ReportsError> {
        let on = on.map(|date| date.parse().unwrap());
        redecide(text.as_bytes(), &Policy::parse(POLICY).unwrap(), on)
    }

    fn counts(tally: &Tally) -> Vec<(&str, &str, u64)> {
        let each = tally.transitions.each();
        each.map(|(from, to, transition)| (from, to, transition.count))
            .collect()
    }

    #[test]
    fn every_form_of_reports_is_read() {
        let (high, low) = (report(0.9, "none"), report(0.1, "label"));
        let wrapped = format!(r#"{{"file":"a.mp4","report":{high}}}"#);
        let problem = r#"{"file":"b.mp4","problem":{"code":"corrupt_media","detail":""}}"#;
        let list = format!("[\n{wrapped},\n{problem},\n{low}\n]");
        let indented: serde_json::Value = serde_json::from_str(&high).unwrap();
        let indented = serde_json::to_string_pretty(&indented).unwrap();
        let day = Some("2026-11-02");
        for (text, want, problems) in [
            (
                format!("{high}\n\n{wrapped}\n{problem}\n{low}"),
                vec![("label", "none", 1), ("none", "label", 2)],
                1,
            ),
            (
                list.replace('\n', ""),
                vec![("label", "none", 1), ("none", "label", 1)],
                1,
            ),
            (list, vec![("label", "none", 1), ("none", "label", 1)], 1),
            (indented, vec![("none", "label", 1)], 0),
            (String::new(), vec![], 0),
        ] {
            let tally = redecided(&text, day).unwrap();
            assert_eq!((counts(&tally), tally.problems), (want, problems), "{text}");
        }
        let on_its_own_day = redecided(&high, None).unwrap();
        assert_eq!(counts(&on_its_own_day), [("none", "none", 1)]);
    }

    #[test]
    fn many_blocks_are_counted_whole_and_a_bad_line_is_named() {
        let many = 5000;
        let line = report(0.9, "none") + "\n";
        let mut text = line.repeat(many);
        assert!(text.len() > 3 * BLOCK_BYTES);
        let tally = redecided(&text, None).unwrap();
        assert_eq!(tally.transitions.reports(), 5000);
        text.insert_str(line.len() * 4321, "{\"report\": 7}\n");
        let error = redecided(&text, None).unwrap_err();
        assert_eq!(error.to_string(), "line 4322");
    }
}
