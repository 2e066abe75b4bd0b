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

/// What is asked about: a file, or what is made of it.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// The file.
    pub(crate) path: PathBuf,
    /// What is made of it, as part of the kept answer's name; empty for the file itself.
    pub(crate) variant: String,
}

impl Subject {
    /// What its answer is kept under.
    fn key(&self, content: &str) -> String {
        match self.variant.as_str() {
            "" => content.to_owned(),
            variant => format!("{content}-{variant}"),
        }
    }
}

/// The pipeline as one run uses it.
pub(crate) struct Desk<'a> {
    /// Where questions go.
    pub(crate) pipeline: &'a Pipeline,
    /// The question.
    pub(crate) request: &'a Request,
    /// Largest file in bytes.
    limit: u64,
}

impl Desk<'_> {
    /// Takes a file where it lies.
    pub(crate) async fn fetch(&self, path: PathBuf) -> Result<Upload, AnalyzeError> {
        let limit = self.limit;
        Ok(tokio::task::spawn_blocking(move || Upload::from_path(&path, limit)).await??)
    }

    /// Waits for the right to work on one.
    pub(crate) async fn permit(&self) -> Result<Permit, AnalyzeError> {
        let ticket = self.pipeline.admission().enter(self.request.lane())?;
        self.pipeline.admission().work(ticket).await
    }
}

impl Asking<'_> {
    /// What `ask` answers for each video, in the manifest's order; an error is an answer too, as
    /// `failed` tells it. Answers that are kept already cost a hash of the file; where all are, no
    /// model is loaded.
    pub(crate) fn each<T, E>(
        self,
        manifest: &Manifest,
        ask: &impl AsyncFn(&Pipeline, &Request, Upload, Permit) -> Result<T, AnalyzeError>,
        failed: impl Fn(&AnalyzeError) -> T,
    ) -> Result<Vec<Found<T>>, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: From<EvaluationError> + From<AnalyzeError>,
    {
        let subjects: Vec<Subject> = manifest
            .videos
            .iter()
            .map(|video| Subject {
                path: manifest.locate(video),
                variant: String::new(),
            })
            .collect();
        let one = async |desk: &Desk<'_>, (): &(), _: usize, subject: &Subject| {
            let answer = async {
                let upload = desk.fetch(subject.path.clone()).await?;
                let permit = desk.permit().await?;
                ask(desk.pipeline, desk.request, upload, permit).await
            };
            match answer.await {
                Ok(answer) => (true, answer),
                Err(error) => (is_of_the_file(&error), failed(&error)),
            }
        };
        self.each_of(&subjects, || Ok(()), &one)
    }

    /// What `one` answers for each subject, in their order, and whether a second try would answer
    /// the same, so that it is worth keeping. It is also given what `prepare` made, which is called
    /// once where an answer is missing, and the subject's place.
    pub(crate) fn each_of<T, P, E>(
        mut self,
        subjects: &[Subject],
        prepare: impl FnOnce() -> Result<P, E>,
        one: &impl AsyncFn(&Desk<'_>, &P, usize, &Subject) -> (bool, T),
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
        self.config.analysis.queue = subjects.len();
        self.config.analysis.recall.max_bytes = 0;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|source| EvaluationError::File {
            path: PathBuf::from("threads"),
            source,
        })?;
        let run = Run {
            limit: self.config.data.max_upload_bytes,
            at_once: self.config.analysis.concurrency().max(1),
            cache: Arc::new(cache),
            done: self.done,
        };
        let mut found = runtime.block_on(run.recall(subjects));
        if found.iter().any(|(_, answer)| answer.is_none()) {
            let prepared = prepare()?;
            let pipeline = Pipeline::start(&self.config, Selection::Named(&options.models))?;
            let request = pipeline.request(options, Lane::Backfill)?;
            let desk = Desk {
                pipeline: &pipeline,
                request: &request,
                limit: run.limit,
            };
            let one =
                async |place: usize, subject: &Subject| one(&desk, &prepared, place, subject).await;
            runtime.block_on(run.ask(subjects, &mut found, one))?;
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
    /// What is kept of each subject. The variants of a file lie side by side and cost one hash.
    async fn recall<T: DeserializeOwned + Send + 'static>(
        &self,
        subjects: &[Subject],
    ) -> Vec<Found<T>> {
        let files: Vec<&[Subject]> = subjects.chunk_by(|a, b| a.path == b.path).collect();
        let look = |variants: &[Subject]| {
            let (variants, limit, cache) = (variants.to_vec(), self.limit, Arc::clone(&self.cache));
            async move {
                let none = || (None, None);
                let unknown: Vec<Found<T>> = variants.iter().map(|_| none()).collect();
                let look = move || {
                    let path = &variants.first()?.path;
                    let content = Upload::from_path(path, limit).ok()?.blake3;
                    let answer = |subject: &Subject| {
                        (Some(content.clone()), cache.find(&subject.key(&content)))
                    };
                    Some(variants.iter().map(answer).collect())
                };
                let found = tokio::task::spawn_blocking(look).await;
                found.ok().flatten().unwrap_or(unknown)
            }
        };
        let mut found: Vec<Found<T>> = Vec::with_capacity(subjects.len());
        let mut looks = stream::iter(files.into_iter().map(look)).buffered(self.at_once);
        while let Some(answers) = looks.next().await {
            for (_, answer) in &answers {
                if answer.is_some() {
                    (self.done)();
                }
            }
            found.extend(answers);
        }
        found
    }

    /// Asks for the rest, and keeps what a second try would not change.
    async fn ask<'s, T: Serialize>(
        &self,
        subjects: &'s [Subject],
        found: &mut [Found<T>],
        ask: impl AsyncFn(usize, &'s Subject) -> (bool, T),
    ) -> Result<(), EvaluationError> {
        let rest = subjects.iter().zip(found.iter_mut()).enumerate();
        let rest = rest.filter(|(_, (_, (_, answer)))| answer.is_none());
        let one = |(place, (subject, slot)): (usize, (&'s Subject, _))| {
            let asked = ask(place, subject);
            async move { (subject, slot, asked.await) }
        };
        let mut results = stream::iter(rest.map(one)).buffer_unordered(self.at_once);
        while let Some((subject, slot, (lasting, answer))) = results.next().await {
            let (content, kept): &mut Found<T> = slot;
            if let Some(content) = content.as_ref().filter(|_| lasting) {
                self.cache.keep(&subject.key(content), &answer)?;
            }
            *kept = Some(answer);
            (self.done)();
        }
        Ok(())
    }
}

/// Whether the file's bytes are at fault, so that a second try fails too.
pub(super) fn is_of_the_file(error: &AnalyzeError) -> bool {
    matches!(
        error.kind(),
        AnalyzeErrorKind::Empty
            | AnalyzeErrorKind::Unsupported
            | AnalyzeErrorKind::NoVideoStream
            | AnalyzeErrorKind::Corrupt
            | AnalyzeErrorKind::Limit
    )
}
