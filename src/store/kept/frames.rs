//! One report's frames in one file.
//!
//! `jaga.frames/1\n`, the packed pictures one behind the other, then JSON that says what they are
//! (`Contents`), its length (u64, little endian) and its BLAKE3 (32 bytes). The JSON has the hash of
//! each picture, so that its own hash stands for the whole file.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::super::error::StoreError;
use super::pack::Packed;
use super::{KeptError, pack};
use crate::domain::frame::{Frame, Picture};

const MAGIC: &[u8] = b"jaga.frames/1\n";
/// Length and hash of the contents.
const TAIL: u64 = 8 + 32;
/// Longest list of contents: 2048 frames have less than 1 MiB.
const LONGEST_CONTENTS: u64 = 16 << 20;

/// What a file holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    /// The report's id, which is the file's name as well.
    report: String,
    /// JSON of whoever wrote it.
    about: String,
    /// In the order in which the frames came.
    frames: Vec<Entry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    index: usize,
    time_s: f64,
    width: u32,
    height: u32,
    offset: u64,
    bytes: u64,
    blake3: String,
}

/// A file that is being written; without `finish` it goes.
#[derive(Debug)]
pub struct FrameWriter {
    file: NamedTempFile,
    bytes: u64,
    limit: u64,
    /// With the place in which each frame came.
    entries: Vec<(usize, Entry)>,
}

impl FrameWriter {
    /// In `folder`, of at most `limit` bytes.
    pub(super) fn begin(folder: &Path, limit: u64) -> Result<Self, KeptError> {
        let file = tempfile::Builder::new()
            .prefix(super::shelf::UNFINISHED)
            .tempfile_in(folder)
            .map_err(StoreError::file("make a file in", folder))?;
        let mut writer = Self {
            file,
            bytes: 0,
            limit,
            entries: Vec::new(),
        };
        writer.write(MAGIC)?;
        Ok(writer)
    }

    /// Adds the frame that came in `place`. Blocks on the disk.
    pub fn add(
        &mut self,
        place: usize,
        (index, time_s): (usize, f64),
        packed: &Packed,
    ) -> Result<(), KeptError> {
        let entry = Entry {
            index,
            time_s,
            width: packed.width,
            height: packed.height,
            offset: self.bytes,
            bytes: packed.bytes.len() as u64,
            blake3: blake3::hash(&packed.bytes).to_hex().to_string(),
        };
        self.write(&packed.bytes)?;
        self.entries.push((place, entry));
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), KeptError> {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        if self.bytes > self.limit {
            return Err(KeptError::TooLarge { limit: self.limit });
        }
        let written = self.file.write_all(bytes);
        Ok(written.map_err(StoreError::file("write", self.file.path()))?)
    }

    /// Gives it the name `path` once all is on disk; its size. `about` is for who reads it.
    pub(super) fn finish(
        mut self,
        path: &Path,
        report: &str,
        about: String,
    ) -> Result<u64, KeptError> {
        self.entries.sort_by_key(|(place, _)| *place);
        let contents = Contents {
            report: report.to_owned(),
            about,
            frames: self.entries.drain(..).map(|(_, entry)| entry).collect(),
        };
        let contents = serde_json::to_vec(&contents).map_err(|_| KeptError::Damaged {
            path: path.to_owned(),
            what: "its contents have no JSON form",
        })?;
        self.write(&contents)?;
        self.write(&(contents.len() as u64).to_le_bytes())?;
        self.write(blake3::hash(&contents).as_bytes())?;
        let synced = self.file.as_file().sync_all();
        synced.map_err(StoreError::file("write to disk", path))?;
        let named = self.file.persist(path).map_err(|error| error.error);
        named.map_err(StoreError::file("name", path))?;
        Ok(self.bytes)
    }
}

/// The frames of one file, one after the other in the order in which they came.
#[derive(Debug)]
pub struct FrameReader {
    path: PathBuf,
    file: File,
    about: String,
    frames: std::vec::IntoIter<Entry>,
}

impl FrameReader {
    /// Of the file `path` of `report`; `None` where there is none. All but the pictures is checked
    /// now.
    pub(super) fn open(path: &Path, report: &str) -> Result<Option<Self>, KeptError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::file("open", path)(error).into()),
        };
        let size = file.metadata().map(|metadata| metadata.len());
        let size = size.map_err(StoreError::file("look at", path))?;
        let wrong = |what| KeptError::Damaged {
            path: path.to_owned(),
            what,
        };
        let least = TAIL.saturating_add(MAGIC.len() as u64);
        let tail = size.checked_sub(TAIL).filter(|_| size >= least);
        let tail = tail.ok_or_else(|| wrong("it is too short"))?;
        let bytes = |offset, length| read(&file, path, offset, length);
        if bytes(0, MAGIC.len() as u64)? != MAGIC {
            return Err(wrong("it is no file of frames"));
        }
        let tail_bytes = bytes(tail, TAIL)?;
        let (length, hash) = tail_bytes.split_at(8);
        let length = length.try_into().map_or(u64::MAX, u64::from_le_bytes);
        let begin = tail
            .checked_sub(length)
            .filter(|_| length <= LONGEST_CONTENTS)
            .ok_or_else(|| wrong("the length of its contents"))?;
        let contents = bytes(begin, length)?;
        if blake3::hash(&contents).as_bytes() != hash {
            return Err(wrong("the hash of its contents"));
        }
        let contents: Contents =
            serde_json::from_slice(&contents).map_err(|_| wrong("its contents"))?;
        if contents.report != report {
            return Err(wrong("it belongs to another report"));
        }
        let mut next = MAGIC.len() as u64;
        for entry in &contents.frames {
            let length = Picture::byte_len(entry.width, entry.height);
            // zlib grows what it can't make smaller by less than this.
            let most = length.map(|length| (length as u64).saturating_mul(2).saturating_add(1024));
            if most.is_none_or(|most| entry.bytes > most) || !entry.time_s.is_finite() {
                return Err(wrong("a frame of its contents"));
            }
            next = next.max(entry.offset.saturating_add(entry.bytes));
        }
        if next > begin {
            return Err(wrong("a frame beyond its end"));
        }
        Ok(Some(Self {
            path: path.to_owned(),
            about: contents.about,
            frames: contents.frames.into_iter(),
            file,
        }))
    }

    /// What its writer said of it.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// The next frame; `None` behind the last. Blocks and computes.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, KeptError> {
        let Some(entry) = self.frames.next() else {
            return Ok(None);
        };
        let bytes = read(&self.file, &self.path, entry.offset, entry.bytes)?;
        if blake3::hash(&bytes).to_hex().as_str() != entry.blake3 {
            return Err(KeptError::Damaged {
                path: self.path.clone(),
                what: "the hash of a frame",
            });
        }
        let packed = pack::Packed {
            width: entry.width,
            height: entry.height,
            bytes,
        };
        Ok(Some(Frame {
            index: entry.index,
            time_s: entry.time_s,
            picture: packed.unpack()?,
        }))
    }
}

fn read(file: &File, path: &Path, offset: u64, length: u64) -> Result<Vec<u8>, KeptError> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut bytes, offset)
        .map_err(StoreError::file("read", path))?;
    Ok(bytes)
}
