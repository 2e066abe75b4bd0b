//! `jaga reviews export`: what people decided, as a labelled table for `jaga eval`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::args::{ExportArgs, ReviewsAction, ReviewsArgs};
use super::{Misuse, Outcome};
use crate::config::Config;
use crate::domain::transparency::period::Period;
use crate::store::ledger::{Recorded, Sought};
use crate::store::{Ledger, SqliteJobs};

/// Records that are read at once.
const PAGE: u32 = 1000;

/// Columns of the table. `jaga eval` needs the first two, with `--from` the third as well.
const COLUMNS: [&str; 8] = [
    "path",
    "label",
    "score",
    "blake3",
    "report",
    "action",
    "ruling",
    "client_ref",
];

/// What people decided, the last of each upload, by its hash.
type Labelled = BTreeMap<String, (bool, Recorded)>;

/// Prints the table.
pub(super) fn run(
    config: &Config,
    args: &ReviewsArgs,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let ReviewsAction::Export(args) = &args.action;
    export(config, args, out)
}

fn export(config: &Config, args: &ExportArgs, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let period = match (args.from, args.to) {
        (Some(from), Some(to)) => {
            Some(Period::new(from, to).map_err(|error| Misuse(error.to_string()))?)
        }
        _ => None,
    };
    let (labelled, unlabelled) = super::block_on(labelled(config, period))?;
    if unlabelled > 0 {
        tell(&format!(
            "{unlabelled} decisions say nothing of the video: that nothing was decided was upheld"
        ));
    }
    let mut table = csv::Writer::from_writer(out);
    table.write_record(COLUMNS)?;
    let mut failed = 0;
    if let Some(folder) = &args.files {
        failed = by_file(&labelled, folder, &mut table)?;
    } else {
        for (hash, (label, record)) in &labelled {
            row(&mut table, hash, *label, record)?;
        }
    }
    table.flush()?;
    Ok(if failed > 0 {
        Outcome::SomeFailed
    } else {
        Outcome::Done
    })
}

/// With the number of decisions that are no label.
async fn labelled(config: &Config, period: Option<Period>) -> anyhow::Result<(Labelled, u64)> {
    let store = SqliteJobs::read(&config.data.dir).await?;
    let mut sought = Sought {
        period,
        ruled: true,
        limit: PAGE,
        ..Sought::default()
    };
    let (mut labelled, mut unlabelled) = (Labelled::new(), 0_u64);
    loop {
        let records = store.records(&sought).await?;
        let Some(last) = records.last() else {
            return Ok((labelled, unlabelled));
        };
        sought.after = Some(last.place());
        for record in records {
            let Some((ruling, at)) = record.ruling else {
                continue;
            };
            let Some(label) = record.counted.label(ruling) else {
                unlabelled = unlabelled.saturating_add(1);
                continue;
            };
            let hash = record.counted.media_blake3.clone();
            let known = labelled.get(&hash);
            let known = known.and_then(|(_, known): &(bool, Recorded)| known.ruling);
            // Of several reports on the same content, the one on which somebody decided last.
            if known.is_none_or(|(_, before)| before <= at) {
                labelled.insert(hash, (label, record));
            }
        }
    }
}

/// A row for each file under `folder` whose content was reviewed; returns how many can't be read.
fn by_file<W: Write>(
    labelled: &Labelled,
    folder: &Path,
    table: &mut csv::Writer<W>,
) -> anyhow::Result<u64> {
    let folder = std::path::absolute(folder)?;
    let (mut failed, mut found) = (0_u64, 0_u64);
    let mut open = vec![folder.clone()];
    while let Some(folder) = open.pop() {
        let named = || format!("can't read {}", folder.display());
        let entries: io::Result<Vec<_>> = fs::read_dir(&folder).with_context(named)?.collect();
        let mut paths: Vec<(PathBuf, fs::FileType)> = Vec::new();
        for entry in entries.with_context(named)? {
            paths.push((entry.path(), entry.file_type().with_context(named)?));
        }
        paths.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (path, kind) in paths {
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() {
                match file(labelled, &path, table)? {
                    Ok(is_one) => found = found.saturating_add(u64::from(is_one)),
                    Err(reason) => {
                        failed = failed.saturating_add(1);
                        tell(&format!("{}: {reason}", path.display()));
                    }
                }
            }
        }
    }
    tell(&format!(
        "{} reviewed videos; {found} files in {} are among them",
        labelled.len(),
        folder.display()
    ));
    Ok(failed)
}

/// Whether the file has a row; why it can't be looked at.
fn file<W: Write>(
    labelled: &Labelled,
    path: &Path,
    table: &mut csv::Writer<W>,
) -> csv::Result<Result<bool, String>> {
    let hash = match hash(path) {
        Ok(hash) => hash,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let Some((label, record)) = labelled.get(&hash) else {
        return Ok(Ok(false));
    };
    let Some(path) = path.to_str() else {
        return Ok(Err("its path is no UTF-8".to_owned()));
    };
    row(table, path, *label, record)?;
    Ok(Ok(true))
}

fn hash(path: &Path) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(hasher.finalize().to_hex().to_string())
}

fn row<W: Write>(
    table: &mut csv::Writer<W>,
    path: &str,
    label: bool,
    record: &Recorded,
) -> csv::Result<()> {
    let counted = &record.counted;
    let score = counted.score.map(|score| score.to_string());
    table.write_record([
        path,
        if label { "1" } else { "0" },
        score.as_deref().unwrap_or_default(),
        &counted.media_blake3,
        &counted.report,
        &counted.action,
        record.ruling.map_or("", |(ruling, _)| ruling.name()),
        record.client_ref.as_deref().unwrap_or_default(),
    ])
}

fn tell(text: &str) {
    // With nowhere left to write there is nobody to tell.
    let _ = writeln!(io::stderr(), "{text}");
}
