//! One graph with its sessions, and the models that read its outputs.
//!
//! Models whose graph, weights and `[input]` are the same share one backbone: one prepared tensor
//! and one run give the answers of all of them
//! (`docs/decisions/0010-one-backbone-several-heads.md`).

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::domain::lanes::Lane;
use crate::domain::score::Logit;

use super::bundle::{Bundle, BundleError, Scorer};
use super::config::ModelsConfig;
use super::error::InferenceError;
use super::pool::{Engine, Pool, Timed};
use super::preprocess::Preprocessor;
use super::provider::Provider;
use super::providers::{Nodes, Placement, Providers, Target, first_that_works};
use super::readout::Readout;
use super::session::{InputSlot, Prepared, Runtime, Session, SessionConfig};
use super::tensor::Tensor;

/// Scorers that can share a backbone; at least one.
#[derive(Debug, Clone)]
pub struct Family {
    first: Bundle<Scorer>,
    others: Vec<Bundle<Scorer>>,
}

impl Family {
    /// Of one.
    pub fn of(bundle: Bundle<Scorer>) -> Self {
        Self {
            first: bundle,
            others: Vec::new(),
        }
    }

    /// `bundles` sorted into families, each in the order given.
    pub fn sort(bundles: impl IntoIterator<Item = Bundle<Scorer>>) -> Vec<Self> {
        let mut families: Vec<Self> = Vec::new();
        for bundle in bundles {
            match families.iter_mut().find(|f| related(&f.first, &bundle)) {
                Some(family) => family.others.push(bundle),
                None => families.push(Self::of(bundle)),
            }
        }
        families
    }

    /// Its bundles.
    pub fn bundles(&self) -> impl Iterator<Item = &Bundle<Scorer>> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Names of its bundles, for logs and errors.
    fn name(&self) -> String {
        let names: Vec<&str> = self.bundles().map(Bundle::name).collect();
        names.join(", ")
    }

    /// The largest of what its bundles ask for.
    fn largest(&self, of: impl Fn(&Bundle<Scorer>) -> usize) -> usize {
        self.bundles().map(of).max().unwrap_or(1)
    }

    /// The providers that all of its bundles allow; `None` for any.
    fn allowed(&self) -> Option<Vec<Provider>> {
        let lists = self.bundles().filter_map(|b| b.runtime.providers.clone());
        lists.reduce(|all, own| all.into_iter().filter(|p| own.contains(p)).collect())
    }

    fn smallest_batch(&self) -> NonZeroUsize {
        let own = |bundle: &Bundle<Scorer>| bundle.runtime.max_batch;
        self.bundles().map(own).min().unwrap_or(NonZeroUsize::MIN)
    }
}

/// Whether two bundles have the same graph, the same weights and the same input.
fn related(one: &Bundle<Scorer>, other: &Bundle<Scorer>) -> bool {
    let weights = |bundle: &Bundle<Scorer>| -> Vec<String> {
        bundle.weights.iter().map(|w| w.sha256.clone()).collect()
    };
    one.graph.sha256 == other.graph.sha256
        && weights(one) == weights(other)
        && one.task.input == other.task.input
        && one.task.look.pictures() == other.task.look.pictures()
}

/// How a backbone runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackboneInfo {
    /// SHA-256 of its graph, lower-case hexadecimal.
    pub sha256: String,
    /// What runs it.
    pub placement: Placement,
    /// Inputs that may share one run: the least that one of its models or the configuration allows.
    pub max_batch: NonZeroUsize,
    /// Sessions, each on a thread of its own: the most that one of its models asks for.
    pub sessions: usize,
    /// Threads that one session computes with: the most that one of its models asks for.
    pub intra_threads: usize,
}

/// A graph with its sessions, each warmed up.
#[derive(Debug)]
pub struct Backbone {
    info: BackboneInfo,
    preprocessor: Preprocessor,
    pool: Pool<HeadedSession>,
}

/// What one run gave.
#[derive(Debug)]
pub struct Scored {
    /// Uncalibrated log-odds, one a head, in the order asked for. A value that is no score fails
    /// its head alone.
    pub logits: Vec<Result<Logit, InferenceError>>,
    /// For each head the vector that it read, where that was asked for and there is one.
    pub vectors: Vec<Option<Vec<f32>>>,
    /// From the call to the start of the computation.
    pub queued: Duration,
    /// The computation.
    pub computed: Duration,
}

impl Backbone {
    /// Loads as many sessions as the configuration and the bundles ask for and runs each once with
    /// the heads of all of `family`. Blocks for seconds.
    pub fn start(
        runtime: &Runtime,
        family: &Family,
        config: &ModelsConfig,
        providers: impl Into<Providers>,
    ) -> Result<Self, InferenceError> {
        let begin = Instant::now();
        let scorer = &family.first.task;
        let preprocessor = Preprocessor::new(&scorer.input, scorer.look.pictures());
        let mut info = BackboneInfo {
            sha256: family.first.graph.sha256.clone(),
            placement: Provider::Cpu.into(),
            max_batch: family.smallest_batch(),
            sessions: family.largest(|b| config.sessions_for(b.runtime.sessions)),
            intra_threads: family.largest(|b| config.intra_threads_for(b.runtime.intra_threads)),
        };
        let targets = providers
            .into()
            .of(family.first.name(), family.allowed().as_deref())?;
        let name = family.name();
        let (sessions, placement) = first_that_works(&name, &targets, |target| {
            warm_sessions(runtime, family, &preprocessor, (&info, target))
        })?;
        info.max_batch = config.batch_for(info.max_batch, placement.provider);
        info.placement = placement;
        tracing::info!(
            models = name,
            provider = info.placement.provider.name(),
            nodes = ?info.placement.nodes,
            sessions = info.sessions,
            elapsed_ms = begin.elapsed().as_millis(),
            "backbone loaded"
        );
        Ok(Self {
            pool: Pool::start(&name, sessions, config.line(info.max_batch))?,
            info,
            preprocessor,
        })
    }

    /// What it is and how it runs.
    pub fn info(&self) -> &BackboneInfo {
        &self.info
    }

    /// What makes its input out of pictures.
    pub fn preprocessor(&self) -> &Preprocessor {
        &self.preprocessor
    }

    /// The log-odds that `heads` (at least one) read from one run over `tensor`, which holds one
    /// input and may share the run with those of other callers. Waits by the turns of `lane`. Only
    /// the outputs that somebody reads are asked for. The heads are those of models of this
    /// backbone ([`super::Model::head`]); one of another graph fails the run.
    pub async fn score(
        &self,
        tensor: Tensor,
        heads: &[Arc<Readout>],
        lane: Lane,
    ) -> Result<Scored, InferenceError> {
        self.run(tensor, heads, (lane, false)).await
    }

    /// The same, with the vectors that the heads read.
    pub async fn score_with_vectors(
        &self,
        tensor: Tensor,
        heads: &[Arc<Readout>],
        lane: Lane,
    ) -> Result<Scored, InferenceError> {
        self.run(tensor, heads, (lane, true)).await
    }

    async fn run(
        &self,
        tensor: Tensor,
        heads: &[Arc<Readout>],
        (lane, with_vectors): (Lane, bool),
    ) -> Result<Scored, InferenceError> {
        let Timed {
            answer,
            queued,
            computed,
        } = self
            .pool
            .run(
                lane,
                Work {
                    tensor,
                    heads: heads.to_vec(),
                    with_vectors,
                },
            )
            .await?;
        let (logits, vectors) = answer.into_iter().unzip();
        Ok(Scored {
            logits,
            vectors,
            queued,
            computed,
        })
    }

    /// Inputs that wait for a session now.
    pub fn waiting(&self) -> usize {
        self.pool.waiting()
    }

    /// Runs since it was loaded, warm-up aside.
    pub fn runs(&self) -> u64 {
        self.pool.runs()
    }

    /// Inputs of these runs.
    pub fn inputs(&self) -> u64 {
        self.pool.inputs()
    }
}

/// One input and who wants to know.
struct Work {
    tensor: Tensor,
    heads: Vec<Arc<Readout>>,
    with_vectors: bool,
}

/// A session whose outputs are read by heads.
struct HeadedSession(Session);

/// What each head made of one input, with what it read where that was asked for.
type Logits = Vec<(Result<Logit, InferenceError>, Option<Vec<f32>>)>;

impl Engine for HeadedSession {
    type Input = Work;
    type Answer = Logits;

    /// One run over all of `works`; each one's heads read its own row of the outputs.
    fn run(&mut self, works: &[Work]) -> Result<Vec<Logits>, InferenceError> {
        let all = works.iter().flat_map(|work| &work.heads);
        let mut names: Vec<&str> = all.map(|head| head.output()).collect();
        names.sort_unstable();
        names.dedup();
        let tensors: Vec<&Tensor> = works.iter().map(|work| &work.tensor).collect();
        let batch = Tensor::stacked(&tensors).map_err(|error| self.0.fault(&error))?;
        let outputs = self.0.run(&batch, &names)?;
        let read = |(row, work): (usize, &Work)| {
            let heads = work.heads.iter();
            let logits = heads.filter_map(|head| {
                // Each head's output is among the names, and each name has its values.
                let mut values = names.iter().zip(&outputs);
                let own = values.find(|(name, _)| **name == head.output());
                own.map(|(_, values)| {
                    let (values, batch) = (values.view(), works.len());
                    let vector = || head.vector(&values, row, batch);
                    let vector = work.with_vectors.then(vector).flatten();
                    (head.of_row(&values, row, batch), vector)
                })
            });
            logits.collect()
        };
        Ok(works.iter().enumerate().map(read).collect())
    }
}

/// The sessions of `family`, each run once with all heads; several share the weights that can be
/// shared.
fn warm_sessions(
    runtime: &Runtime,
    family: &Family,
    preprocessor: &Preprocessor,
    (info, target): (&BackboneInfo, &Target),
) -> Result<(Vec<HeadedSession>, Nodes), InferenceError> {
    let bundle = &family.first;
    let shape: Vec<Option<usize>> = preprocessor.shape().into_iter().map(Some).collect();
    let slot = InputSlot {
        encoding: &bundle.task.input.encoding,
        shape: &shape,
        max_batch: info.max_batch.get(),
    };
    let config = SessionConfig {
        target,
        intra_threads: info.intra_threads,
    };
    let prepared = Prepared::new(runtime, bundle, config, info.sessions)?;
    let (blank, name) = (preprocessor.blank(), family.name());
    let heads = family.bundles().map(readout).collect::<Vec<_>>();
    let mut nodes = Nodes::new();
    let warm = |_| {
        let session = Session::new(runtime, bundle, slot, config, &prepared)?;
        for (bundle, head) in family.bundles().zip(&heads) {
            fits(bundle, &session, head)?;
        }
        let mut session = HeadedSession(session.named(&name));
        let work = Work {
            tensor: blank.clone(),
            heads: heads.clone(),
            with_vectors: false,
        };
        for (logit, _) in session.run(&[work])?.into_iter().flatten() {
            logit?;
        }
        nodes = session.0.placed()?;
        for (bundle, head) in family.bundles().zip(&heads) {
            prove(&mut session, preprocessor, (bundle, head), target.provider)?;
        }
        Ok(session)
    };
    let sessions = (0..info.sessions)
        .map(warm)
        .collect::<Result<_, InferenceError>>()?;
    prepared.keep();
    Ok((sessions, nodes))
}

/// Checks a session against a bundle's golden output, where it has one.
fn prove(
    session: &mut HeadedSession,
    preprocessor: &Preprocessor,
    (bundle, head): (&Bundle<Scorer>, &Arc<Readout>),
    provider: Provider,
) -> Result<(), InferenceError> {
    let Some(golden) = &bundle.golden else {
        return Ok(());
    };
    let pixels = preprocessor.pixels(&golden.picture);
    let tensor = preprocessor.tensor(&vec![&pixels; preprocessor.pictures()])?;
    let work = Work {
        tensor,
        heads: vec![Arc::clone(head)],
        with_vectors: false,
    };
    let logits = session.run(&[work])?.into_iter().flatten();
    let found = logits.map(|(logit, _)| Ok(logit?.get()));
    let found = found.collect::<Result<Vec<f64>, InferenceError>>()?;
    golden.check(bundle.name(), provider, &found)
}

/// What reads a model's output.
pub(super) fn readout(bundle: &Bundle<Scorer>) -> Arc<Readout> {
    Arc::new(Readout::new(bundle.name(), &bundle.task.output))
}

/// Checks the graph's declared output against what `head` reads.
fn fits(bundle: &Bundle<Scorer>, session: &Session, head: &Readout) -> Result<(), BundleError> {
    let dims = session.output(bundle, "output.name", head.output())?;
    if head.fits(dims) {
        return Ok(());
    }
    Err(BundleError::Value {
        file: bundle.manifest_path.clone(),
        key: "output.kind".to_owned(),
        expected: format!(
            "one that reads {dims:?} (-1 is open) as in {}",
            bundle.graph.path.display()
        ),
        found: format!("{}, which needs {}", head.kind(), head.expected()),
    })
}
