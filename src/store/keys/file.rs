//! Small secret files, replaced whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::error::{KeysError, failed};

/// Largest file that is read, in bytes: ten thousand keys take a third of it.
const LARGEST: u64 = 16 << 20;

/// The text of a secret file; `None` when there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<String>, KeysError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed("open", path))?,
    };
    let metadata = file.metadata().map_err(failed("read", path))?;
    let mode = metadata.permissions().mode() & 0o777;
    // A group is let in: Kubernetes gives a volume's files one.
    if mode & 0o007 != 0 {
        return Err(KeysError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    let mut text = String::new();
    file.take(LARGEST + 1)
        .read_to_string(&mut text)
        .map_err(failed("read", path))?;
    if text.len() as u64 > LARGEST {
        return Err(KeysError::TooLarge {
            path: path.to_owned(),
            limit: LARGEST,
        });
    }
    Ok(Some(text))
}

/// Replaces the file at `path`: a temporary name, synced, renamed. It belongs to the folder's
/// owner, so that keys made by root can be read by the server's user.
pub(super) fn replace(folder: &Path, path: &Path, text: &str) -> Result<(), KeysError> {
    let mut file = tempfile::Builder::new()
        .prefix(".keys-")
        .permissions(fs::Permissions::from_mode(0o600))
        .tempfile_in(folder)
        .map_err(failed("make a file in", folder))?;
    file.write_all(text.as_bytes())
        .and_then(|()| give_to_owner(folder, file.as_file()))
        .and_then(|()| file.as_file().sync_all())
        .map_err(failed("write", path))?;
    file.persist(path)
        .map_err(|error| failed("replace", path)(error.error))?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed("sync", folder))
}

/// Holds the lock of a folder's keys until it is dropped.
pub(super) fn lock(folder: &Path) -> Result<File, KeysError> {
    let path = folder.join("keys.lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed("open", &path))?;
    give_to_owner(folder, &file).map_err(failed("open", &path))?;
    file.lock().map_err(failed("lock", &path))?;
    Ok(file)
}

fn give_to_owner(folder: &Path, file: &File) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let owner = fs::metadata(folder)?;
    std::os::unix::fs::fchown(file, Some(owner.uid()), Some(owner.gid()))
}
