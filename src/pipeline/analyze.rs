//! One analysis, top to bottom.

mod embed;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::Date;

use super::admission::{Admission, Permit};
use super::answer::{self, Evidence, People};
use super::config::AnalysisConfig;
use super::error::AnalyzeError;
use super::frames::{self, Outputs};
use super::policies::Policies;
use super::recall::{self, Recall, Recalled};
use super::receipt::{Programs, receipt};
use super::request::{Options, Request};
use super::sight::Terms;
use super::stage;
use super::status::{self, Status};
use super::views::Views;
use crate::config::Config;
use crate::domain::lanes::Lane;
use crate::domain::media::MediaFacts;
use crate::domain::policy::Policy;
use crate::domain::report::{MediaReport, ModelReport, Receipt, Report, SCHEMA, Timings};
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
    config: Arc<AnalysisConfig>,
    admission: Admission,
    recall: Recall,
}

impl Pipeline {
    /// Starts the decoder and loads the models of `selection`, warmed up. Blocks for seconds.
    pub fn start(config: &Config, selection: Selection<'_>) -> Result<Self, AnalyzeError> {
        let policies = Policies::load(&config.policy)?;
        let decoder = Decoder::start(&config.media)?;
        let providers = config.runtime.providers()?;
        let runtime = Runtime::configured(&config.runtime)?;
        let models = Registry::load(&runtime, &config.models, &providers, selection)?;
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
            admission: Admission::new(&config.analysis, config.models.shares),
            recall: Recall::new(config.analysis.recall),
            config: Arc::new(config.analysis.clone()),
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

    /// What goes on inside now.
    pub fn status(&self) -> Status {
        Status {
            onnxruntime: self.programs.onnxruntime.clone(),
            ffmpeg: self.programs.ffmpeg.clone(),
            admission: self.admission.clone(),
            children: self.decoder.counts(),
            walls: self
                .walls()
                .each()
                .map(|(name, wall)| (name, wall.in_force)),
            backbones: status::backbones(&self.models),
            finders: status::finders(&self.models),
        }
    }

    /// The loaded models.
    pub fn models(&self) -> &Registry {
        &self.models
    }

    /// The policies, which follow their files.
    pub fn policies(&self) -> &Policies {
        &self.policies
    }

    /// Refuses policies, now and later, with a question that none of the loaded models answers.
    pub fn require_answers(&self) -> Result<(), AnalyzeError> {
        let models = self.models.list();
        let answered = models.map(|model| model.info().question.clone());
        self.policies.require_answers(answered.collect())
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
        let stills = SamplingPlan::new(
            options.sampling.unwrap_or(self.config.sampling),
            options.frames.unwrap_or(self.config.frames),
        )?;
        Ok(Request {
            views: Arc::new(Views::of(&models, stills, &self.models)?),
            models: models.into(),
            adaptive: options.adaptive.unwrap_or(policy.adaptive),
            policy,
            frame_scores: options.frame_scores,
            lane,
            region: options.region.clone(),
        })
    }

    /// The report that was made of the same upload under the same terms, where it is still kept.
    /// It costs no place to work.
    pub fn recall(&self, upload: &Upload, request: &Request) -> Option<Recalled> {
        let receipt = self.receipt(request).ok()?;
        let terms = terms(request, &receipt, today(Timestamp::now()));
        self.recall.find(&upload.blake3, &terms)
    }

    fn receipt(&self, request: &Request) -> Result<Receipt, serde_json::Error> {
        receipt(request, &self.programs, self.limits, &self.config)
    }

    /// Scores one upload and keeps the report for [`Pipeline::recall`]. Dropping the future kills
    /// the decoder and gives up all queued frames.
    pub async fn analyze(
        &self,
        upload: Upload,
        request: &Request,
        permit: Permit,
    ) -> Result<Arc<Report>, AnalyzeError> {
        let deadline = permit.deadline;
        let seen = tokio::time::timeout_at(deadline.at, self.look(&upload, request, &permit))
            .await
            .map_err(|_| deadline.passed())??;
        let report = || self.report(&upload, request, &seen, deadline.begin.elapsed());
        let report = stage::aggregate().in_scope(report);
        drop(permit);
        report
    }

    /// Decodes the plan's frames and runs the models over them.
    async fn look(
        &self,
        upload: &Upload,
        request: &Request,
        permit: &Permit,
    ) -> Result<Seen, AnalyzeError> {
        let begin = Instant::now();
        let decoding = stage::decode();
        let mut media = self
            .decoder
            .open(upload.descriptor()?, permit.deadline.at)
            .await?;
        let facts = media.facts().clone();
        let chosen = media.choose(&request.views.plan).await?.clone();
        stage::count(&decoding, "frames", chosen.times_s.len() as u64);
        let opened = begin.elapsed();
        let terms = self.terms(upload, request, permit);
        let mut outputs = frames::score(media, chosen, &terms, decoding).await?;
        outputs.spent.decode = outputs.spent.decode.saturating_add(opened);
        let finders = 0..request.views.finders.len();
        let join = move || {
            let people = finders.map(|finder| People::of(&outputs, finder));
            let people = people.collect();
            (outputs, people)
        };
        let (outputs, people) = tokio::task::spawn_blocking(join).await?;
        Ok(Seen {
            facts,
            outputs,
            people,
        })
    }

    fn terms(&self, upload: &Upload, request: &Request, permit: &Permit) -> Terms {
        Terms {
            models: Arc::clone(&request.models),
            views: Arc::clone(&request.views),
            config: Arc::clone(&self.config),
            lane: permit.lane(),
            adaptive: request.adaptive.then(|| Arc::clone(&request.policy)),
            content: upload.blake3.clone(),
            repeats: Arc::default(),
        }
    }

    fn report(
        &self,
        upload: &Upload,
        request: &Request,
        seen: &Seen,
        since_upload: Duration,
    ) -> Result<Arc<Report>, AnalyzeError> {
        let evidence = Evidence {
            outputs: &seen.outputs,
            views: &request.views,
            people: &seen.people,
            duration_s: seen.facts.duration_s,
            frame_scores: request.frame_scores,
        };
        let models = model_reports(request, &evidence)?;
        let voters: Vec<_> = models
            .iter()
            .zip(request.models.iter())
            .map(|(report, model)| (report, model.thresholds()))
            .collect();
        let found = answer::questions(&voters, &request.policy);
        let now = Timestamp::now();
        let today = today(now);
        let mut report = Report {
            schema: SCHEMA,
            id: ulid::Ulid::generate().to_string(),
            created_at: Timestamp::from_second(now.as_second())
                .unwrap_or(now)
                .to_string(),
            media: MediaReport {
                blake3: upload.blake3.clone(),
                bytes: upload.bytes,
                facts: seen.facts.clone(),
            },
            score: found.score,
            verdict: found.verdict,
            quality: answer::quality(&evidence),
            faces: answer::faces(&evidence),
            questions: found.answers,
            policy: request.policy.decide(&found.findings, &request.case(today)),
            models,
            receipt: self.receipt(request)?,
            timings_ms: timings(upload, &seen.outputs, since_upload),
        };
        report.receipt.report_blake3 = report.content_hash()?;
        let report = Arc::new(report);
        let terms = terms(request, &report.receipt, today);
        self.recall.keep(&report, &terms);
        Ok(report)
    }
}

/// The date by which a policy's rules are chosen.
fn today(now: Timestamp) -> Date {
    now.to_zoned_datetime(jiff::tz::TimeZone::UTC).date()
}

fn terms<'a>(request: &Request, receipt: &'a Receipt, today: Date) -> recall::Terms<'a> {
    recall::Terms {
        config_blake3: &receipt.config_blake3,
        today,
        frame_scores: request.frame_scores,
    }
}

/// What was found in the upload.
struct Seen {
    facts: MediaFacts,
    outputs: Outputs,
    /// By finder.
    people: Vec<People>,
}

fn model_reports(
    request: &Request,
    evidence: &Evidence<'_>,
) -> Result<Vec<ModelReport>, AnalyzeError> {
    let report = |(place, model): (usize, &Arc<Model>)| {
        let groups = request.views.groups.iter();
        let group = groups
            .into_iter()
            .find(|group| group.members.contains(&place));
        group.map(|group| answer::model_report(place, model, group, evidence))
    };
    let models = request.models.iter().enumerate();
    models.filter_map(report).collect()
}

fn timings(upload: &Upload, outputs: &Outputs, since_upload: Duration) -> Timings {
    let ms = |duration: Duration| (duration.as_secs_f64() * 10_000.0).round() / 10.0;
    Timings {
        spool: ms(upload.elapsed),
        decode: ms(outputs.spent.decode),
        preprocess: ms(outputs.spent.preprocess),
        faces: ms(outputs.spent.faces),
        queue: ms(outputs.spent.queue),
        inference: ms(outputs.spent.inference),
        total: ms(upload.elapsed.saturating_add(since_upload)),
    }
}
