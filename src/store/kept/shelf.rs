//! The folder of kept material, its retention and its limit.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::civil::Date;

use super::super::error::StoreError;
use super::frames::{FrameReader, FrameWriter};
use super::record::Record;
use super::segments::{Segments, VectorIndex, files};
use super::{KeepConfig, KeptError, Material};

/// How names of files begin that aren't whole.
pub(super) const UNFINISHED: &str = ".new-";
const FRAMES: &str = "frames";
const EMBEDDINGS: &str = "embeddings";
/// Time between looks at what is too old.
const LOOK_EVERY: Duration = Duration::from_hours(1);

/// Kept material of a data directory.
#[derive(Debug)]
pub struct Shelf {
    dir: PathBuf,
    config: KeepConfig,
    stock: Mutex<Stock>,
}

/// What is known of all files; who holds it adds or lets go.
#[derive(Debug)]
struct Stock {
    segments: Segments,
    /// Bytes of all files, at least.
    bytes: u64,
    /// When what is too old is let go of next.
    look_at: SystemTime,
}

/// A file of kept material.
struct Kept {
    path: PathBuf,
    made: SystemTime,
    bytes: u64,
}

impl Shelf {
    /// To write into: makes the folders where they are missing, and deletes what a killed server
    /// left unfinished.
    pub fn open(data: &Path, config: KeepConfig) -> Result<Self, KeptError> {
        let shelf = Self::read(data, config);
        let folder = shelf.dir.join(FRAMES);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(StoreError::file("make the folder", &folder))?;
        for path in paths(&folder)? {
            if name(&path).starts_with(UNFINISHED) {
                delete(&path)?;
            }
        }
        Ok(shelf)
    }

    /// To read from, also beside a server.
    pub fn read(data: &Path, config: KeepConfig) -> Self {
        let dir = data.join("kept");
        let stock = Stock {
            segments: Segments::new(dir.join(EMBEDDINGS)),
            bytes: 0,
            look_at: SystemTime::UNIX_EPOCH,
        };
        Self {
            dir,
            config,
            stock: Mutex::new(stock),
        }
    }

    /// What is kept of new reports.
    pub fn material(&self) -> Material {
        self.config.material
    }

    fn file(&self, report: &str) -> PathBuf {
        self.dir.join(FRAMES).join(report)
    }

    /// A file for the frames of a report that isn't made yet.
    pub fn begin(&self) -> Result<FrameWriter, KeptError> {
        FrameWriter::begin(&self.dir.join(FRAMES), self.config.max_bytes)
    }

    /// Keeps the frames of `report`. Once this returns they are on disk, whole, and what is beyond
    /// retention or limit is gone.
    pub fn keep(&self, frames: FrameWriter, report: &str, about: String) -> Result<(), KeptError> {
        let folder = self.dir.join(FRAMES);
        let bytes = frames.finish(&self.file(report), report, about)?;
        File::open(&folder)
            .and_then(|folder| folder.sync_all())
            .map_err(StoreError::file("write to disk", &folder))?;
        self.settle(&mut self.stock(), bytes)
    }

    /// Keeps what a backbone made of a report's frames. Once this returns it is on disk, and what
    /// is beyond retention or limit is gone.
    pub fn keep_vectors(&self, space: &str, day: Date, record: &Record) -> Result<(), KeptError> {
        let mut stock = self.stock();
        let bytes = stock.segments.add(space, day, record)?;
        self.settle(&mut stock, bytes)
    }

    /// Adds many records, for measurements.
    #[cfg(test)]
    pub(crate) fn fill(&self, space: &str, day: Date, record: &Record) -> Result<u64, KeptError> {
        self.stock().segments.write(space, day, record)
    }

    /// Where what is kept of `space` is.
    pub fn vectors(&self, space: &str) -> Result<VectorIndex, KeptError> {
        VectorIndex::open(&self.dir.join(EMBEDDINGS).join(space))
    }

    fn stock(&self) -> MutexGuard<'_, Stock> {
        self.stock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts `more` bytes, and lets go of what is too much or too old where it is time for that.
    fn settle(&self, stock: &mut Stock, more: u64) -> Result<(), KeptError> {
        stock.bytes = stock.bytes.saturating_add(more);
        let now = SystemTime::now();
        if stock.bytes > self.config.max_bytes || now >= stock.look_at {
            self.let_go(stock, now)?;
        }
        Ok(())
    }

    /// The frames of `report`, where they are kept.
    pub fn frames(&self, report: &str) -> Result<Option<FrameReader>, KeptError> {
        if !is_id(report) {
            return Ok(None);
        }
        FrameReader::open(&self.file(report), report)
    }

    /// Whether there are frames of `report`.
    pub fn has_frames(&self, report: &str) -> bool {
        is_id(report) && self.file(report).exists()
    }

    /// Ids of the reports whose frames are kept.
    pub fn reports(&self) -> Result<Vec<String>, KeptError> {
        let names = paths(&self.dir.join(FRAMES))?;
        let names = names.iter().map(|path| name(path).to_owned());
        Ok(names.filter(|name| is_id(name)).collect())
    }

    /// Deletes the frames of `report`, if they are there.
    pub fn forget(&self, report: &str) -> Result<(), KeptError> {
        Ok(delete(&self.file(report))?)
    }

    /// Deletes what is older than `keep.days`, and of the rest the oldest until it has no more than
    /// `keep.max_bytes`. Returns how many files went. Vectors go with the whole file of their day.
    pub fn prune(&self, now: SystemTime) -> Result<u64, KeptError> {
        self.let_go(&mut self.stock(), now)
    }

    fn let_go(&self, stock: &mut Stock, now: SystemTime) -> Result<u64, KeptError> {
        let mut kept = Vec::new();
        let mut all = 0_u64;
        let frames = paths(&self.dir.join(FRAMES))?.into_iter();
        let frames = frames.filter(|path| is_id(name(path)));
        for path in frames.chain(files(&self.dir.join(EMBEDDINGS))?) {
            // Gone since it was listed.
            let Ok(metadata) = fs::metadata(&path) else {
                continue;
            };
            all = all.saturating_add(metadata.len());
            kept.push(Kept {
                made: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                bytes: metadata.len(),
                path,
            });
        }
        kept.sort_by_key(|kept| kept.made);
        let age = Duration::from_secs(u64::from(self.config.days).saturating_mul(86_400));
        let oldest = now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
        let mut gone = 0;
        for file in kept {
            if file.made >= oldest && all <= self.config.max_bytes {
                break;
            }
            delete(&file.path)?;
            all = all.saturating_sub(file.bytes);
            gone += 1;
        }
        stock.bytes = all;
        stock.look_at = now.checked_add(LOOK_EVERY).unwrap_or(now);
        Ok(gone)
    }
}

/// Whether a name is that of a report: a ULID.
fn is_id(name: &str) -> bool {
    name.len() == 26 && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

/// What is in `folder`; nothing where there is no such folder.
pub(super) fn paths(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::file("list", folder)(error)),
    };
    let mut paths = Vec::new();
    for entry in listed {
        paths.push(entry.map_err(StoreError::file("list", folder))?.path());
    }
    Ok(paths)
}

fn delete(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::file("delete", path)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileExt, MetadataExt};

    use super::*;
    use crate::domain::frame::Picture;
    use crate::store::kept::pack;

    const REPORT: &str = "01KAVW9Z0000000000000000R1";

    fn picture(grey: u8) -> Picture {
        Picture::new(8, 4, vec![grey; 96]).unwrap()
    }

    fn shelf(data: &Path, max_bytes: u64) -> Shelf {
        let config = KeepConfig {
            material: Material::Frames,
            days: 2,
            max_bytes,
        };
        Shelf::open(data, config).unwrap()
    }

    fn keep(shelf: &Shelf, report: &str) -> Result<(), KeptError> {
        let mut writer = shelf.begin()?;
        // They are packed side by side: the second one may be through first.
        writer.add(1, (7, 0.1), &pack(&picture(9)))?;
        writer.add(0, (2, 1.0 / 3.0), &pack(&picture(200)))?;
        shelf.keep(writer, report, "about".to_owned())
    }

    #[test]
    fn frames_come_back_in_the_order_in_which_they_came_and_are_nobody_elses() {
        let data = tempfile::tempdir().unwrap();
        let shelf = shelf(data.path(), 1 << 20);
        keep(&shelf, REPORT).unwrap();
        let path = shelf.file(REPORT);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let mut frames = shelf.frames(REPORT).unwrap().unwrap();
        assert_eq!(frames.about(), "about");
        let first = frames.next_frame().unwrap().unwrap();
        assert_eq!((first.index, first.picture), (2, picture(200)));
        assert_eq!(first.time_s.to_bits(), (1.0_f64 / 3.0).to_bits());
        assert_eq!(frames.next_frame().unwrap().unwrap().picture, picture(9));
        assert!(frames.next_frame().unwrap().is_none());
        for stranger in ["01KAVW9Z0000000000000000R2", "../frames", ""] {
            assert!(shelf.frames(stranger).unwrap().is_none(), "{stranger}");
        }
        assert_eq!(shelf.reports().unwrap(), [REPORT]);
        shelf.forget(REPORT).unwrap();
        assert!(shelf.frames(REPORT).unwrap().is_none());
    }

    /// Reads all; whether that went well.
    fn reads(shelf: &Shelf) -> bool {
        let Ok(Some(mut frames)) = shelf.frames(REPORT) else {
            return false;
        };
        loop {
            match frames.next_frame() {
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    #[test]
    fn each_byte_counts_and_a_part_is_no_file() {
        let data = tempfile::tempdir().unwrap();
        let shelf = shelf(data.path(), 1 << 20);
        keep(&shelf, REPORT).unwrap();
        let path = shelf.file(REPORT);
        let whole = fs::read(&path).unwrap();
        assert!(reads(&shelf));
        let file = File::options().write(true).open(&path).unwrap();
        for place in 0..whole.len() {
            file.write_all_at(&[whole[place] ^ 1], place as u64)
                .unwrap();
            assert!(!reads(&shelf), "byte {place}");
            file.write_all_at(&whole[place..=place], place as u64)
                .unwrap();
        }
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(!reads(&shelf), "{length} bytes");
        }
        fs::write(&path, &whole).unwrap();
        fs::rename(&path, shelf.file("01KAVW9Z0000000000000000R3")).unwrap();
        assert!(shelf.frames("01KAVW9Z0000000000000000R3").is_err());
    }

    #[test]
    fn what_is_unfinished_old_or_too_much_goes() {
        let data = tempfile::tempdir().unwrap();
        let ids: Vec<String> = (1..=3)
            .map(|n| format!("01KAVW9Z0000000000000000R{n}"))
            .collect();
        let wide = shelf(data.path(), 1 << 20);
        for (age, id) in ids.iter().enumerate() {
            keep(&wide, id).unwrap();
            let file = File::options().write(true).open(wide.file(id)).unwrap();
            let made = SystemTime::now() - Duration::from_hours(10 * age as u64);
            file.set_modified(made).unwrap();
        }
        let size = fs::metadata(wide.file(&ids[0])).unwrap().len();
        // As a killed server leaves it.
        fs::write(data.path().join("kept/frames/.new-x"), b"jaga").unwrap();
        let narrow = shelf(data.path(), 2 * size);
        assert_eq!(
            fs::read_dir(data.path().join("kept/frames"))
                .unwrap()
                .count(),
            3
        );
        assert_eq!(narrow.prune(SystemTime::now()).unwrap(), 1);
        assert!(narrow.frames(&ids[2]).unwrap().is_none());
        let later = SystemTime::now() + Duration::from_hours(40);
        assert_eq!(narrow.prune(later).unwrap(), 1);
        assert_eq!(narrow.reports().unwrap(), [ids[0].clone()]);
        let tiny = shelf(data.path(), size - 1);
        assert!(matches!(
            keep(&tiny, &ids[1]),
            Err(KeptError::TooLarge { .. })
        ));
        assert_eq!(
            fs::read_dir(data.path().join("kept/frames"))
                .unwrap()
                .count(),
            1
        );
    }
}
