//! Results as a table, as one JSON array or as JSON lines.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use comfy_table::{Table, presets};
use serde::Serialize;

use super::args::Format;
use crate::domain::report::Report;
use crate::pipeline::AnalyzeError;

/// One file's result.
pub(super) struct Item<'a> {
    pub(super) file: &'a Path,
    pub(super) result: &'a Result<Arc<Report>, AnalyzeError>,
}

/// Results as they come in.
pub(super) struct Sheet {
    format: Format,
    table: Table,
    written: usize,
    expected: usize,
}

#[derive(Serialize)]
struct Line<'a> {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<&'a Report>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Fault>,
}

#[derive(Serialize)]
struct Fault {
    code: &'static str,
    detail: String,
}

impl Sheet {
    pub(super) fn new(format: Format, expected: usize) -> Self {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["score", "verdict", "scored", "action", "file"]);
        Self {
            format,
            table,
            written: 0,
            expected,
        }
    }

    /// Adds a result; JSON is written at once, the table at the end.
    pub(super) fn add(&mut self, item: &Item<'_>, out: &mut impl Write) -> io::Result<()> {
        match self.format {
            Format::Text => {
                self.table.add_row(row(item));
            }
            Format::Json => {
                out.write_all(if self.written == 0 { b"[\n" } else { b",\n" })?;
                serde_json::to_writer_pretty(&mut *out, &line(item))?;
            }
            Format::Jsonl => {
                serde_json::to_writer(&mut *out, &line(item))?;
                writeln!(out)?;
                out.flush()?;
            }
        }
        self.written = self.written.saturating_add(1);
        Ok(())
    }

    pub(super) fn finish(self, out: &mut impl Write) -> io::Result<()> {
        match self.format {
            Format::Text => writeln!(out, "{}", self.table.trim_fmt())?,
            Format::Json if self.written == 0 => writeln!(out, "[]")?,
            Format::Json => writeln!(out, "\n]")?,
            Format::Jsonl => {}
        }
        debug_assert_eq!(self.written, self.expected, "every file has its line");
        out.flush()
    }
}

fn row(item: &Item<'_>) -> [String; 5] {
    let file = item.file.display().to_string();
    match item.result {
        Ok(report) => [
            report
                .score
                .map_or_else(|| "-".to_owned(), |p| format!("{:.3}", p.get())),
            verdict(report),
            coverage(report),
            report.policy.action.clone(),
            file,
        ],
        Err(error) => [
            "-".to_owned(),
            error.kind().code().to_owned(),
            "-".to_owned(),
            "-".to_owned(),
            format!("{file}: {error}"),
        ],
    }
}

/// With the reason where there is none.
fn verdict(report: &Report) -> String {
    let reason = report.models.iter().find_map(|model| model.reason);
    match reason.filter(|_| report.score.is_none()) {
        Some(reason) => format!("{} ({})", report.verdict, reason.name()),
        None => report.verdict.to_string(),
    }
}

fn coverage(report: &Report) -> String {
    let models = report.models.iter();
    let worst = models.min_by(|a, b| a.coverage.ratio().total_cmp(&b.coverage.ratio()));
    worst.map_or_else(
        || "-".to_owned(),
        |model| format!("{}/{}", model.coverage.scored, model.coverage.planned),
    )
}

fn line<'a>(item: &Item<'a>) -> Line<'a> {
    Line {
        file: item.file.display().to_string(),
        report: item.result.as_deref().ok(),
        problem: item.result.as_ref().err().map(|error| Fault {
            code: error.kind().code(),
            detail: error.to_string(),
        }),
    }
}
