//! A finder of faces that is loaded and warm.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use ndarray::ArrayD;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::face::Face;
use crate::domain::frame::Picture;
use crate::domain::lanes::Lane;

use super::bundle::manifest::{Filter, FinderSection};
use super::bundle::{Bundle, FinderTask, Status};
use super::config::ModelsConfig;
use super::error::InferenceError;
use super::faces::decode::{Decode, DecodeError, decoder};
use super::faces::fit::Fit;
use super::faces::suppress::suppress;
use super::pool::{Engine, Pool};
use super::preprocess::{Encoder, resize};
use super::provider::Provider;
use super::providers::{Nodes, Placement, Providers, first_that_works};
use super::session::{InputSlot, Prepared, Runtime, Session, SessionConfig};
use super::tensor::Tensor;

/// What is known of a loaded finder, for reports and `/v1/models`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FinderInfo {
    /// The bundle's name.
    pub name: String,
    /// The bundle's version.
    pub version: String,
    /// Identity of the bundle's content, see [`Bundle::sha256`].
    pub sha256: String,
    /// How far it may be trusted.
    pub status: Status,
    /// SPDX expression of the weights.
    pub license: String,
    /// The execution provider that runs it, by ONNX Runtime's name.
    #[schema(value_type = String)]
    pub provider: Provider,
    /// What ran where, and what was passed over.
    #[serde(flatten)]
    pub placement: Placement,
    /// Sessions, each on a thread of its own.
    pub sessions: usize,
    /// Threads that one session computes with.
    pub intra_threads: usize,
}

/// A bundle that finds faces, with its sessions, each warmed up.
#[derive(Debug)]
pub struct Finder {
    info: FinderInfo,
    section: FinderSection,
    filter: Filter,
    encoder: Encoder,
    pool: Pool<Seeker>,
}

/// A picture as a finder sees it.
#[derive(Debug, Clone)]
pub struct FinderInput {
    tensor: Tensor,
    fit: Fit,
}

impl FinderInput {
    /// Width and height of the graph's input.
    pub fn size(&self) -> [u32; 2] {
        self.fit.input()
    }
}

/// The faces of one picture and what it took to find them.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// In pixels of the picture, largest box first (ties: confidence, then position).
    pub faces: Vec<Face>,
    /// From the call to the start of the computation.
    pub queued: Duration,
    /// The computation.
    pub computed: Duration,
}

impl Finder {
    /// Loads as many sessions as the configuration and the bundle ask for and runs each once.
    /// Blocks for a part of a second.
    pub fn start(
        runtime: &Runtime,
        bundle: &Bundle<FinderTask>,
        config: &ModelsConfig,
        providers: impl Into<Providers>,
    ) -> Result<Self, InferenceError> {
        let begin = Instant::now();
        let count = config.sessions_for(bundle.runtime.sessions);
        let intra_threads = config.intra_threads_for(bundle.runtime.intra_threads);
        let allowed = bundle.runtime.providers.as_deref();
        let targets = providers.into().of(bundle.name(), allowed)?;
        let task = &bundle.task;
        let encoder = Encoder::new(&task.encoding);
        let (sessions, placement) = first_that_works(bundle.name(), &targets, |target| {
            let config = SessionConfig {
                target,
                intra_threads,
            };
            let prepared = Prepared::new(runtime, bundle, config, count)?;
            let (mut sessions, mut nodes) = (Vec::with_capacity(count), Nodes::new());
            for _ in 0..count {
                let (session, placed) =
                    Seeker::start(runtime, bundle, (config, &prepared), &encoder)?;
                nodes = placed;
                sessions.push(session);
            }
            prepared.keep();
            Ok((sessions, nodes))
        })?;
        let info = info(bundle, placement, count, intra_threads);
        tracing::info!(
            finder = info.name,
            version = info.version,
            provider = info.provider.name(),
            nodes = ?info.placement.nodes,
            sessions = count,
            elapsed_ms = begin.elapsed().as_millis(),
            "finder loaded"
        );
        Ok(Self {
            pool: Pool::start(&info.name, sessions, config.line(NonZeroUsize::MIN))?,
            info,
            section: task.finder.clone(),
            filter: task.filter,
            encoder,
        })
    }

    /// Who this is and how it runs.
    pub fn info(&self) -> &FinderInfo {
        &self.info
    }

    /// The finder's input for `picture`. Costs some milliseconds of computing: not for an async
    /// thread.
    pub fn prepare(&self, picture: &Picture) -> Result<FinderInput, InferenceError> {
        input(picture, &self.section, self.filter, &self.encoder)
    }

    /// The faces of one prepared picture. Waits for a session by the turns of `lane`; dropping the
    /// future gives it up.
    pub async fn find(&self, input: FinderInput, lane: Lane) -> Result<Found, InferenceError> {
        let timed = self.pool.run(lane, input).await?;
        Ok(Found {
            faces: timed.answer,
            queued: timed.queued,
            computed: timed.computed,
        })
    }

    /// Runs since it was loaded, warm-up aside.
    pub fn runs(&self) -> u64 {
        self.pool.runs()
    }

    /// Pictures that wait for a session now.
    pub fn waiting(&self) -> usize {
        self.pool.waiting()
    }
}

/// A finder's input for `picture`.
fn input(
    picture: &Picture,
    section: &FinderSection,
    filter: Filter,
    encoder: &Encoder,
) -> Result<FinderInput, InferenceError> {
    let sides = [picture.width(), picture.height()];
    let fit = Fit::new(sides, section.max_side, section.multiple);
    let rgb = resize(picture, fit.input(), filter);
    let tensor =
        encoder
            .tensor(&[&rgb], fit.input())
            .map_err(|error| InferenceError::Preprocess {
                width: picture.width(),
                height: picture.height(),
                reason: error.to_string(),
            })?;
    Ok(FinderInput { tensor, fit })
}

/// A session and what reads its outputs.
struct Seeker {
    session: Session,
    decoder: Box<dyn Decode>,
    name: String,
    section: FinderSection,
}

impl Seeker {
    /// Loads the graph, checks that it has the outputs, and runs it once.
    fn start(
        runtime: &Runtime,
        bundle: &Bundle<FinderTask>,
        (config, prepared): (SessionConfig<'_>, &Prepared),
        encoder: &Encoder,
    ) -> Result<(Self, Nodes), InferenceError> {
        let FinderTask {
            encoding, finder, ..
        } = &bundle.task;
        let slot = InputSlot {
            encoding,
            shape: &[Some(1), Some(3), None, None],
            max_batch: 1,
        };
        let session = Session::new(runtime, bundle, slot, config, prepared)?;
        for name in &finder.outputs {
            session.output(bundle, "finder.outputs", name)?;
        }
        let mut seeker = Self {
            session,
            decoder: decoder(finder.decoder),
            name: bundle.name().to_owned(),
            section: finder.clone(),
        };
        // Wider than high: a graph that mixes up the two, or has its sides written down, shows.
        let side = finder
            .multiple
            .get()
            .max(32)
            .next_multiple_of(finder.multiple.get());
        let fit = Fit::new([side * 2, side], finder.max_side, finder.multiple);
        let tensor = encoder.blank(1, fit.input());
        seeker.seek(&FinderInput { tensor, fit })?;
        let nodes = seeker.session.placed()?;
        if let Some(golden) = &bundle.golden {
            let input = input(&golden.picture, finder, bundle.task.filter, encoder)?;
            let outputs = seeker.outputs(&input.tensor)?;
            let mean = |values: &ArrayD<f32>| values.mapv(f64::from).mean().unwrap_or(f64::NAN);
            let found: Vec<f64> = outputs.iter().map(mean).collect();
            golden.check(bundle.name(), config.target.provider, &found)?;
        }
        Ok((seeker, nodes))
    }

    /// All outputs of one run, in the bundle's order.
    fn outputs(&mut self, tensor: &Tensor) -> Result<Vec<ArrayD<f32>>, InferenceError> {
        let names: Vec<&str> = self.section.outputs.iter().map(String::as_str).collect();
        self.session.run(tensor, &names)
    }

    fn seek(
        &mut self,
        FinderInput { tensor, fit }: &FinderInput,
    ) -> Result<Vec<Face>, InferenceError> {
        let outputs = self.outputs(tensor)?;
        let views: Vec<_> = outputs.iter().map(|output| output.view()).collect();
        let candidates = self
            .decoder
            .faces(&views, fit.input(), self.section.threshold)
            .map_err(|error| self.fault(error))?;
        let faces = suppress(candidates, self.section.nms_iou);
        Ok(faces.into_iter().map(|face| fit.place(face)).collect())
    }

    /// `error` as a fault of this finder.
    fn fault(&self, error: DecodeError) -> InferenceError {
        let model = self.name.clone();
        match error {
            DecodeError::Shape { expected, found } => InferenceError::OutputShape {
                model,
                expected,
                found,
            },
            DecodeError::NoNumber(value) => InferenceError::NoScore { model, value },
        }
    }
}

impl Engine for Seeker {
    type Input = FinderInput;
    type Answer = Vec<Face>;

    /// One run an input: pictures differ in size.
    fn run(&mut self, inputs: &[FinderInput]) -> Result<Vec<Vec<Face>>, InferenceError> {
        inputs.iter().map(|input| self.seek(input)).collect()
    }
}

fn info(
    bundle: &Bundle<FinderTask>,
    placement: Placement,
    sessions: usize,
    intra_threads: usize,
) -> FinderInfo {
    let identity = &bundle.identity;
    FinderInfo {
        name: identity.name.clone(),
        version: identity.version.clone(),
        sha256: bundle.sha256.clone(),
        status: identity.status,
        license: identity.license.clone(),
        provider: placement.provider,
        placement,
        sessions,
        intra_threads,
    }
}
