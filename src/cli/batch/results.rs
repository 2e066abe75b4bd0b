//! The results: what is there already, and what comes.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::{RawValue, to_raw_value};

use crate::cli::Misuse;
use crate::domain::report::Report;
use crate::worker::batches::{Line, ResultLine, digest};

/// Bytes of one line of results; one of 256 frames with 32 faces each has less than 3 MiB.
const LONGEST: u64 = 64 * 1024 * 1024;

/// Where results go.
pub(super) struct Results {
    /// `None`: to standard output.
    file: Option<(PathBuf, File)>,
    held: HashSet<u128>,
    failed: bool,
}

/// As much of a line of results as is looked at.
#[derive(Deserialize)]
struct Head {
    id: String,
    report: Option<IgnoredAny>,
    problem: Option<IgnoredAny>,
}

impl Results {
    /// In `path`; `-` is standard output. With `resume`, those that are there are kept, but for a
    /// last line that isn't whole.
    pub(super) fn open(path: &Path, resume: bool) -> anyhow::Result<Self> {
        let mut results = Self {
            file: None,
            held: HashSet::new(),
            failed: false,
        };
        if path == Path::new("-") {
            if resume {
                let told = "--resume needs a file of results, not standard output";
                return Err(Misuse(told.to_owned()).into());
            }
            return Ok(results);
        }
        let named = || path.display().to_string();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .with_context(named)?;
        if file.try_lock().is_err() {
            return Err(Misuse(format!("{} is in use by another batch", named())).into());
        }
        if file.metadata().with_context(named)?.len() > 0 {
            if !resume {
                let told = "has results already; go on with --resume, or name another file";
                return Err(Misuse(format!("{} {told}", named())).into());
            }
            let whole = results.read(&file).with_context(named)?;
            file.set_len(whole).with_context(named)?;
            file.seek(SeekFrom::End(0)).with_context(named)?;
        }
        results.file = Some((path.to_owned(), file));
        Ok(results)
    }

    /// Notes what is there. Returns how many bytes of it are whole lines.
    fn read(&mut self, file: &File) -> anyhow::Result<u64> {
        let mut reader = BufReader::new(file);
        let (mut text, mut whole) = (Vec::new(), 0_u64);
        for number in 1_u64.. {
            text.clear();
            let read = (&mut reader).take(LONGEST).read_until(b'\n', &mut text)?;
            if read == 0 {
                break;
            }
            let head = serde_json::from_slice::<Head>(&text).ok();
            let head = head.filter(|head| head.report.is_some() != head.problem.is_some());
            match head.filter(|_| text.ends_with(b"\n")) {
                Some(head) => {
                    self.failed |= head.problem.is_some();
                    self.held.insert(digest(&head.id));
                    whole = whole.saturating_add(read as u64);
                }
                // A kill cuts the last line off, and a crash of the machine may leave worse there.
                None if reader.fill_buf()?.is_empty() => break,
                None => {
                    let told =
                        format!("line {number} is no result; these aren't a batch's results");
                    return Err(Misuse(told).into());
                }
            }
        }
        Ok(whole)
    }

    /// Whether a line's result is there already.
    pub(super) fn hold(&self, id: u128) -> bool {
        self.held.contains(&id)
    }

    /// Whether any line, of this run or an earlier one, has a problem.
    pub(super) fn some_failed(&self) -> bool {
        self.failed
    }

    /// What was there when it was opened, and where results are added.
    pub(super) fn parts<'a, W: Write>(
        &'a mut self,
        out: &'a mut W,
    ) -> (&'a HashSet<u128>, impl Sink + 'a) {
        let sink = Writer {
            file: self.file.as_mut(),
            out,
            failed: &mut self.failed,
        };
        (&self.held, sink)
    }

    /// Returns when all is on disk.
    pub(super) fn finish(&self) -> anyhow::Result<()> {
        if let Some((path, file)) = &self.file {
            file.sync_all()
                .with_context(|| path.display().to_string())?;
        }
        Ok(())
    }
}

/// Takes results.
pub(super) trait Sink {
    /// Writes one, at once.
    fn add(&mut self, line: &Line, result: &Result<Arc<Report>, String>) -> anyhow::Result<()>;
}

struct Writer<'a, W> {
    file: Option<&'a mut (PathBuf, File)>,
    out: &'a mut W,
    failed: &'a mut bool,
}

impl<W: Write> Sink for Writer<'_, W> {
    fn add(&mut self, line: &Line, result: &Result<Arc<Report>, String>) -> anyhow::Result<()> {
        let (report, problem) = match result {
            Ok(report) => (Some(to_raw_value(report)?), None),
            Err(problem) => (None, Some(RawValue::from_string(problem.clone())?)),
        };
        *self.failed |= problem.is_some();
        let bytes = ResultLine {
            id: &line.id,
            client_ref: line.client_ref.as_deref(),
            job_id: None,
            cursor: None,
            report: report.as_deref(),
            problem: problem.as_deref(),
        }
        .bytes()?;
        let written: io::Result<()> = match &mut self.file {
            Some((_, file)) => file.write_all(&bytes),
            None => self.out.write_all(&bytes).and_then(|()| self.out.flush()),
        };
        let name = || match &self.file {
            Some((path, _)) => path.display().to_string(),
            None => "standard output".to_owned(),
        };
        written.with_context(|| format!("can't write to {}", name()))
    }
}
