//! Every video of a manifest, asked about once: by the pipeline that also serves, or from what is
//! kept of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::cache::Cache;
use super::error::EvaluationError;
use super::manifest::Manifest;
use crate::config::Config;
use crate::domain::lanes::Lane;
use crate::inference::registry::Selection;
use crate::pipeline::{AnalyzeError, AnalyzeErrorKind, Options, Permit, Pipeline, Request};
use crate::store::Upload;

/// How videos are asked about.
pub(crate) struct Asking<'a> {
    /// As for serving.
    pub(crate) config: Config,
    /// What is wanted of each; names the models.
    pub(crate) options: Options,
    /// Folder that answers are kept in.
    pub(crate) cache: &'a Path,
    /// Called after each video.
    pub(crate) done: &'a (dyn Fn() + Sync),
}

/// Content hash and answer of one file, as far as they are known.
pub(crate) type Found<T> = (Option<String>, Option<T>);

impl Asking<'_> {
    /// What `ask` answers for each video, in the manifest's order; an error is an answer too, as
    /// `failed` tells it. Answers that are kept already cost a hash of the file; where all are, no
    /// model is loaded.
    pub(crate) fn each<T, E>(
        mut self,
        manifest: &Manifest,
        ask: &impl AsyncFn(&Pipeline, &Request, Upload, Permit) -> Result<T, AnalyzeError>,
        failed: impl Fn(&AnalyzeError) -> T,
    ) -> Result<Vec<Found<T>>, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: From<EvaluationError> + From<AnalyzeError>,
    {
        let options = &self.options;
        let cache = Cache::open(
            self.cache.to_owned(),
            &self.config,
            &options.models,
            options.frames,
            options.sampling,
        )?;
        // Every file is admitted by this loop itself, and asked for once.
        self.config.analysis.queue = manifest.videos.len();
        self.config.analysis.recall.max_bytes = 0;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|source| EvaluationError::File {
            path: PathBuf::from("threads"),
            source,
        })?;
        let files: Vec<PathBuf> = manifest.videos.iter().map(|v| manifest.locate(v)).collect();
        let run = Run {
            limit: self.config.data.max_upload_bytes,
            at_once: self.config.analysis.concurrency().max(1),
            cache: Arc::new(cache),
            done: self.done,
        };
        let mut found = runtime.block_on(run.recall(&files));
        if found.iter().any(|(_, answer)| answer.is_none()) {
            let pipeline = Pipeline::start(&self.config, Selection::Named(&options.models))?;
            let request = pipeline.request(options, Lane::Backfill)?;
            let one = async |path| {
                let (upload, permit) = run.admit(path, &pipeline, &request).await?;
                ask(&pipeline, &request, upload, permit).await
            };
            runtime.block_on(run.ask(&files, &mut found, one, failed))?;
        }
        Ok(found)
    }
}

struct Run<'a> {
    limit: u64,
    at_once: usize,
    cache: Arc<Cache>,
    done: &'a (dyn Fn() + Sync),
}

impl Run<'_> {
    /// What is kept of each file.
    async fn recall<T: DeserializeOwned + Send + 'static>(
        &self,
        files: &[PathBuf],
    ) -> Vec<Found<T>> {
        let look = |path: &PathBuf| {
            let (path, limit, cache) = (path.clone(), self.limit, Arc::clone(&self.cache));
            async move {
                let look = move || {
                    let content = Upload::from_path(&path, limit).ok()?.blake3;
                    let answer = cache.find(&content);
                    Some((Some(content), answer))
                };
                let found = tokio::task::spawn_blocking(look).await;
                found.ok().flatten().unwrap_or((None, None))
            }
        };
        let mut found = Vec::with_capacity(files.len());
        let mut looks = stream::iter(files.iter().map(look)).buffered(self.at_once);
        while let Some((content, answer)) = looks.next().await {
            if answer.is_some() {
                (self.done)();
            }
            found.push((content, answer));
        }
        found
    }

    /// Asks for the rest, and keeps what a second try would not change.
    async fn ask<T: Serialize>(
        &self,
        files: &[PathBuf],
        found: &mut [Found<T>],
        ask: impl AsyncFn(PathBuf) -> Result<T, AnalyzeError>,
        failed: impl Fn(&AnalyzeError) -> T,
    ) -> Result<(), EvaluationError> {
        let rest = files.iter().zip(found.iter_mut());
        let rest = rest.filter(|(_, (_, answer))| answer.is_none());
        let one = |(path, slot): (&PathBuf, _)| {
            let asked = ask(path.clone());
            async move { (slot, asked.await) }
        };
        let mut results = stream::iter(rest.map(one)).buffer_unordered(self.at_once);
        while let Some((slot, result)) = results.next().await {
            let (lasting, answer) = match result {
                Ok(answer) => (true, answer),
                Err(error) => (is_of_the_file(&error), failed(&error)),
            };
            let (content, kept): &mut Found<T> = slot;
            if let Some(content) = content.as_ref().filter(|_| lasting) {
                self.cache.keep(content, &answer)?;
            }
            *kept = Some(answer);
            (self.done)();
        }
        Ok(())
    }

    async fn admit(
        &self,
        path: PathBuf,
        pipeline: &Pipeline,
        request: &Request,
    ) -> Result<(Upload, Permit), AnalyzeError> {
        let limit = self.limit;
        let ticket = pipeline.admission().enter(request.lane())?;
        let upload = tokio::task::spawn_blocking(move || Upload::from_path(&path, limit)).await??;
        let permit = pipeline.admission().work(ticket).await?;
        Ok((upload, permit))
    }
}

/// Whether the file's bytes are at fault, so that a second try fails too.
fn is_of_the_file(error: &AnalyzeError) -> bool {
    matches!(
        error.kind(),
        AnalyzeErrorKind::Empty
            | AnalyzeErrorKind::Unsupported
            | AnalyzeErrorKind::NoVideoStream
            | AnalyzeErrorKind::Corrupt
            | AnalyzeErrorKind::Limit
    )
}
