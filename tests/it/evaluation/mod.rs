//! Evaluation of models: metrics beside scikit-learn's, the command, the page.

mod metrics;
