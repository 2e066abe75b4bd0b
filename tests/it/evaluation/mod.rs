//! Evaluation of models: metrics beside scikit-learn's, the command, the page.

mod columnar;
mod command;
mod drift;
mod metrics;
mod page;
mod thumbnails;
