//! `jaga models`

mod import;

use std::io::Write;

use comfy_table::{Table, presets};
use serde_json::json;

use super::Outcome;
use super::args::{ModelsAction, ModelsArgs};
use crate::config::Config;
use crate::inference::bundle::Task;
use crate::inference::registry::{self, Selection};
use crate::inference::{Bundle, Registry, Runtime};
use crate::pipeline::AnalyzeError;

/// Lists, shows, verifies or imports bundles.
pub(super) fn run(
    config: &Config,
    args: &ModelsArgs,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    match &args.action {
        ModelsAction::List => list(config, out),
        ModelsAction::Show { name } => show(config, name, out),
        ModelsAction::Verify { name } => verify(config, name.as_deref(), out),
        ModelsAction::Import(args) => import::run(config, args, out),
    }
}

fn list(config: &Config, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "name", "version", "status", "kind", "question", "license", "usable",
    ]);
    let mut outcome = Outcome::Done;
    for (name, folder) in registry::find(&config.models.dirs).map_err(AnalyzeError::from)? {
        match Bundle::open(&folder, &config.models.weights_dir) {
            Ok(bundle) => {
                let model = &bundle.identity;
                let default = config.models.default.contains(&name);
                table.add_row([
                    name,
                    model.version.clone(),
                    model.status.name().to_owned(),
                    bundle.task.kind().name().to_owned(),
                    question(&bundle.task).unwrap_or("-").to_owned(),
                    model.license.clone(),
                    if default { "yes, default" } else { "yes" }.to_owned(),
                ]);
            }
            Err(error) => {
                outcome = Outcome::SomeFailed;
                let fault = error.to_string().replace('\n', " ");
                let mut row = vec![name];
                row.extend((0..5).map(|_| "-".to_owned()));
                row.push(fault);
                table.add_row(row);
            }
        }
    }
    writeln!(out, "{}", table.trim_fmt())?;
    Ok(outcome)
}

fn show(config: &Config, name: &str, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let bundle = open(config, name)?;
    let model = &bundle.identity;
    let files: Vec<_> = bundle
        .files
        .iter()
        .map(|file| json!({ "path": file.path, "sha256": file.sha256, "source": file.source, "derive": file.derive }))
        .collect();
    let mut shown = json!({
        "name": model.name,
        "version": model.version,
        "sha256": bundle.sha256,
        "status": model.status,
        "kind": bundle.task.kind(),
        "question": question(&bundle.task),
        "license": model.license,
        "manifest": bundle.manifest_path,
        "graph": bundle.graph.path,
        "backbone": bundle.graph.sha256,
        "files": files,
        "max_batch": bundle.runtime.max_batch,
        "default": config.models.default.contains(&model.name),
    });
    if let (Task::Scorer(scorer), Some(shown)) = (&bundle.task, shown.as_object_mut()) {
        shown.extend([
            ("calibration".to_owned(), json!(scorer.calibration)),
            ("aggregation".to_owned(), json!(scorer.aggregation)),
            ("verdict".to_owned(), json!(scorer.verdict)),
            ("scope".to_owned(), json!(scorer.scope)),
        ]);
    }
    serde_json::to_writer_pretty(&mut *out, &shown)?;
    writeln!(out)?;
    Ok(Outcome::Done)
}

/// What a bundle answers; a finder answers nothing.
fn question(task: &Task) -> Option<&str> {
    match task {
        Task::Scorer(scorer) => Some(&scorer.question),
        Task::Finder(_) => None,
    }
}

/// The bundle of this name, checked.
pub(super) fn open(config: &Config, name: &str) -> anyhow::Result<Bundle> {
    let names = [name.to_owned()];
    let found = registry::select(
        registry::find(&config.models.dirs).map_err(AnalyzeError::from)?,
        Selection::Named(&names),
    )
    .map_err(AnalyzeError::from)?;
    let folder = found.into_values().next().unwrap_or_default();
    Ok(Bundle::open(&folder, &config.models.weights_dir)?)
}

/// Hashes, graph, one run: as at the start of a server, bundle by bundle.
fn verify(config: &Config, name: Option<&str>, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let providers = config.runtime.providers().map_err(AnalyzeError::from)?;
    let runtime = Runtime::configured(&config.runtime).map_err(AnalyzeError::from)?;
    let names: Vec<String> = match name {
        Some(name) => vec![name.to_owned()],
        None => registry::find(&config.models.dirs)
            .map_err(AnalyzeError::from)?
            .into_keys()
            .collect(),
    };
    let mut outcome = Outcome::Done;
    for name in names {
        let one = std::slice::from_ref(&name);
        match Registry::load(&runtime, &config.models, &providers, Selection::Named(one)) {
            Ok(loaded) => writeln!(out, "{name}: ok, runs on {}", runs_on(&loaded, &name))?,
            Err(error) => {
                outcome = Outcome::SomeFailed;
                writeln!(out, "{name}: {error}")?;
            }
        }
    }
    Ok(outcome)
}

/// What runs a bundle that was loaded, as ONNX Runtime calls it, with the nodes that each took.
pub(super) fn runs_on(loaded: &Registry, name: &str) -> String {
    let model = loaded.get(name).map(|model| &model.info().placement);
    let placement = match (model, loaded.finder(name)) {
        (Ok(placement), _) => placement,
        (Err(_), Ok(finder)) => &finder.info().placement,
        (Err(_), Err(_)) => return "nothing".to_owned(),
    };
    let nodes = placement.nodes.iter();
    let counts: Vec<String> = nodes
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    if counts.len() < 2 {
        return placement.provider.name().to_owned();
    }
    format!("{} (nodes: {})", placement.provider, counts.join(", "))
}
