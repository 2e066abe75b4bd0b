//! Videos of a manifest, for `jaga fit` and `jaga calibrate`.

use std::path::Path;

use super::args::FootageArgs;
use super::progress;
use crate::config::Config;
use crate::evaluation::Manifest;
use crate::fitting::{Footage, Gathered, Wanted, gather};

/// Reads `path` and asks for `wanted` of each of its videos, with a bar for people.
pub(super) fn ask(
    config: Config,
    path: &Path,
    args: &FootageArgs,
    (model, wanted): (&str, Wanted),
) -> anyhow::Result<(Manifest, Gathered)> {
    let manifest = Manifest::read(path, args.split.as_deref())?;
    let cache = args.cache.clone();
    let cache = cache.unwrap_or_else(|| config.data.dir.join("cache"));
    let bar = progress::bar(manifest.videos.len(), "videos");
    let footage = Footage {
        manifest: &manifest,
        config,
        model,
        frames: args.frames,
        sampling: args.sampling,
        cache: &cache,
    };
    let gathered = gather(footage, wanted, &|| bar.inc(1))?;
    bar.finish_and_clear();
    Ok((manifest, gathered))
}
