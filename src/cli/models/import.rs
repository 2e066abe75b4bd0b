//! `jaga models import`

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::super::args::ImportArgs;
use super::super::{Misuse, Outcome};
use crate::config::Config;
use crate::inference::import::{ImportError, Plan, Request, Staged};
use crate::inference::{Model, ModelsConfig, Provider, Providers, Runtime, registry};
use crate::pipeline::AnalyzeError;

/// Decides, writes, tries and publishes; what fails on the way leaves nothing.
pub(super) fn run(
    config: &Config,
    args: &ImportArgs,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let plan = Plan::new(&request(args))?;
    let folder = folder(config, args)?;
    refuse_known(config, plan.name())?;
    // Before gigabytes are copied.
    let runtime = if args.no_verify {
        None
    } else {
        Some(runtime(config)?)
    };
    let staged = plan.stage(folder, &config.models.weights_dir)?;
    let tried = match runtime {
        Some((runtime, providers)) => {
            let provider = verify(&runtime, &providers, &config.models, &staged)?;
            format!("runs on {}", provider.name())
        }
        None => "not verified".to_owned(),
    };
    let place = staged.publish()?;
    writeln!(
        out,
        "{}: imported into {}, {tried}",
        plan.name(),
        place.display()
    )?;
    writeln!(out, "{}", plan.meaning())?;
    for note in &plan.preprocessing().notes {
        // With nowhere left to write there is nobody to tell.
        let _ = writeln!(io::stderr(), "note: {note}");
    }
    Ok(Outcome::Done)
}

fn request(args: &ImportArgs) -> Request {
    Request {
        folder: args.dir.clone(),
        file: args.file.clone(),
        name: args.name.clone(),
        question: args.question.clone(),
        license: args.license.clone(),
        version: args.model_version.clone(),
        synthetic_label: args.synthetic_label.clone(),
    }
}

fn folder<'a>(config: &'a Config, args: &'a ImportArgs) -> Result<&'a Path, Misuse> {
    let first = config.models.dirs.first().map(PathBuf::as_path);
    let folder = args.out.as_deref().or(first);
    folder.ok_or_else(|| Misuse("no folder of models is configured; --out names one".to_owned()))
}

/// A second bundle of one name, in whatever configured folder, would keep a server from starting.
fn refuse_known(config: &Config, name: &str) -> anyhow::Result<()> {
    let mut known = registry::find(&config.models.dirs).map_err(AnalyzeError::from)?;
    match known.remove(name) {
        Some(path) => Err(ImportError::Exists { path }.into()),
        None => Ok(()),
    }
}

fn runtime(config: &Config) -> anyhow::Result<(Runtime, Providers)> {
    let providers = config.runtime.providers().map_err(AnalyzeError::from)?;
    let runtime = Runtime::configured(&config.runtime)
        .map_err(AnalyzeError::from)
        .context("can't verify the bundle (--no-verify imports without)")?;
    Ok((runtime, providers))
}

/// One session, run once.
fn verify(
    runtime: &Runtime,
    providers: &Providers,
    models: &ModelsConfig,
    staged: &Staged,
) -> anyhow::Result<Provider> {
    let bundle = staged.bundle();
    let one = ModelsConfig {
        sessions: 1,
        ..models.clone()
    };
    Model::start(runtime, bundle, &one, providers)
        .map(|model| model.info().provider)
        .with_context(|| format!("{} was not imported: it doesn't run", bundle.name()))
}
