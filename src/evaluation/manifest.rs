//! Labelled videos: a CSV table `path,label[,source][,method][,split]`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::error::EvaluationError;

/// A video and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Video {
    /// As written in the table.
    pub path: String,
    /// True for synthetic.
    pub synthetic: bool,
    /// Whom it comes from; videos of one source are alike.
    pub source: Option<String>,
    /// What made it.
    pub method: Option<String>,
}

impl Video {
    /// The name of what is drawn together in the bootstrap: its source, or itself.
    pub fn cluster(&self) -> &str {
        self.source.as_deref().unwrap_or(&self.path)
    }
}

/// A table of videos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// In the table's order; no path twice.
    pub videos: Vec<Video>,
    /// BLAKE3 of the table's bytes, hex.
    pub blake3: String,
    /// Where relative paths begin: the table's folder.
    folder: PathBuf,
}

impl Manifest {
    /// Reads the rows of `path`, of `split` where one is given.
    pub fn read(path: &Path, split: Option<&str>) -> Result<Self, EvaluationError> {
        let bytes = read(path)?;
        let mut rows = Rows::new(path, &bytes, &["path", "label"])?;
        let (mut videos, mut seen) = (Vec::new(), HashSet::new());
        while let Some(row) = rows.next()? {
            if split.is_some() && row.text("split") != split {
                continue;
            }
            let video = row.video()?;
            if !seen.insert(video.path.clone()) {
                return Err(row.twice(&video.path));
            }
            videos.push(video);
        }
        if videos.is_empty() {
            return Err(EvaluationError::Empty {
                path: path.to_owned(),
                split: split.map(str::to_owned),
            });
        }
        Ok(Self {
            videos,
            blake3: blake3::hash(&bytes).to_hex().to_string(),
            folder: path.parent().unwrap_or(Path::new("")).to_owned(),
        })
    }

    /// Where `video` lies.
    pub fn locate(&self, video: &Video) -> PathBuf {
        self.folder.join(&video.path)
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, EvaluationError> {
    std::fs::read(path).map_err(|source| EvaluationError::File {
        path: path.to_owned(),
        source,
    })
}

/// The rows of a CSV table with a header.
pub(super) struct Rows<'a> {
    path: &'a Path,
    reader: csv::Reader<&'a [u8]>,
    header: csv::StringRecord,
}

impl<'a> Rows<'a> {
    /// Refuses a table without one of the `needed` columns.
    pub(super) fn new(
        path: &'a Path,
        bytes: &'a [u8],
        needed: &[&'static str],
    ) -> Result<Self, EvaluationError> {
        // Spreadsheets begin UTF-8 with a mark.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(bytes);
        let no_csv = |source| EvaluationError::Csv {
            path: path.to_owned(),
            source,
        };
        let header = reader.headers().map_err(no_csv)?.clone();
        for column in needed {
            if !header.iter().any(|name| name == *column) {
                return Err(EvaluationError::Column {
                    path: path.to_owned(),
                    column,
                    found: header.iter().collect::<Vec<_>>().join(", "),
                });
            }
        }
        Ok(Self {
            path,
            reader,
            header,
        })
    }

    /// The next row; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Row<'_>>, EvaluationError> {
        let mut record = csv::StringRecord::new();
        let more = self.reader.read_record(&mut record);
        let more = more.map_err(|source| EvaluationError::Csv {
            path: self.path.to_owned(),
            source,
        })?;
        Ok(more.then_some(Row {
            path: self.path,
            header: &self.header,
            record,
        }))
    }
}

/// One row.
pub(super) struct Row<'a> {
    path: &'a Path,
    header: &'a csv::StringRecord,
    record: csv::StringRecord,
}

impl Row<'_> {
    /// The value in `column`; `None` where it is empty, or where there is no such column.
    pub(super) fn text(&self, column: &str) -> Option<&str> {
        let place = self.header.iter().position(|name| name == column)?;
        self.record.get(place).filter(|value| !value.is_empty())
    }

    /// The number in `column`; an error for one that is none or isn't finite.
    pub(super) fn number(&self, column: &'static str) -> Result<Option<f64>, EvaluationError> {
        let Some(text) = self.text(column) else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(|n: &f64| n.is_finite());
        number
            .map(Some)
            .ok_or_else(|| self.wrong(column, "a finite number, or empty"))
    }

    pub(super) fn video(&self) -> Result<Video, EvaluationError> {
        let path = self.text("path");
        let path = path.ok_or_else(|| self.wrong("path", "the path of a file"))?;
        let synthetic = match self.text("label") {
            Some("1" | "fake") => true,
            Some("0" | "real") => false,
            Some(_) | None => return Err(self.wrong("label", "0, 1, real or fake")),
        };
        Ok(Video {
            path: path.to_owned(),
            synthetic,
            source: self.text("source").map(str::to_owned),
            method: self.text("method").map(str::to_owned),
        })
    }

    fn line(&self) -> u64 {
        self.record.position().map_or(0, csv::Position::line)
    }

    pub(super) fn wrong(&self, column: &'static str, expected: &'static str) -> EvaluationError {
        EvaluationError::Value {
            path: self.path.to_owned(),
            line: self.line(),
            column,
            expected,
            found: self.text(column).unwrap_or_default().to_owned(),
        }
    }

    pub(super) fn twice(&self, video: &str) -> EvaluationError {
        EvaluationError::Twice {
            path: self.path.to_owned(),
            line: self.line(),
            video: video.to_owned(),
        }
    }
}
