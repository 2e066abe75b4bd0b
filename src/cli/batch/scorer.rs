//! One line, scored in this process.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::config::Config;
use crate::domain::job::backoff;
use crate::domain::lanes::Lane;
use crate::domain::report::Report;
use crate::http;
use crate::outbound::{Fetcher, OutboundError};
use crate::pipeline::{AnalyzeError, Options, Pipeline, Request};
use crate::store::{Spool, Upload};
use crate::worker::batches::{Line, Target};
use crate::worker::{Fault, JobsConfig, download};

/// What all lines share.
pub(super) struct Scorer {
    pipeline: Pipeline,
    fetcher: Fetcher,
    /// Where fetched content goes; `None` while nothing may be fetched.
    spool: Option<Spool>,
    folder: PathBuf,
    limit: u64,
    tries: JobsConfig,
    /// The request that was made last: most lines have the same options.
    request: Mutex<Option<(Options, Request)>>,
}

impl Scorer {
    /// `folder` is where relative paths begin.
    pub(super) fn new(
        config: &Config,
        pipeline: Pipeline,
        folder: PathBuf,
    ) -> anyhow::Result<Self> {
        let spool = config.fetch.enabled.then(|| Spool::open(&config.data));
        Ok(Self {
            pipeline,
            fetcher: Fetcher::open(&config.fetch, config.data.max_upload_bytes)?,
            spool: spool.transpose()?,
            folder,
            limit: config.data.max_upload_bytes,
            tries: config.jobs.clone(),
            request: Mutex::new(None),
        })
    }

    /// The report, or the problem as JSON that a job would have. A fault that can pass is met as
    /// often as for a job.
    pub(super) async fn score(&self, line: &Line) -> Result<Arc<Report>, String> {
        let longest = Duration::from_secs_f64(self.tries.max_backoff_s);
        let first = Duration::from_secs_f64(self.tries.backoff_s);
        let mut attempt: u32 = 1;
        loop {
            let fault = match self.attempt(line).await {
                Ok(report) => return Ok(report),
                Err(fault) => fault,
            };
            if !fault.can_pass() || attempt >= self.tries.max_attempts {
                return Err(http::explain(fault));
            }
            let wait = backoff(attempt, first, longest);
            let asked = fault.retry_after().unwrap_or_default().min(longest);
            tokio::time::sleep(wait.max(asked)).await;
            attempt = attempt.saturating_add(1);
        }
    }

    async fn attempt(&self, line: &Line) -> Result<Arc<Report>, Fault> {
        let request = self.request(&line.options)?;
        let upload = match &line.target {
            Target::Path(path) => self.file(Path::new(path)).await?,
            Target::Url(url) => self.fetch(url).await?,
        };
        let permit = self.pipeline.admission().place(Lane::Backfill).await;
        Ok(self.pipeline.analyze(upload, &request, permit).await?)
    }

    fn request(&self, options: &Options) -> Result<Request, AnalyzeError> {
        let mut known = self.request.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, request)) = known.as_ref().filter(|(known, _)| known == options) {
            return Ok(request.clone());
        }
        let request = self.pipeline.request(options, Lane::Backfill)?;
        *known = Some((options.clone(), request.clone()));
        Ok(request)
    }

    async fn file(&self, path: &Path) -> Result<Upload, Fault> {
        let (path, limit) = (self.folder.join(path), self.limit);
        let upload = tokio::task::spawn_blocking(move || Upload::from_path(&path, limit)).await;
        let upload = upload.map_err(AnalyzeError::from)?;
        Ok(upload.map_err(AnalyzeError::from)?)
    }

    async fn fetch(&self, url: &str) -> Result<Upload, Fault> {
        let url = self.fetcher.parse(url)?;
        let spool = self
            .spool
            .as_ref()
            .ok_or(OutboundError::Off { section: "fetch" })?;
        download(&self.fetcher, spool, &url).await
    }
}
