//! The file with the secrets: one a line, the newest first. Every one of them signs, so that a
//! receiver can go over to the new one before the old one is taken out.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::secret::Secret;
use crate::outbound::OutboundError;

/// Secrets that sign at the same time.
const MOST_SECRETS: usize = 2;
/// Largest file that is read, in bytes.
const LARGEST: u64 = 4096;

/// The secrets of `path`, of which there is at least one.
pub(super) fn read(path: &Path) -> Result<Vec<Secret>, OutboundError> {
    let file = File::open(path).map_err(failed(path, "a file that can be read"))?;
    let mode = file.metadata().map(|facts| facts.permissions().mode());
    let mode = mode.map_err(failed(path, "a file that can be read"))?;
    if mode & 0o007 != 0 {
        return Err(wrong(path, "closed to others (chmod o= FILE)"));
    }
    let mut text = String::new();
    file.take(LARGEST)
        .read_to_string(&mut text)
        .map_err(failed(path, "a text"))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let secrets: Option<Vec<_>> = lines.map(Secret::parse).collect();
    match secrets {
        Some(secrets) if (1..=MOST_SECRETS).contains(&secrets.len()) => Ok(secrets),
        Some(_) | None => Err(wrong(
            path,
            "one or two lines of whsec_ and the base64 of 24 to 64 bytes",
        )),
    }
}

/// Those of `path`, into which a new one is written where there is no such file.
pub(super) fn read_or_make(path: &Path) -> Result<Vec<Secret>, OutboundError> {
    match make(path) {
        Ok(secret) => Ok(vec![secret]),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(path),
        // A folder that may only be read can hold a secret that was put there.
        Err(_) if path.exists() => read(path),
        Err(error) => Err(failed(path, "a file that can be made")(error)),
    }
}

/// Whole or not at all: a temporary name, synced, then a link that never replaces anything.
fn make(path: &Path) -> io::Result<Secret> {
    if path.exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let secret = Secret::generate()?;
    let mut file = tempfile::Builder::new()
        .prefix(".webhooks-")
        .permissions(fs::Permissions::from_mode(0o600))
        .tempfile_in(folder)?;
    writeln!(file, "{}", secret.reveal())?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()?;
    Ok(secret)
}

fn wrong(path: &Path, expected: &'static str) -> OutboundError {
    OutboundError::File {
        path: path.to_owned(),
        expected,
        source: None,
    }
}

fn failed(path: &Path, expected: &'static str) -> impl FnOnce(io::Error) -> OutboundError {
    let path = path.to_owned();
    move |source| OutboundError::File {
        path,
        expected,
        source: Some(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/webhooks.secret");
        let first = read_or_make(&path).unwrap();
        assert_eq!(first.len(), 1);
        assert_eq!(read_or_make(&path).unwrap(), first);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let left = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(left, 1);
    }

    #[test]
    fn a_file_holds_one_secret_or_two() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let [a, b, c] = [(); 3].map(|()| Secret::generate().unwrap());
        let write = |text: &str, mode| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let two = format!("{}\n\n{}\n", a.reveal(), b.reveal());
        write(&two, 0o640);
        assert_eq!(read(&path).unwrap(), [a, b]);
        for (text, mode) in [
            ("", 0o600),
            ("password", 0o600),
            (two.as_str(), 0o644),
            (&format!("{two}{}", c.reveal()), 0o600),
        ] {
            write(text, mode);
            let error = read(&path).unwrap_err().to_string();
            assert!(
                error.contains("secret") && !error.contains("whsec_M"),
                "{error}"
            );
        }
        assert!(read(&folder.path().join("none")).is_err());
    }
}
