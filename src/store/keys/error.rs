//! What can go wrong with keys.

use std::io;
use std::path::{Path, PathBuf};

/// A fault of the keys' files.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file can't be read or written.
    #[error("can't {action} {}", path.display())]
    File {
        /// What was to be done.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The file of keys is no such file.
    #[error("{} is no file of keys", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A value in a file that can't be.
    #[error("{}: {key} must be {expected}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Which value.
        key: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A file of secrets that everybody on the machine may read or write.
    #[error("{} must be closed to others (chmod 600); its mode is {mode:o}", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A file that is too large to be one of keys.
    #[error("{} has more than {limit} bytes, so it is no file of keys", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Most bytes.
        limit: u64,
    },
    /// No key of this id.
    #[error("there is no key {id}; `jaga keys list` shows those there are")]
    Unknown {
        /// As asked for.
        id: String,
    },
    /// As many keys as there may be.
    #[error("there are {limit} keys, and no more may be")]
    TooMany {
        /// How many may be, revoked ones included.
        limit: usize,
    },
    /// A name that is too long or has control characters.
    #[error("a key's name has 1 to {longest} characters, none of them a control character")]
    Name {
        /// Most characters.
        longest: usize,
    },
    /// The operating system gave no random numbers.
    #[error("the system gave no random numbers")]
    Random(#[from] getrandom::Error),
    /// The keys have no form as text.
    #[error("can't write the keys as TOML")]
    Form(#[from] toml::ser::Error),
}

impl KeysError {
    /// Whether the file system takes no changes at all.
    pub(super) fn is_read_only(&self) -> bool {
        matches!(self, Self::File { source, .. }
            if source.kind() == io::ErrorKind::ReadOnlyFilesystem)
    }
}

pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeysError {
    let path = path.to_owned();
    move |source| KeysError::File {
        action,
        path,
        source,
    }
}
