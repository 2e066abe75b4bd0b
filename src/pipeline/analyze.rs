//! One analysis, top to bottom.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::admission::{Admission, Permit};
use super::answer::{self, Evidence};
use super::config::AnalysisConfig;
use super::error::AnalyzeError;
use super::frames::{self, Outputs};
use super::policies::Policies;
use super::receipt::{Programs, receipt};
use super::request::{Options, Request};
use crate::config::Config;
use crate::domain::media::MediaFacts;
use crate::domain::policy::{Lane, Policy};
use crate::domain::report::{MediaReport, ModelReport, Report, SCHEMA, Timings};
use crate::domain::sampling::SamplingPlan;
use crate::inference::registry::Selection;
use crate::inference::{Model, Registry, Runtime};
use crate::media::sandbox::Walls;
use crate::media::{Decoder, MediaLimits};
use crate::store::Upload;

/// Everything that an analysis needs, loaded and warm.
#[derive(Debug)]
pub struct Pipeline {
    decoder: Decoder,
    models: Registry,
    default_models: Vec<String>,
    policies: Policies,
    programs: Programs,
    limits: MediaLimits,
    config: AnalysisConfig,
    admission: Admission,
}

impl Pipeline {
    /// Starts the decoder and loads the models of `selection`, warmed up. Blocks for seconds.
    pub fn start(config: &Config, selection: Selection<'_>) -> Result<Self, AnalyzeError> {
        let policies = Policies::load(&config.policy)?;
        let decoder = Decoder::start(&config.media)?;
        let provider = config.runtime.provider()?;
        let runtime = Runtime::configured(&config.runtime)?;
        let models = Registry::load(&runtime, &config.models, provider, selection)?;
        Ok(Self {
            programs: Programs {
                onnxruntime: runtime.version().to_owned(),
                ffmpeg: decoder.ffmpeg_version().to_owned(),
            },
            decoder,
            models,
            default_models: config.models.default.clone(),
            policies,
            limits: config.media.limits,
            admission: Admission::new(&config.analysis),
            config: config.analysis.clone(),
        })
    }

    /// Who may come in.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// The walls around the decoder children.
    pub fn walls(&self) -> &Walls {
        self.decoder.walls()
    }

    /// The loaded models.
    pub fn models(&self) -> &Registry {
        &self.models
    }

    /// Models that score when a request names none.
    pub fn default_models(&self) -> &[String] {
        &self.default_models
    }

    /// Resolves a caller's wishes against what is loaded.
    pub fn request(&self, options: &Options, lane: Lane) -> Result<Request, AnalyzeError> {
        let policy = self.policies.get(options.policy.as_deref())?;
        self.request_with_policy(options, lane, policy)
    }

    /// As [`Pipeline::request`], decided by a policy of the caller's own.
    pub fn request_with_policy(
        &self,
        options: &Options,
        lane: Lane,
        policy: Arc<Policy>,
    ) -> Result<Request, AnalyzeError> {
        let names = if options.models.is_empty() {
            &self.default_models
        } else {
            &options.models
        };
        let mut models: Vec<Arc<Model>> = Vec::with_capacity(names.len());
        for name in names {
            let model = self.models.get(name)?;
            if !models.iter().any(|m| Arc::ptr_eq(m, model)) {
                models.push(Arc::clone(model));
            }
        }
        Ok(Request {
            plan: SamplingPlan::new(
                options.sampling.unwrap_or(self.config.sampling),
                options.frames.unwrap_or(self.config.frames),
            )?,
            models,
            policy,
            frame_scores: options.frame_scores,
            lane,
        })
    }

    /// Scores one upload. Dropping the future kills the decoder and gives up all queued frames.
    pub async fn analyze(
        &self,
        upload: Upload,
        request: &Request,
        permit: Permit,
    ) -> Result<Report, AnalyzeError> {
        let deadline = permit.deadline;
        let seen = tokio::time::timeout_at(deadline.at, self.look(&upload, request, deadline.at))
            .await
            .map_err(|_| deadline.passed())??;
        let report = self.report(&upload, request, seen, deadline.begin.elapsed());
        drop(permit);
        report
    }

    /// Decodes the plan's frames and runs the models over them.
    async fn look(
        &self,
        upload: &Upload,
        request: &Request,
        deadline: tokio::time::Instant,
    ) -> Result<Seen, AnalyzeError> {
        let begin = Instant::now();
        let mut media = self.decoder.open(upload.descriptor()?, deadline).await?;
        let facts = media.facts().clone();
        let planned = media.choose(request.plan).await?.planned();
        let opened = begin.elapsed();
        let mut outputs =
            frames::score(media, &request.models, self.config.frames_in_flight).await?;
        outputs.spent.decode = outputs.spent.decode.saturating_add(opened);
        Ok(Seen {
            facts,
            planned: u32::try_from(planned).unwrap_or(u32::MAX),
            outputs,
        })
    }

    fn report(
        &self,
        upload: &Upload,
        request: &Request,
        seen: Seen,
        since_upload: Duration,
    ) -> Result<Report, AnalyzeError> {
        let models = model_reports(request, &seen)?;
        let (score, verdict) = answer::overall(&models);
        let now = Timestamp::now();
        let today = now.to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
        let mut report = Report {
            schema: SCHEMA,
            id: ulid::Ulid::generate().to_string(),
            created_at: Timestamp::from_second(now.as_second())
                .unwrap_or(now)
                .to_string(),
            media: MediaReport {
                blake3: upload.blake3.clone(),
                bytes: upload.bytes,
                facts: seen.facts,
            },
            score,
            verdict,
            questions: answer::answers(&models),
            policy: request
                .policy
                .decide(&answer::findings(&models), request.lane, today),
            models,
            receipt: receipt(request, &self.programs, self.limits)?,
            timings_ms: timings(upload, &seen.outputs, since_upload),
        };
        report.receipt.report_blake3 = report.content_hash()?;
        Ok(report)
    }
}

/// What was found in the upload.
struct Seen {
    facts: MediaFacts,
    planned: u32,
    outputs: Outputs,
}

fn model_reports(request: &Request, seen: &Seen) -> Result<Vec<ModelReport>, AnalyzeError> {
    let evidence = Evidence {
        outputs: &seen.outputs,
        planned: seen.planned,
        duration_s: seen.facts.duration_s,
        frame_scores: request.frame_scores,
    };
    request
        .models
        .iter()
        .zip(&seen.outputs.by_model)
        .map(|(model, frames)| answer::model_report(model, frames, &evidence))
        .collect()
}

fn timings(upload: &Upload, outputs: &Outputs, since_upload: Duration) -> Timings {
    let ms = |duration: Duration| (duration.as_secs_f64() * 10_000.0).round() / 10.0;
    Timings {
        spool: ms(upload.elapsed),
        decode: ms(outputs.spent.decode),
        preprocess: ms(outputs.spent.preprocess),
        queue: ms(outputs.spent.queue),
        inference: ms(outputs.spent.inference),
        total: ms(upload.elapsed.saturating_add(since_upload)),
    }
}
