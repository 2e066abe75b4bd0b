//! `jaga batch`: a manifest of files and URLs in, a line of JSON for each out, as they end.

mod results;
mod scorer;
mod source;

use std::collections::BTreeSet;
use std::io::Write;

use futures_util::stream::{self, StreamExt};

use self::results::{Results, Sink};
use self::scorer::Scorer;
use self::source::Source;
use super::args::BatchArgs;
use super::{Misuse, Outcome, progress};
use crate::config::Config;
use crate::domain::lanes::Lane;
use crate::inference::registry::{self, Selection};
use crate::pipeline::{AnalyzeError, Options, Pipeline};
use crate::store::batches::Place;
use crate::worker::batches::{Limits, Line, LineFault, Lines, Survey, digest};

/// Scores what the manifest names and the results don't hold yet.
pub(super) fn run(
    mut config: Config,
    args: &BatchArgs,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    if let Some(jobs) = args.jobs {
        config.analysis.concurrency = jobs as usize;
    }
    // Each line is looked at once.
    config.analysis.recall.max_bytes = 0;
    let source = Source::open(&args.manifest)?;
    let mut results = Results::open(&args.out, args.resume)?;
    let needs = look_through(&source, &config, &results)?;
    if needs.left > 0 {
        let models: Vec<String> = needs.models.into_iter().collect();
        let pipeline = Pipeline::start(&config, Selection::Named(&models))?;
        check_options(&source, &config, &pipeline)?;
        let scorer = Scorer::new(&config, pipeline, source.folder().to_owned())?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let run = Run {
            scorer: &scorer,
            at_once: config.analysis.concurrency().max(1),
            longest: config.jobs.batches.max_line_bytes,
            left: needs.left,
        };
        runtime.block_on(run.score_all(&source, &mut results, out))?;
    }
    results.finish()?;
    Ok(if results.some_failed() {
        Outcome::SomeFailed
    } else {
        Outcome::Done
    })
}

/// What is to be done.
struct Needs {
    /// Lines without a result.
    left: usize,
    /// Models that lines ask, the default ones among them where a line names none.
    models: BTreeSet<String>,
}

/// Checks the form of every line, so that nothing is scored of a manifest that is wrong.
fn look_through(source: &Source, config: &Config, results: &Results) -> anyhow::Result<Needs> {
    let known = registry::find(&config.models.dirs).map_err(AnalyzeError::from)?;
    let mut needs = Needs {
        left: 0,
        models: BTreeSet::new(),
    };
    survey(source, config, |line| {
        let models = &line.options.models;
        if let Some(model) = models.iter().find(|model| !known.contains_key(*model)) {
            return Err(LineFault::Refused(format!("there is no model {model}")));
        }
        let named = match models.as_slice() {
            [] => &config.models.default,
            named => named,
        };
        for model in named {
            if !needs.models.contains(model) {
                needs.models.insert(model.clone());
            }
        }
        if !results.hold(digest(&line.id)) {
            needs.left = needs.left.saturating_add(1);
        }
        Ok(())
    })?;
    Ok(needs)
}

/// Checks what only a pipeline can tell: policies, numbers of frames.
fn check_options(source: &Source, config: &Config, pipeline: &Pipeline) -> anyhow::Result<()> {
    let mut known: Option<Options> = None;
    survey(source, config, |line| {
        if known.as_ref() != Some(&line.options) {
            let possible = pipeline.request(&line.options, Lane::Backfill);
            possible.map_err(|error| LineFault::Refused(error.to_string()))?;
            known = Some(line.options.clone());
        }
        Ok(())
    })
}

fn survey(
    source: &Source,
    config: &Config,
    mut accept: impl FnMut(&Line) -> Result<(), LineFault>,
) -> anyhow::Result<()> {
    let mut survey = Survey::new(Limits {
        lines: u64::MAX,
        bytes: u64::MAX,
        line_bytes: config.jobs.batches.max_line_bytes,
    });
    let mut fault = None;
    source.pieces(|piece| match survey.push(piece, &mut accept) {
        Ok(()) => true,
        Err(found) => {
            fault = Some(found);
            false
        }
    })?;
    let surveyed = match fault {
        Some(fault) => Err(fault),
        None => survey.finish(&mut accept),
    };
    surveyed.map_err(|fault| Misuse(format!("{}: {fault}", source.name())))?;
    Ok(())
}

struct Run<'a> {
    scorer: &'a Scorer,
    at_once: usize,
    longest: usize,
    left: usize,
}

impl Run<'_> {
    async fn score_all(
        &self,
        source: &Source,
        results: &mut Results,
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        let bar = progress::bar(self.left, "lines");
        let mut lines = Lines::new(source.reader()?, Place::default(), self.longest);
        let (held, mut sink) = results.parts(out);
        let lines = std::iter::from_fn(move || lines.next_line().transpose());
        let lines = lines.filter(|line| {
            let id = line.as_ref().ok().map(|line| digest(&line.id));
            id.is_none_or(|id| !held.contains(&id))
        });
        let scored = |line: std::io::Result<Line>| async move {
            let line = line?;
            let result = self.scorer.score(&line).await;
            Ok::<_, std::io::Error>((line, result))
        };
        let mut scored =
            std::pin::pin!(stream::iter(lines.map(scored)).buffer_unordered(self.at_once));
        while let Some(ended) = scored.next().await {
            let (line, result) = ended?;
            bar.suspend(|| sink.add(&line, &result))?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    }
}
