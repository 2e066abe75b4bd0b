//! What can go wrong between a bundle's folder and a model's answer.

use std::io;
use std::path::PathBuf;

use crate::domain::score::NotFinite;

use super::bundle::BundleError;
use super::faces::CropError;
use super::provider::Provider;

/// A fault of the inference stage. What somebody has to repair and what failed at run time are
/// apart: see [`InferenceError::kind`].
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// A model bundle that can't be used.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// No ONNX Runtime library is configured.
    #[error(
        "no ONNX Runtime library is configured\nhint: `./scripts/jaga` sets one up; else set \
         [runtime] library or JAGA_RUNTIME__LIBRARY to a libonnxruntime.so"
    )]
    NoLibrary,
    /// The ONNX Runtime library can't be loaded.
    #[error(
        "can't load ONNX Runtime from {}: {reason}\nhint: `./scripts/jaga` sets up the pinned \
         library", path.display()
    )]
    Library {
        /// Where it should be.
        path: PathBuf,
        /// What the loader says.
        reason: String,
    },
    /// Another library is in use already; a process can have one.
    #[error(
        "ONNX Runtime is loaded from {} already, so {} can't be loaded as well",
        loaded.display(), asked.display()
    )]
    SecondLibrary {
        /// The one in use.
        loaded: PathBuf,
        /// The one asked for.
        asked: PathBuf,
    },
    /// A name that is no execution provider's.
    #[error("{key} names {name:?}, which is no execution provider; there are: {known}")]
    UnknownProvider {
        /// Where it stands.
        key: String,
        /// As configured.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// An option that a provider doesn't have.
    #[error("runtime.options: {} has no option {option:?}; it has: {known}", provider.setting())]
    UnknownOption {
        /// The provider.
        provider: Provider,
        /// As configured.
        option: String,
        /// Those that there are.
        known: String,
    },
    /// An empty list of execution providers.
    #[error("{key} is empty; it needs at least one, such as \"cpu\"")]
    NoProvider {
        /// Which list.
        key: String,
    },
    /// An arena that is to shrink, and isn't there.
    #[error("{key} is true, and there is no arena to shrink: set arena = true as well, or neither")]
    NoArena {
        /// Where it stands.
        key: String,
    },
    /// A model whose bundle allows none of the configured providers.
    #[error(
        "the model {model:?} may run on {allowed} only (its bundle's runtime.providers); \
         configured for it: {configured}"
    )]
    NotAllowed {
        /// The model.
        model: String,
        /// What its bundle says.
        allowed: String,
        /// What the configuration says.
        configured: String,
    },
    /// An execution provider that can't be used here.
    #[error(
        "the execution provider {:?} can't be used: {reason}\nhint: {}",
        provider.setting(), provider.hint()
    )]
    ProviderUnusable {
        /// Which.
        provider: Provider,
        /// What is missing, or what ONNX Runtime says.
        reason: String,
    },
    /// A model of which a part would run elsewhere, where that is forbidden, or all of it.
    #[error("the provider {:?} doesn't run all of the model {model:?}: {detail}", provider.setting())]
    NotWhole {
        /// The model.
        model: String,
        /// The provider.
        provider: Provider,
        /// What runs where.
        detail: String,
    },
    /// The profile that says what ran where can't be read.
    #[error("can't tell what runs the model {model:?}: {reason}")]
    Profile {
        /// The model.
        model: String,
        /// What failed.
        reason: String,
    },
    /// A session that doesn't give what its bundle says: the answers can't be trusted.
    #[error(
        "the model {model:?} on the execution provider {:?} differs by {difference} from its golden \
         output, more than {tolerance}: it gave {found:?}, not {expected:?}\nhint: leave the model \
         out (models.load) or run it on another provider (runtime.model.{model}.providers)",
        provider.setting()
    )]
    Golden {
        /// The model.
        model: String,
        /// What ran it.
        provider: Provider,
        /// The bundle's values.
        expected: Vec<f64>,
        /// What came.
        found: Vec<f64>,
        /// The largest difference.
        difference: f64,
        /// The largest that the bundle allows on this provider.
        tolerance: f64,
    },
    /// None of several providers works for a model.
    #[error("no execution provider works for the model {model:?}:\n{reasons}")]
    NoneWorks {
        /// The model.
        model: String,
        /// One line a provider.
        reasons: String,
    },
    /// A folder of bundles that can't be listed.
    #[error("can't list the models in {}", path.display())]
    ListModels {
        /// The folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Two bundles of one name.
    #[error("the model {name:?} is there twice: in {} and in {}", first.display(), second.display())]
    DuplicateModel {
        /// The name.
        name: String,
        /// Found first.
        first: PathBuf,
        /// Found next.
        second: PathBuf,
    },
    /// A model that no folder has.
    #[error("there is no model {name:?}; there are: {known}")]
    UnknownModel {
        /// The name asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// A model whose finder of faces isn't there, or is none.
    #[error(
        "the model {model:?} takes its faces from {finder:?}, which is no finder here; bundles: \
         {known}"
    )]
    NoFinder {
        /// The model.
        model: String,
        /// What its `face.finder` says.
        finder: String,
        /// The bundles that there are, finders or not.
        known: String,
    },
    /// A session can't be made of a bundle's graph.
    #[error("ONNX Runtime can't load {} of the model {model:?}: {reason}", path.display())]
    Load {
        /// The model.
        model: String,
        /// The graph's file.
        path: PathBuf,
        /// What ONNX Runtime says.
        reason: String,
    },
    /// A thread that can't be started.
    #[error("can't start a worker thread for the model {model:?}")]
    Thread {
        /// The model.
        model: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Pixels that can't be turned into the model's input.
    #[error("can't make an input of {width}x{height} pixels: {reason}")]
    Preprocess {
        /// Pixels a row of the input.
        width: u32,
        /// Its rows.
        height: u32,
        /// What failed.
        reason: String,
    },
    /// A face that can't be cut out.
    #[error(transparent)]
    Crop(#[from] CropError),
    /// More or fewer pictures than make one input.
    #[error("the model takes {expected} picture(s) at once, not {found}")]
    PictureCount {
        /// What the bundle says.
        expected: usize,
        /// What came.
        found: usize,
    },
    /// ONNX Runtime refused to compute.
    #[error("the model {model:?} failed: {reason}")]
    Run {
        /// The model.
        model: String,
        /// What ONNX Runtime says.
        reason: String,
    },
    /// An output of another shape than the bundle says.
    #[error("the model {model:?} gave an output of shape {found:?}, expected {expected}")]
    OutputShape {
        /// The model.
        model: String,
        /// What the bundle asks for.
        expected: &'static str,
        /// What came.
        found: Vec<usize>,
    },
    /// An output that is NaN, infinite or, for a probability, outside 0..=1.
    #[error("the model {model:?} gave {value}, which is no score")]
    NoScore {
        /// The model.
        model: String,
        /// What came.
        value: f64,
    },
    /// A worker panicked over this entry.
    #[error("a worker of the model {model:?} panicked")]
    Panicked {
        /// The model.
        model: String,
    },
    /// The model is being shut down.
    #[error("the model {model:?} takes no more work")]
    Closed {
        /// The model.
        model: String,
    },
}

/// Classes of inference faults, for the doors to turn into codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InferenceErrorKind {
    /// A bundle or the configuration has to be repaired; found at start-up.
    Configuration,
    /// A model asked for by a caller that isn't there.
    UnknownModel,
    /// Computing failed; another try may do.
    Internal,
    /// The server is shutting down.
    Draining,
}

impl InferenceError {
    /// The class of this fault.
    pub fn kind(&self) -> InferenceErrorKind {
        match self {
            Self::Bundle(_)
            | Self::NoLibrary
            | Self::Library { .. }
            | Self::SecondLibrary { .. }
            | Self::UnknownProvider { .. }
            | Self::UnknownOption { .. }
            | Self::NoProvider { .. }
            | Self::NoArena { .. }
            | Self::NotAllowed { .. }
            | Self::ProviderUnusable { .. }
            | Self::NotWhole { .. }
            | Self::Profile { .. }
            | Self::Golden { .. }
            | Self::NoneWorks { .. }
            | Self::ListModels { .. }
            | Self::DuplicateModel { .. }
            | Self::NoFinder { .. }
            | Self::Load { .. } => InferenceErrorKind::Configuration,
            Self::UnknownModel { .. } => InferenceErrorKind::UnknownModel,
            Self::Thread { .. }
            | Self::Preprocess { .. }
            | Self::Crop(_)
            | Self::PictureCount { .. }
            | Self::Run { .. }
            | Self::OutputShape { .. }
            | Self::NoScore { .. }
            | Self::Panicked { .. } => InferenceErrorKind::Internal,
            Self::Closed { .. } => InferenceErrorKind::Draining,
        }
    }

    /// Whether another execution provider may do better: not so where the bundle is at fault.
    pub(super) fn is_of_provider(&self) -> bool {
        matches!(
            self,
            Self::ProviderUnusable { .. }
                | Self::NotWhole { .. }
                | Self::Load { .. }
                | Self::Run { .. }
        )
    }

    /// A value of `model` that is NaN or infinite.
    pub(super) fn not_finite(model: &str, error: NotFinite) -> Self {
        Self::NoScore {
            model: model.to_owned(),
            value: error.0,
        }
    }
}
