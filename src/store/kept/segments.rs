//! Records one behind the other, in files that are only ever added to.
//!
//! `embeddings/<space>/<UTC day>-<n>`: `jaga.embeddings/1\n`, then each record with its length (u32,
//! little endian) before and its BLAKE3 (32 bytes) behind it. Each run of a server begins files of
//! its own, so that what a kill cut short stays the end of its file, where a reader stops.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::civil::Date;

use super::super::error::StoreError;
use super::record::{self, ID, Record};
use super::{KeptError, shelf};

const MAGIC: &[u8] = b"jaga.embeddings/1\n";
const HASH: u64 = 32;
/// Longest record: 2048 frames of 4096 numbers have 32 MiB.
const LONGEST: u32 = 64 << 20;
/// Files of one day and space.
const MOST_FILES: u32 = 10_000;

/// Adds records.
#[derive(Debug)]
pub(super) struct Segments {
    dir: PathBuf,
    /// By space, the file that is added to.
    open: HashMap<String, (Date, PathBuf, File)>,
}

impl Segments {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            open: HashMap::new(),
        }
    }

    /// Adds `record`; once this returns it is on disk. Returns how many bytes that took.
    pub(super) fn add(
        &mut self,
        space: &str,
        day: Date,
        record: &Record,
    ) -> Result<u64, KeptError> {
        let bytes = self.write(space, day, record)?;
        let Some((_, path, file)) = self.open.get_mut(space) else {
            return Ok(bytes);
        };
        let synced = file.sync_data();
        Ok(synced
            .map(|()| bytes)
            .map_err(StoreError::file("write to disk", path))?)
    }

    /// Adds `record`, which may not be on disk yet when this returns.
    pub(super) fn write(
        &mut self,
        space: &str,
        day: Date,
        record: &Record,
    ) -> Result<u64, KeptError> {
        let body = record.encode().ok_or(KeptError::Picture {
            what: "vectors of different lengths",
        })?;
        let length = u32::try_from(body.len()).ok().filter(|n| *n <= LONGEST);
        let length = length.ok_or(KeptError::TooLarge {
            limit: LONGEST.into(),
        })?;
        let mut bytes = Vec::with_capacity(body.len().saturating_add(64));
        bytes.extend(length.to_le_bytes());
        bytes.extend(&body);
        bytes.extend(blake3::hash(&body).as_bytes());
        let is_of_today = |open: &(Date, PathBuf, File)| open.0 == day && open.1.exists();
        if !self.open.get(space).is_some_and(is_of_today) {
            let (path, file) = begin(&self.dir.join(space), day)?;
            self.open.insert(space.to_owned(), (day, path, file));
        }
        let Some((_, path, file)) = self.open.get_mut(space) else {
            return Ok(0);
        };
        let written = file
            .write_all(&bytes)
            .map_err(StoreError::file("write", path));
        if written.is_err() {
            // What stands there now is no record; nothing may come behind it.
            self.open.remove(space);
        }
        written?;
        Ok(bytes.len() as u64)
    }
}

/// A new file for `day`.
fn begin(folder: &Path, day: Date) -> Result<(PathBuf, File), KeptError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(StoreError::file("make the folder", folder))?;
    for n in 0..MOST_FILES {
        let path = folder.join(format!("{day}-{n:04}"));
        let opened = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&path);
        let mut file = match opened {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            opened => opened.map_err(StoreError::file("make", &path))?,
        };
        file.write_all(MAGIC)
            .map_err(StoreError::file("write", &path))?;
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(StoreError::file("write to disk", folder))?;
        return Ok((path, file));
    }
    Err(KeptError::Damaged {
        path: folder.to_owned(),
        what: "it has too many files of one day",
    })
}

/// Where each report's record of one space is. 64 bytes of memory a report.
#[derive(Debug, Default)]
pub struct VectorIndex {
    files: Vec<(PathBuf, File)>,
    /// By report: which file, where its record begins, and how long it is.
    places: HashMap<String, (usize, u64, u32)>,
}

impl VectorIndex {
    /// Of the files in `folder`, as far as they are whole now.
    pub(super) fn open(folder: &Path) -> Result<Self, KeptError> {
        let mut index = Self::default();
        let mut paths = shelf::paths(folder)?;
        paths.sort();
        for path in paths {
            let file = match File::open(&path) {
                // Its time was over since the folder was listed.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                opened => opened.map_err(StoreError::file("open", &path))?,
            };
            index.add(path, file)?;
        }
        Ok(index)
    }

    fn add(&mut self, path: PathBuf, file: File) -> Result<(), KeptError> {
        let size = file.metadata().map(|metadata| metadata.len());
        let size = size.map_err(StoreError::file("look at", &path))?;
        let mut magic = vec![0; MAGIC.len()];
        if file.read_exact_at(&mut magic, 0).is_err() || magic != MAGIC {
            // Cut short at its very begin.
            return Ok(());
        }
        let (place, mut offset) = (self.files.len(), MAGIC.len() as u64);
        let mut head = [0; 4 + ID];
        while file.read_exact_at(&mut head, offset).is_ok() {
            let (length, id) = head.split_at(4);
            let length = length.try_into().map_or(0, u32::from_le_bytes);
            let begin = offset.saturating_add(4);
            let end = begin.saturating_add(length.into()).saturating_add(HASH);
            let Some(report) = record::report(id).filter(|_| length <= LONGEST && end <= size)
            else {
                break;
            };
            self.places.insert(report, (place, begin, length));
            offset = end;
        }
        self.files.push((path, file));
        Ok(())
    }

    /// Reports that there are records of.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether there is a record of `report`.
    pub fn has(&self, report: &str) -> bool {
        self.places.contains_key(report)
    }

    /// The record of `report`; `None` where there is none. Blocks on the disk.
    pub fn record(&self, report: &str) -> Result<Option<Record>, KeptError> {
        let Some((place, begin, length)) = self.places.get(report) else {
            return Ok(None);
        };
        let Some((path, file)) = self.files.get(*place) else {
            return Ok(None);
        };
        let length = usize::try_from(*length).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length.saturating_add(32)];
        file.read_exact_at(&mut bytes, *begin)
            .map_err(StoreError::file("read", path))?;
        let wrong = |what| KeptError::Damaged {
            path: path.clone(),
            what,
        };
        let (body, hash) = bytes.split_at(length);
        if blake3::hash(body).as_bytes() != hash {
            return Err(wrong("the hash of a record"));
        }
        let record = Record::decode(body).filter(|record| record.report == report);
        Ok(Some(record.ok_or_else(|| wrong("a record"))?))
    }
}

/// All files below `dir`.
pub(super) fn files(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut files = Vec::new();
    for folder in shelf::paths(dir)? {
        match fs::metadata(&folder) {
            Ok(metadata) if metadata.is_dir() => files.extend(shelf::paths(&folder)?),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::super::record::tests::record;
    use super::*;

    const DAY: Date = Date::constant(2026, 11, 25);

    fn id(n: usize) -> String {
        format!("01KAVW9Z00000000000000{n:04}")
    }

    #[test]
    fn what_a_kill_cut_short_takes_nothing_else_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut segments = Segments::new(dir.path().to_owned());
        for n in 0..3 {
            segments.add("space", DAY, &record(&id(n), n)).unwrap();
        }
        let folder = dir.path().join("space");
        let path = folder.join("2026-11-25-0000");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let whole = fs::read(&path).unwrap();
        let found = |length: usize| {
            fs::write(&path, &whole[..length]).unwrap();
            let index = VectorIndex::open(&folder).unwrap();
            let reads = |n: usize| index.record(&id(n)).unwrap() == Some(record(&id(n), n));
            let all: Vec<bool> = (0..3).map(reads).collect();
            assert_eq!(index.len(), all.iter().filter(|found| **found).count());
            all
        };
        assert_eq!(found(whole.len()), [true; 3]);
        assert_eq!(found(whole.len() - 1), [true, true, false]);
        assert_eq!(found(MAGIC.len() + 3), [false; 3]);
        assert_eq!(found(0), [false; 3]);
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let mut next = Segments::new(dir.path().to_owned());
        next.add("space", DAY, &record(&id(2), 2)).unwrap();
        next.add("other", DAY, &record(&id(3), 1)).unwrap();
        let index = VectorIndex::open(&folder).unwrap();
        assert_eq!((index.len(), index.has(&id(3))), (3, false));
        assert_eq!(index.record(&id(2)).unwrap(), Some(record(&id(2), 2)));
        assert_eq!(files(dir.path()).unwrap().len(), 3);
    }

    #[test]
    fn a_changed_byte_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let mut segments = Segments::new(dir.path().to_owned());
        segments.add("space", DAY, &record(&id(1), 2)).unwrap();
        let path = dir.path().join("space/2026-11-25-0000");
        let whole = fs::read(&path).unwrap();
        for place in MAGIC.len()..whole.len() {
            let mut bytes = whole.clone();
            bytes[place] ^= 1;
            fs::write(&path, bytes).unwrap();
            let index = VectorIndex::open(&dir.path().join("space")).unwrap();
            let found = index.record(&id(1));
            assert!(!matches!(found, Ok(Some(_))), "byte {place}");
        }
    }
}
