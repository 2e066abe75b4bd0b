//! Settings of the data directory.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `[data]` in `jaga.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// Holds the spool (and the database and keys of later versions). `JAGA_DATA_DIR` sets it.
    pub dir: PathBuf,
    /// Largest upload in bytes.
    pub max_upload_bytes: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            dir: PathBuf::from(".jaga/data"),
            max_upload_bytes: 512 * 1024 * 1024,
        }
    }
}
