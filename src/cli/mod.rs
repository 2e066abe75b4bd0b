//! The command line: one file a command, results to a writer that is passed in.

pub mod args;
mod audit;
mod batch;
mod bench;
mod calibrate;
mod doctor;
mod drift;
mod eval;
mod fit;
mod footage;
mod keys;
mod models;
mod output;
mod policy;
mod progress;
mod rescore;
mod reviews;
mod score;
mod serve;
mod transparency;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use self::args::{Cli, Command};
use crate::config::{Config, ConfigError};
use crate::evaluation::EvaluationError;
use crate::fitting::FitError;
use crate::inference::import::{ImportError, ImportErrorKind};
use crate::pipeline::{AnalyzeError, AnalyzeErrorKind};
use crate::telemetry;

/// How a command ended, besides an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Exit code 0.
    Done,
    /// Exit code 1: a check that the command exists for found a fault.
    Failed,
    /// Exit code 3: some items failed, each named in the output.
    SomeFailed,
}

/// Runs a command and gives the exit code: 0 done, 1 failed, 2 wrong usage or configuration,
/// 3 some items failed.
pub fn run(cli: Cli) -> ExitCode {
    match dispatch(cli) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::from(1),
        Ok(Outcome::SomeFailed) => ExitCode::from(3),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // With nowhere left to write there is nobody to tell.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::from(if is_configuration(&error) { 2 } else { 1 })
        }
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<Outcome> {
    let config = Config::load(cli.config.as_deref(), std::env::vars())?;
    let serves = matches!(cli.command, Command::Serve(_));
    let level = if serves { "info,ort=warn" } else { "warn" };
    // Held until the command is done; then what is left of its traces is sent.
    let traces = if serves {
        telemetry::traces::start(&config.traces)
            .map_err(|error| Misuse(format!("{:#}", anyhow::Error::new(error))))?
    } else {
        None
    };
    telemetry::init(&config.log, level, traces.as_ref())
        .map_err(|error| Misuse(error.to_string()))?;
    let out = &mut io::stdout().lock();
    match cli.command {
        Command::Serve(args) => serve::run(config, &args),
        Command::Score(args) => score::run(config, &args, out),
        Command::Batch(args) => batch::run(config, &args, out),
        Command::Drift(args) => drift::run(config, &args, out),
        Command::Models(args) => models::run(&config, &args, out),
        Command::Keys(args) => keys::run(&config, &args, out),
        Command::Policy(args) => policy::run(&args, out),
        Command::Doctor => doctor::run(&config, out),
        Command::Bench(args) => bench::run(&config, &args, out),
        Command::Eval(args) => eval::run(&config, &args, out),
        Command::Transparency(args) => transparency::run(&config, &args, out),
        Command::Audit(args) => audit::run(&config, &args, out),
        Command::Reviews(args) => reviews::run(&config, &args, out),
        Command::Rescore(args) => rescore::run(&config, &args, out),
        Command::Fit(args) => fit::run(config, &args, out),
        Command::Calibrate(args) => calibrate::run(config, &args, out),
    }
}

/// Runs what reads the store to its end.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(work)
}

/// Wrong usage that the argument parser can't see.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Misuse(String);

fn is_configuration(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<ConfigError>()
            || cause.is::<Misuse>()
            || cause.downcast_ref().is_some_and(EvaluationError::is_usage)
            || cause.downcast_ref().is_some_and(FitError::is_usage)
            || cause
                .downcast_ref::<ImportError>()
                .is_some_and(|error| error.kind() == ImportErrorKind::Usage)
            || cause
                .downcast_ref::<AnalyzeError>()
                .is_some_and(is_callers_fault)
    })
}

fn is_callers_fault(error: &AnalyzeError) -> bool {
    matches!(
        error.kind(),
        AnalyzeErrorKind::BadRequest
            | AnalyzeErrorKind::UnknownModel
            | AnalyzeErrorKind::Configuration
    )
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let is_closed = |cause: &(dyn Error + 'static)| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    };
    error.chain().any(is_closed)
}
