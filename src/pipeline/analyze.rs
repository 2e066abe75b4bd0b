//! One analysis, top to bottom.

mod embed;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::Date;

use super::admission::{Admission, Permit};
use super::answer::{self, Evidence, People};
use super::config::AnalysisConfig;
use super::error::AnalyzeError;
use super::frames::{self, Outputs};
use super::gathering;
use super::keeping::{Keeper, Keepsake};
use super::policies::Policies;
use super::recall::{self, Recall, Recalled};
use super::receipt::{Programs, receipt};
use super::request::{Options, Request, Stays};
use super::sight::Terms;
use super::source::{Replay, Source};
use super::stage;
use super::status::{self, Status};
use super::views::Views;
use crate::config::Config;
use crate::domain::lanes::Lane;
use crate::domain::policy::Policy;
use crate::domain::report::{MediaReport, ModelReport, Receipt, Report, SCHEMA, Timings};
use crate::domain::sampling::SamplingPlan;
use crate::inference::registry::Selection;
use crate::inference::{GraphCache, Model, Registry, Runtime};
use crate::media::protocol::Chosen;
use crate::media::sandbox::Walls;
use crate::media::{Decoder, MediaLimits};
use crate::store::kept::FrameReader;
use crate::store::{Material, Shelf, Upload};

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
    /// Where material is kept; nowhere without it.
    shelf: OnceLock<Arc<Shelf>>,
}

impl Pipeline {
    /// Starts the decoder and loads the models of `selection`, warmed up. Blocks for seconds.
    pub fn start(config: &Config, selection: Selection<'_>) -> Result<Self, AnalyzeError> {
        let policies = Policies::load(&config.policy)?;
        let decoder = Decoder::start(&config.media)?;
        let providers = config.runtime.providers()?;
        let runtime = caching(Runtime::configured(&config.runtime)?, config);
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
            shelf: OnceLock::new(),
            config: Arc::new(config.analysis.clone()),
        })
    }

    /// Keeps material of what is analysed from now on. Only the first shelf counts.
    pub fn keep_in(&self, archive: Arc<Shelf>) {
        if self.shelf.set(archive).is_err() {
            tracing::warn!("a second shelf was ignored");
        }
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
        let stills = SamplingPlan::new(
            options.sampling.unwrap_or(self.config.sampling),
            options.frames.unwrap_or(self.config.frames),
        )?;
        self.resolve(options, stills, (lane, policy))
    }

    fn resolve(
        &self,
        options: &Options,
        stills: SamplingPlan,
        (lane, policy): (Lane, Arc<Policy>),
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
            views: Arc::new(Views::of(&models, stills, &self.models)?),
            models: models.into(),
            adaptive: options.adaptive.unwrap_or(policy.adaptive),
            policy,
            frame_scores: options.frame_scores,
            lane,
            region: options.region.clone(),
            stays: Stays::All,
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
    ///
    /// With a shelf, its material is on disk when this returns. Where that can't be kept the report
    /// is none the worse: the log has why.
    pub async fn analyze(
        &self,
        upload: Upload,
        request: &Request,
        permit: Permit,
    ) -> Result<Arc<Report>, AnalyzeError> {
        let deadline = permit.deadline;
        let gathering = Gathering {
            keeper: self.keeper(request),
            vectors: self.keeps(request, Material::Embeddings),
        };
        let seen = tokio::time::timeout_at(
            deadline.at,
            self.look(&upload, request, (&permit, &gathering)),
        )
        .await
        .map_err(|_| deadline.passed())??;
        let since_upload = deadline.begin.elapsed();
        let about = About {
            keepsake: &seen.keepsake,
            spooling: upload.elapsed,
            since_upload,
            on: today(Timestamp::now()),
        };
        let report = || self.report(request, &seen, &about);
        let report = stage::aggregate().in_scope(report);
        drop(permit);
        let report = report?;
        if request.stays != Stays::Nothing {
            let terms = terms(request, &report.receipt, about.on);
            self.recall.keep(&report, &terms);
        }
        self.shelve(&report, request, (gathering.keeper, seen))
            .await;
        Ok(report)
    }

    /// Scores a stored report's kept frames by the models of `options`, decided by `policy` as of
    /// the day `on` and as if it had come in `lane`: with the same models and settings the report that was made of the upload, but
    /// for its id, its times and that day. Sampling is that of the kept frames, of which windows
    /// that weren't asked for then are an error.
    pub async fn replay(
        &self,
        frames: FrameReader,
        options: &Options,
        (policy, lane, on): (Arc<Policy>, Lane, Date),
        permit: Permit,
    ) -> Result<Arc<Report>, AnalyzeError> {
        let keepsake: Keepsake = serde_json::from_str(frames.about())?;
        let request = self.resolve(options, keepsake.plan.stills, (lane, policy))?;
        let part = keepsake.part(&request.views.plan)?;
        let viewing = Viewing {
            source: Source::Kept(Replay::new(frames, part.wanted)),
            decoding: tracing::Span::none(),
            keeper: None,
            gathers: false,
        };
        let deadline = permit.deadline;
        let looking = self.score(viewing, (keepsake, part.chosen), &request, &permit);
        let seen = tokio::time::timeout_at(deadline.at, looking)
            .await
            .map_err(|_| deadline.passed())??;
        let about = About {
            keepsake: &seen.keepsake,
            spooling: Duration::ZERO,
            since_upload: deadline.begin.elapsed(),
            on,
        };
        self.report(&request, &seen, &about)
    }

    /// Whether `material` of `request` is kept.
    fn keeps(&self, request: &Request, material: Material) -> bool {
        let archive = self.shelf.get().filter(|_| request.stays == Stays::All);
        archive.is_some_and(|archive| archive.material() == material)
    }

    /// Where material is.
    pub(super) fn archive(&self) -> Option<Arc<Shelf>> {
        self.shelf.get().cloned()
    }

    /// Who keeps the frames of `request`, if anybody does.
    fn keeper(&self, request: &Request) -> Option<Arc<Keeper>> {
        let archive = self.shelf.get()?;
        self.keeps(request, Material::Frames)
            .then(|| Arc::new(Keeper::begin(archive)))
    }

    /// Puts the material of `report` on the shelf.
    async fn shelve(
        &self,
        report: &Report,
        request: &Request,
        (keeper, seen): (Option<Arc<Keeper>>, Seen),
    ) {
        let Some(archive) = self.shelf.get().cloned() else {
            return;
        };
        let (id, today) = (report.id.clone(), today(Timestamp::now()));
        let duration_s = seen.keepsake.facts.duration_s;
        let records = if self.keeps(request, Material::Embeddings) {
            gathering::records(&id, request, &seen.outputs, duration_s)
        } else {
            BTreeMap::new()
        };
        let keep = move || {
            if let Some(keeper) = keeper {
                keeper.finish(&archive, &id, &seen.keepsake)?;
            }
            let mut each = records.iter();
            each.try_for_each(|(space, record)| archive.keep_vectors(space, today, record))
        };
        let kept = tokio::task::spawn_blocking(keep).await;
        let kept = kept.map_err(AnalyzeError::from);
        if let Err(error) = kept.and_then(|kept| Ok(kept?)) {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, report = report.id, "CAN'T KEEP A REPORT'S MATERIAL");
        }
    }

    /// Decodes the plan's frames and runs the models over them.
    async fn look(
        &self,
        upload: &Upload,
        request: &Request,
        (permit, gathering): (&Permit, &Gathering),
    ) -> Result<Seen, AnalyzeError> {
        let begin = Instant::now();
        let decoding = stage::decode();
        let mut media = self
            .decoder
            .open(upload.descriptor()?, permit.deadline.at)
            .await?;
        let keepsake = Keepsake {
            blake3: upload.blake3.clone(),
            bytes: upload.bytes,
            facts: media.facts().clone(),
            plan: request.views.plan.clone(),
            chosen: media.choose(&request.views.plan).await?.clone(),
        };
        stage::count(&decoding, "frames", keepsake.chosen.times_s.len() as u64);
        let opened = begin.elapsed();
        let viewing = Viewing {
            source: Source::Media(Box::new(media)),
            decoding,
            keeper: gathering.keeper.clone(),
            gathers: gathering.vectors,
        };
        let chosen = keepsake.chosen.clone();
        let mut seen = self
            .score(viewing, (keepsake, chosen), request, permit)
            .await?;
        let decode = &mut seen.outputs.spent.decode;
        *decode = decode.saturating_add(opened);
        Ok(seen)
    }

    /// Runs the models over the frames that come, which are the `chosen` ones.
    async fn score(
        &self,
        viewing: Viewing,
        (keepsake, chosen): (Keepsake, Chosen),
        request: &Request,
        permit: &Permit,
    ) -> Result<Seen, AnalyzeError> {
        let terms = Terms {
            models: Arc::clone(&request.models),
            views: Arc::clone(&request.views),
            config: Arc::clone(&self.config),
            lane: permit.lane(),
            adaptive: request.adaptive.then(|| Arc::clone(&request.policy)),
            content: keepsake.blake3.clone(),
            repeats: Arc::default(),
            keeper: viewing.keeper,
            gathers: viewing.gathers,
        };
        let outputs = frames::score(viewing.source, chosen, &terms, viewing.decoding).await?;
        let finders = 0..request.views.finders.len();
        let join = move || {
            let people = finders.map(|finder| People::of(&outputs, finder));
            let people = people.collect();
            (outputs, people)
        };
        let (outputs, people) = tokio::task::spawn_blocking(join).await?;
        Ok(Seen {
            keepsake,
            outputs,
            people,
        })
    }

    fn report(
        &self,
        request: &Request,
        seen: &Seen,
        about: &About<'_>,
    ) -> Result<Arc<Report>, AnalyzeError> {
        let Keepsake {
            blake3,
            bytes,
            facts,
            ..
        } = about.keepsake;
        let evidence = Evidence {
            outputs: &seen.outputs,
            views: &request.views,
            people: &seen.people,
            duration_s: facts.duration_s,
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
        let mut report = Report {
            schema: SCHEMA,
            id: ulid::Ulid::generate().to_string(),
            created_at: Timestamp::from_second(now.as_second())
                .unwrap_or(now)
                .to_string(),
            media: MediaReport {
                blake3: blake3.clone(),
                bytes: *bytes,
                facts: facts.clone(),
            },
            score: found.score,
            verdict: found.verdict,
            quality: answer::quality(&evidence),
            faces: answer::faces(&evidence),
            questions: found.answers,
            policy: request
                .policy
                .decide(&found.findings, &request.case(about.on)),
            models,
            receipt: self.receipt(request)?,
            rescored_of: None,
            timings_ms: timings(about, &seen.outputs),
        };
        report.receipt.report_blake3 = report.content_hash()?;
        Ok(Arc::new(report))
    }
}

/// `runtime` with the cache of graphs that `config` asks for. Without it where it can't be opened:
/// it saves time only.
pub fn caching(runtime: Runtime, config: &Config) -> Runtime {
    let limits = config.runtime.cache;
    if limits.max_bytes == 0 || limits.max_entries == 0 {
        return runtime;
    }
    let dir = config.data.dir.join("graphs");
    let opened = GraphCache::open(&dir, limits).inspect_err(|error| {
        let dir = dir.display().to_string();
        tracing::warn!(dir, %error, "no graphs are cached");
    });
    runtime.caching(opened.ok())
}

/// What a report says of its request besides what was seen.
struct About<'a> {
    keepsake: &'a Keepsake,
    /// Time that the upload took.
    spooling: Duration,
    /// Time since then.
    since_upload: Duration,
    /// The day of the decision.
    on: Date,
}

/// What is gathered of frames besides their scores.
struct Gathering {
    /// Who keeps the frames.
    keeper: Option<Arc<Keeper>>,
    /// Whether the vectors that heads read are gathered.
    vectors: bool,
}

/// Frames on their way to the models.
struct Viewing {
    source: Source,
    /// Ends with the last frame.
    decoding: tracing::Span,
    keeper: Option<Arc<Keeper>>,
    gathers: bool,
}

/// The date by which a policy's rules are chosen.
pub(super) fn today(now: Timestamp) -> Date {
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
    keepsake: Keepsake,
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

fn timings(about: &About<'_>, outputs: &Outputs) -> Timings {
    let ms = |duration: Duration| (duration.as_secs_f64() * 10_000.0).round() / 10.0;
    Timings {
        spool: ms(about.spooling),
        decode: ms(outputs.spent.decode),
        preprocess: ms(outputs.spent.preprocess),
        faces: ms(outputs.spent.faces),
        queue: ms(outputs.spent.queue),
        inference: ms(outputs.spent.inference),
        total: ms(about.spooling.saturating_add(about.since_upload)),
    }
}
