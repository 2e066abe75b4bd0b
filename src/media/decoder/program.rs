//! Where the child's program is.

use std::io;
use std::path::{Path, PathBuf};

use crate::media::config::MediaConfig;
use crate::media::error::MediaError;

/// What is started as a child.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    /// Its one argument: what it may use, as JSON.
    pub(super) argument: String,
}

impl Program {
    /// The decoder that `config` means, with its argument.
    pub(super) fn of(config: &MediaConfig) -> Result<Self, MediaError> {
        Self::named(DECODER, config.decoder.as_deref(), config)
    }

    /// The perturber at `configured`, or where it is found, with the same argument.
    pub(super) fn perturber(
        configured: Option<&Path>,
        config: &MediaConfig,
    ) -> Result<Self, MediaError> {
        Self::named(PERTURBER, configured, config)
    }

    fn named(
        name: &str,
        configured: Option<&Path>,
        config: &MediaConfig,
    ) -> Result<Self, MediaError> {
        let argument = serde_json::to_string(&config.child)
            .map_err(|error| MediaError::ChildInternal(error.to_string()))?;
        Ok(Self {
            path: find(name, configured)?,
            argument,
        })
    }
}

/// The programs' names.
const DECODER: &str = "jaga-decoder";
const PERTURBER: &str = "jaga-perturber";

/// The configured program, or the one beside the running program, or (for test programs, which
/// cargo puts one folder deeper) the one a folder up.
fn find(name: &str, configured: Option<&Path>) -> Result<PathBuf, MediaError> {
    if let Some(program) = configured {
        // The child starts in another folder.
        return std::path::absolute(program).map_err(|source| MediaError::Spawn {
            program: program.to_owned(),
            source,
        });
    }
    let fault = |source| MediaError::Spawn {
        program: PathBuf::from(name),
        source,
    };
    let running = std::env::current_exe().map_err(fault)?;
    running
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .ok_or_else(|| {
            let beside = running.with_file_name(name);
            MediaError::Spawn {
                program: beside,
                source: io::ErrorKind::NotFound.into(),
            }
        })
}
