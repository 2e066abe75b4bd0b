//! Evaluation of models: metrics beside scikit-learn's, the command, the page.

mod columnar;
mod command;
mod drift;
mod metrics;
pub(crate) mod page;
mod thumbnails;
