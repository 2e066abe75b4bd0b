//! The file of results: whole lines in the reports' order, so that a run can go on behind the last.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::Misuse;
use crate::domain::policy::Transitions;
use crate::pipeline::rescoring::{Line, Outcome};
use crate::store::reports::Mark;

/// What the lines come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) transitions: Transitions,
    /// Lines without a new score, by code.
    pub(super) problems: BTreeMap<String, u64>,
}

impl Tally {
    fn take(&mut self, line: &Line) {
        match &line.result {
            Outcome::Rescored(scored) => {
                let (from, to) = (&scored.old.action, &scored.new.action);
                self.transitions.note(from, to, &line.id);
            }
            Outcome::Failed { problem } => {
                let count = self.problems.entry(problem.code.clone()).or_default();
                *count = count.saturating_add(1);
            }
        }
    }

    /// Lines without a new score.
    pub(super) fn failed(&self) -> u64 {
        self.problems.values().sum()
    }
}

/// A file that lines are added to.
#[derive(Debug)]
pub(super) struct Results {
    path: PathBuf,
    file: BufWriter<File>,
    last: Option<Mark>,
    tally: Tally,
}

impl Results {
    /// A new file.
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        let opened = OpenOptions::new().write(true).create_new(true).open(path);
        let file = match opened {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let told = format!(
                    "{} is there already; --resume goes on with it",
                    path.display()
                );
                return Err(Misuse(told).into());
            }
            opened => opened.with_context(|| format!("can't make {}", path.display()))?,
        };
        Ok(Self::of(path, file))
    }

    /// A file of an earlier run by the same models and policies, or a new one. What that run left
    /// of a last line is cut off.
    pub(super) fn resume(path: &Path, by: &str) -> anyhow::Result<Self> {
        let name = path.display();
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        let mut file = opened.with_context(|| format!("can't open {name}"))?;
        let mut results = Self::of(path, file.try_clone()?);
        let (mut whole, mut number) = (0_u64, 0_u64);
        let mut lines = BufReader::new(&file);
        let mut text = Vec::new();
        loop {
            text.clear();
            let read = lines.read_until(b'\n', &mut text)?;
            if !text.ends_with(b"\n") {
                break;
            }
            number += 1;
            let line: Line = serde_json::from_slice(&text)
                .map_err(|error| Misuse(format!("{name}, line {number}: {error}")))?;
            if line.by != by {
                let told = format!(
                    "{name} was made by other models, another policy or for another day; give another --out"
                );
                return Err(Misuse(told).into());
            }
            results.note(&line);
            whole += read as u64;
        }
        file.set_len(whole)?;
        file.seek(SeekFrom::Start(whole))?;
        Ok(results)
    }

    fn of(path: &Path, file: File) -> Self {
        Self {
            path: path.to_owned(),
            file: BufWriter::new(file),
            last: None,
            tally: Tally::default(),
        }
    }

    fn note(&mut self, line: &Line) {
        self.last = Some(line.mark);
        self.tally.take(line);
    }

    /// Where the next line belongs: behind this one.
    pub(super) fn last(&self) -> Option<Mark> {
        self.last
    }

    /// Adds lines, and hands them to the system.
    pub(super) fn add(&mut self, lines: &[Line]) -> anyhow::Result<()> {
        for line in lines {
            let mut text = serde_json::to_vec(line)?;
            text.push(b'\n');
            let written = self.file.write_all(&text);
            written.with_context(|| format!("can't write {}", self.path.display()))?;
            self.note(line);
        }
        let flushed = self.file.flush();
        flushed.with_context(|| format!("can't write {}", self.path.display()))
    }

    /// What all lines come to, once they are on disk.
    pub(super) fn finish(mut self) -> anyhow::Result<Tally> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        Ok(self.tally)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::rescoring::Problem;

    fn line(seq: i64) -> Line {
        Line {
            id: format!("r{seq}"),
            mark: Mark { created_ms: 5, seq },
            by: "us".to_owned(),
            result: Outcome::Failed {
                problem: Problem {
                    code: "content_gone".to_owned(),
                    detail: "gone".to_owned(),
                },
            },
        }
    }

    #[test]
    fn a_run_goes_on_behind_the_last_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        let mut first = Results::create(&path).unwrap();
        first.add(&[line(1), line(2)]).unwrap();
        assert!(Results::create(&path).is_err());
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 3]).unwrap();
        let mut second = Results::resume(&path, "us").unwrap();
        assert_eq!(second.last(), Some(line(1).mark));
        second.add(&[line(2), line(3)]).unwrap();
        assert_eq!(second.finish().unwrap().failed(), 3);
        let text = std::fs::read_to_string(&path).unwrap();
        let ids: Vec<Line> = text
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        assert_eq!(ids, [line(1), line(2), line(3)]);
        let error = Results::resume(&path, "others").unwrap_err().to_string();
        assert!(error.contains("other models"), "{error}");
    }
}
