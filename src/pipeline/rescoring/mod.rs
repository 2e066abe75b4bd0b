//! Stored reports scored again, by other models or another policy, from what was kept of them.

mod head;
mod line;
#[cfg(test)]
mod scale;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use jiff::civil::Date;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::sync::OnceCell;

pub use line::{Asked, Line, Outcome, Problem, Rescored, Source, Stand};

use self::head::HeadModel;
use super::analyze::Pipeline;
use super::error::AnalyzeError;
use super::policies::{self, Policies};
use super::request::Options;
use crate::config::Config;
use crate::domain::policy::{Case, ModelAnswer, Policy, StoredFindings};
use crate::domain::quality::LeftOut;
use crate::domain::report::Report;
use crate::domain::score::Probability;
use crate::domain::verdict::Verdict;
use crate::inference::InferenceError;
use crate::inference::bundle::{Bundle, Sorted};
use crate::inference::registry::{self, Selection};
use crate::store::Shelf;
use crate::store::reports::Listed;

/// How stored reports are to be scored again.
#[derive(Debug, Clone, Default)]
pub struct Wanted<'a> {
    /// By these models, each in place of those that answered the same question; by none, only
    /// decided again.
    pub models: &'a [String],
    /// Decided by the policy of this file; by the configured one of the old decision's name when
    /// absent, and by the default one where there is none.
    pub policy: Option<&'a Path>,
    /// As of this day; each report's own when absent.
    pub on: Option<Date>,
}

/// Scores stored reports again.
#[derive(Debug)]
pub struct Rescorer {
    names: Vec<String>,
    heads: Vec<HeadModel>,
    archive: Arc<Shelf>,
    policy: Option<Arc<Policy>>,
    policies: Policies,
    on: Option<Date>,
    by: String,
    config: Config,
    /// Loaded for the first report of which only frames are kept.
    pipeline: OnceCell<Pipeline>,
}

/// What a line needs of a stored report besides what a decision rests on.
#[derive(Debug, Deserialize)]
struct Head {
    score: Option<Probability>,
    verdict: Verdict,
    media: Media,
    models: Vec<Lists>,
    receipt: Receipt,
}

#[derive(Debug, Deserialize)]
struct Media {
    blake3: String,
}

#[derive(Debug, Deserialize)]
struct Receipt {
    report_blake3: String,
}

#[derive(Debug, Deserialize)]
struct Lists {
    frames: Option<IgnoredAny>,
    windows: Option<IgnoredAny>,
    stopped: Option<IgnoredAny>,
}

/// A stored report, read.
#[derive(Debug)]
struct Stored {
    listed: Listed,
    head: Head,
    findings: StoredFindings,
}

/// How far a report came without the pipeline.
enum Step {
    Done(Box<Line>),
    /// Its kept frames are to be looked at.
    Frames(Box<Stored>),
}

impl From<Line> for Step {
    fn from(line: Line) -> Self {
        Self::Done(Box::new(line))
    }
}

impl Rescorer {
    /// With the material of the data directory `data`. Opens the bundles of the models, but loads
    /// none. Blocks on the disk.
    pub fn open(config: &Config, data: &Path, wanted: &Wanted<'_>) -> Result<Self, AnalyzeError> {
        let archive = Shelf::read(data, config.keep);
        let found = registry::find(&config.models.dirs)?;
        let found = registry::select(found, Selection::Named(wanted.models))?;
        let mut heads = Vec::new();
        for (name, folder) in &found {
            let bundle = Bundle::open(folder, &config.models.weights_dir);
            let Sorted::Scorer(bundle) = bundle.map_err(InferenceError::from)?.sort() else {
                let known = "a finder of faces is no model that scores".to_owned();
                let name = name.clone();
                return Err(InferenceError::UnknownModel { name, known }.into());
            };
            heads.push(HeadModel::open(&bundle, &archive)?);
        }
        let policy = wanted.policy.map(policies::read).transpose()?;
        let policies = Policies::load(&config.policy)?;
        let mut config = config.clone();
        // The command ends before a report could be asked for again.
        config.analysis.recall.max_bytes = 0;
        let mut rescorer = Self {
            names: wanted.models.to_vec(),
            heads,
            archive: Arc::new(archive),
            policy: policy.map(Arc::new),
            policies,
            on: wanted.on,
            by: String::new(),
            config,
            pipeline: OnceCell::new(),
        };
        rescorer.by = rescorer.hash();
        Ok(rescorer)
    }

    /// Hash of what scores and decides, as each line has it: lines of different ones don't belong
    /// into one file.
    pub fn by(&self) -> &str {
        &self.by
    }

    fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut add = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        for head in &self.heads {
            add(&head.sha256);
        }
        add(&format!("{:?}", self.on));
        match &self.policy {
            Some(policy) => add(&policy.blake3),
            None => {
                for loaded in self.policies.in_use().values() {
                    add(&loaded.policy.blake3);
                }
            }
        }
        hasher.finalize().to_hex().chars().take(16).collect()
    }

    /// The lines of `page`, in its order. An error only for what concerns all reports, such as a
    /// model that can't be loaded.
    pub async fn page(self: &Arc<Self>, page: Vec<Listed>) -> Result<Vec<Line>, AnalyzeError> {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let mut tasks = Vec::new();
        let mut rest = page.into_iter().peekable();
        let part = rest.len().div_ceil(cores).max(1);
        while rest.peek().is_some() {
            let part: Vec<Listed> = rest.by_ref().take(part).collect();
            let own = Arc::clone(self);
            let work = move || {
                part.into_iter()
                    .map(|one| own.step(one))
                    .collect::<Vec<_>>()
            };
            tasks.push(tokio::task::spawn_blocking(work));
        }
        let mut steps = Vec::new();
        for task in tasks {
            steps.extend(task.await?);
        }
        let at_once = self.config.analysis.concurrency();
        let lines = stream::iter(steps).map(|step| async {
            match step {
                Step::Done(line) => Ok(*line),
                Step::Frames(stored) => self.replay(*stored).await,
            }
        });
        let lines: Vec<_> = lines.buffered(at_once).collect().await;
        lines.into_iter().collect()
    }

    /// Scores one report from its vectors, or only decides it. Reads and computes.
    fn step(&self, listed: Listed) -> Step {
        let read = |text: &str| {
            let head: Head = serde_json::from_str(text)?;
            Ok::<_, serde_json::Error>((head, serde_json::from_str(text)?))
        };
        let (head, findings) = match read(&listed.body) {
            Ok(read) => read,
            Err(error) => {
                let detail = format!("the stored report can't be read: {error}");
                return self.failed(&listed, "internal", detail).into();
            }
        };
        let stored = Stored {
            listed,
            head,
            findings,
        };
        let report = &stored.listed.id;
        if self.heads.iter().all(|head| head.knows(report)) {
            let judged = self.by_vectors(&stored);
            let line = judged.unwrap_or_else(|error| self.fault(&stored.listed, &error));
            return line.into();
        }
        if self.archive.has_frames(report) {
            return Step::Frames(Box::new(stored));
        }
        let detail = "nothing is kept from which these models could score it".to_owned();
        self.failed(&stored.listed, "content_gone", detail).into()
    }

    /// Of no model, where none is asked.
    fn by_vectors(&self, stored: &Stored) -> Result<Line, AnalyzeError> {
        let mut answers = Vec::with_capacity(self.heads.len());
        for head in &self.heads {
            let answer = head.answer(&stored.listed.id)?;
            answers
                .push(answer.ok_or_else(|| AnalyzeError::NothingKept(stored.listed.id.clone()))?);
        }
        let from = if answers.is_empty() {
            Source::Report
        } else {
            Source::Embeddings
        };
        let asked = self.heads.iter().zip(&answers);
        let asked = asked.map(|(head, answer)| asked_model(&head.name, &head.sha256, answer));
        let asked = asked.collect();
        let policy = self.policy_of(stored)?;
        let rescored = self.rescored(stored, (from, answers, asked), &policy);
        Ok(self.line(&stored.listed, Outcome::Rescored(rescored)))
    }

    /// Scores one report from its kept frames.
    async fn replay(&self, stored: Stored) -> Result<Line, AnalyzeError> {
        let pipeline = self.pipeline.get_or_try_init(|| self.load()).await?;
        let replayed = self.replayed(pipeline, &stored).await;
        Ok(match replayed {
            Ok(rescored) => self.line(&stored.listed, Outcome::Rescored(rescored)),
            Err(error) => self.fault(&stored.listed, &error),
        })
    }

    async fn load(&self) -> Result<Pipeline, AnalyzeError> {
        let (config, names) = (self.config.clone(), self.names.clone());
        let start = move || Pipeline::start(&config, Selection::Named(&names));
        tokio::task::spawn_blocking(start).await?
    }

    async fn replayed(
        &self,
        pipeline: &Pipeline,
        stored: &Stored,
    ) -> Result<Rescored, AnalyzeError> {
        let (archive, id) = (self.archive.clone(), stored.listed.id.clone());
        let frames = tokio::task::spawn_blocking(move || archive.frames(&id)).await??;
        let gone = || AnalyzeError::NothingKept(stored.listed.id.clone());
        let frames = frames.ok_or_else(gone)?;
        let policy = self.policy_of(stored)?;
        let case = stored.findings.case();
        let lists = &stored.head.models;
        let options = Options {
            models: self.names.clone(),
            frame_scores: lists
                .iter()
                .any(|m| m.frames.is_some() || m.windows.is_some()),
            adaptive: Some(lists.iter().any(|m| m.stopped.is_some())),
            region: case.region,
            ..Options::default()
        };
        let permit = pipeline.admission().place(case.lane).await;
        let on = self.on.unwrap_or(case.date);
        let report = pipeline
            .replay(
                frames,
                &options,
                (Arc::clone(&policy), case.lane, on),
                permit,
            )
            .await?;
        let (answers, asked) = answers(&report);
        let from = Source::Frames;
        let mut rescored = self.rescored(stored, (from, answers, asked), &policy);
        rescored.new.report_blake3 = Some(report.receipt.report_blake3.clone());
        Ok(rescored)
    }

    fn policy_of(&self, stored: &Stored) -> Result<Arc<Policy>, AnalyzeError> {
        if let Some(policy) = &self.policy {
            return Ok(Arc::clone(policy));
        }
        self.policies.now(&stored.findings.decision.name)
    }

    fn rescored(
        &self,
        stored: &Stored,
        (from, answers, models): (Source, Vec<ModelAnswer>, Vec<Asked>),
        policy: &Policy,
    ) -> Rescored {
        let findings = stored.findings.answered_anew(answers);
        let case = findings.case();
        let date = self.on.unwrap_or(case.date);
        let decision = policy.redecide(&findings, &Case { date, ..case });
        let (score, verdict) = findings.worst(policy);
        Rescored {
            content: stored.head.media.blake3.clone(),
            from,
            old: Stand {
                score: stored.head.score,
                verdict: stored.head.verdict,
                action: findings.decision.action,
                report_blake3: Some(stored.head.receipt.report_blake3.clone()),
            },
            new: Stand {
                score,
                verdict,
                action: decision.action,
                report_blake3: None,
            },
            models,
        }
    }

    fn line(&self, listed: &Listed, result: Outcome) -> Line {
        Line {
            id: listed.id.clone(),
            mark: listed.mark,
            by: self.by.clone(),
            result,
        }
    }

    fn failed(&self, listed: &Listed, code: &str, detail: String) -> Line {
        let problem = Problem {
            code: code.to_owned(),
            detail,
        };
        self.line(listed, Outcome::Failed { problem })
    }

    fn fault(&self, listed: &Listed, error: &AnalyzeError) -> Line {
        let is_gone = matches!(error, AnalyzeError::NothingKept(_));
        let code = if is_gone {
            "content_gone"
        } else {
            error.kind().code()
        };
        self.failed(listed, code, error.to_string())
    }
}

fn asked_model(name: &str, sha256: &str, answer: &ModelAnswer) -> Asked {
    Asked {
        name: name.to_owned(),
        sha256: sha256.to_owned(),
        question: answer.question.clone(),
        score: answer.score,
        verdict: answer.verdict,
        scored: [answer.coverage.scored, answer.coverage.planned],
    }
}

/// What the models of a report say.
fn answers(report: &Report) -> (Vec<ModelAnswer>, Vec<Asked>) {
    let each = report.models.iter().map(|model| {
        let no_face = model.left_out.get(&LeftOut::NoFace);
        let answer = ModelAnswer {
            question: model.question.clone(),
            score: model.score,
            verdict: model.verdict,
            coverage: model.coverage,
            no_face: no_face.copied().unwrap_or_default(),
        };
        let asked = asked_model(&model.name, &model.sha256, &answer);
        (answer, asked)
    });
    each.unzip()
}
