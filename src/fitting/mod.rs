//! Linear heads and calibrations from labelled embeddings: an `.npz` file and a table in, a model
//! bundle out. `docs/fitting.md` explains what is fitted and how it is judged.

mod archive;
mod balance;
mod bundle;
mod calibrate;
mod calibration;
mod card;
mod clips;
mod copy;
mod cross;
mod error;
mod figures;
mod folds;
mod heads;
mod limits;
mod second;
mod settle;
mod solver;
mod stage;
mod table;
mod videos;

pub use balance::{Balance, by_class};
pub use bundle::Recipe;
pub use calibrate::{Kind, apply, calibrate};
pub use calibration::{Budget, CONFIDENCE, Quality, Recalibrated, Scored, budget, recalibrate};
pub use clips::{Clips, Files, clips_of};
pub use copy::{Change, Own, calibration_of, copy};
pub use cross::{Choice, Fitted, Plan, Round, STRENGTHS, Settled, fit};
pub use error::FitError;
pub use figures::{Counts, Family, Figures, Shares, figures};
pub use folds::folds;
pub use limits::Limits;
pub use solver::{Data, Linear, Scale, Terms, logistic};
pub use videos::{Answer, Failure, Footage, Gathered, Wanted, gather};
