//! Settings of the data directory.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// `[data]` in `jaga.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// Holds the spool and the keys (and the database of later versions). `JAGA_DATA_DIR` sets it.
    pub dir: PathBuf,
    /// Holds the keys instead; a server can do with one that it may only read.
    pub keys_dir: Option<PathBuf>,
    /// Largest upload in bytes.
    pub max_upload_bytes: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            dir: PathBuf::from(".jaga/data"),
            keys_dir: None,
            max_upload_bytes: 512 * 1024 * 1024,
        }
    }
}

impl StoreConfig {
    /// Where the keys are.
    pub fn keys_dir(&self) -> &Path {
        self.keys_dir.as_deref().unwrap_or(&self.dir)
    }
}
