//! `jaga rescore`

mod results;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use comfy_table::{Table, presets};
use serde_json::json;

use self::results::{Results, Tally};
use super::args::{RescoreArgs, SheetFormat};
use super::{Misuse, Outcome, progress};
use crate::config::Config;
use crate::pipeline::rescoring::{Rescorer, Wanted};
use crate::store::reports::{ReportStore, Span};
use crate::store::{SqliteJobs, reports};

/// Reports that are read and written at once.
const PAGE: u32 = 256;

/// Scores the stored reports again, page after page, and tells how many go from which action to
/// which.
pub(super) fn run(
    config: &Config,
    args: &RescoreArgs,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let data = args.store.as_ref().unwrap_or(&config.data.dir);
    let wanted = Wanted {
        models: &args.models,
        policy: args.policy.as_deref(),
        on: args.on,
    };
    let rescorer = Arc::new(Rescorer::open(config, data, &wanted)?);
    let results = if args.resume {
        Results::resume(&args.out, rescorer.by())?
    } else {
        Results::create(&args.out)?
    };
    let span = Span::of_days(args.from, args.to);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let tally = runtime.block_on(rescore(&rescorer, (data, span), results))?;
    match args.format {
        SheetFormat::Text => table(&tally, out)?,
        SheetFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, &sheet(&tally))?;
            writeln!(out)?;
        }
    }
    Ok(if tally.failed() == 0 {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}

async fn rescore(
    rescorer: &Arc<Rescorer>,
    (data, span): (&Path, reports::Span),
    mut results: Results,
) -> anyhow::Result<Tally> {
    if !data.join("jaga.sqlite").exists() {
        let told = format!("{} is no data directory of a server", data.display());
        return Err(Misuse(told).into());
    }
    let store = SqliteJobs::read(data).await?;
    let number = store.number(&span, results.last()).await?;
    let bar = progress::bar(usize::try_from(number).unwrap_or(usize::MAX), "reports");
    loop {
        let page = store.page(&span, results.last(), PAGE).await?;
        if page.is_empty() {
            break;
        }
        let lines = rescorer.page(page).await?;
        bar.inc(lines.len() as u64);
        results.add(&lines)?;
    }
    bar.finish_and_clear();
    results.finish().context("can't write the results")
}

fn sheet(tally: &Tally) -> serde_json::Value {
    let each = tally.transitions.each();
    let each = each
        .map(|(from, to, transition)| json!({ "from": from, "to": to, "count": transition.count }));
    json!({
        "reports": tally.transitions.reports(),
        "changed": tally.transitions.changed(),
        "transitions": each.collect::<Vec<_>>(),
        "problems": tally.problems,
    })
}

fn table(tally: &Tally, out: &mut impl Write) -> std::io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["old action", "new action", "reports"]);
    for (from, to, transition) in tally.transitions.each() {
        table.add_row([from, to, &transition.count.to_string()]);
    }
    writeln!(out, "{}\n", table.trim_fmt())?;
    let (reports, changed) = (tally.transitions.reports(), tally.transitions.changed());
    writeln!(out, "{reports} reports, {changed} with another action")?;
    for (code, count) in &tally.problems {
        writeln!(out, "{count} without a new score: {code}")?;
    }
    Ok(())
}
