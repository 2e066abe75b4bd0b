//! The manifest: read several times, whatever it comes from.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// A manifest.
pub(super) struct Source {
    file: File,
    name: String,
    folder: PathBuf,
}

impl Source {
    /// Of `path`; `-` is standard input. What can be read once only is copied to a file without a
    /// name first.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let is_input = path == Path::new("-");
        let name = if is_input {
            "standard input".to_owned()
        } else {
            path.display().to_string()
        };
        let folder = match path.parent() {
            Some(folder) if !is_input => folder.to_owned(),
            Some(_) | None => PathBuf::new(),
        };
        let open = || -> io::Result<File> {
            if is_input {
                return copied(&mut io::stdin().lock());
            }
            let mut file = File::open(path)?;
            if file.metadata()?.is_file() {
                return Ok(file);
            }
            copied(&mut file)
        };
        let file = open().with_context(|| format!("can't read the manifest {name}"))?;
        Ok(Self { file, name, folder })
    }

    /// For messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where relative paths begin.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// From the begin.
    pub(super) fn reader(&self) -> io::Result<BufReader<&File>> {
        (&self.file).seek(SeekFrom::Start(0))?;
        Ok(BufReader::new(&self.file))
    }

    /// Gives the whole manifest to `take`, piece by piece, until that wants no more.
    pub(super) fn pieces(&self, mut take: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
        let mut reader = self.reader()?;
        let mut piece = vec![0; 64 * 1024];
        loop {
            let read = reader.read(&mut piece)?;
            let came = piece.get(..read).unwrap_or_default();
            if came.is_empty() || !take(came) {
                return Ok(());
            }
        }
    }
}

fn copied(from: &mut impl Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(from, &mut file)?;
    Ok(file)
}
