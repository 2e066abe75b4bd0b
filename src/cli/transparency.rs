//! `jaga transparency`: counts of a period, or its statements of reasons, beside a running server.

use std::io::Write;

use super::args::{TransparencyArgs, TransparencyFormat};
use super::{Misuse, Outcome};
use crate::config::Config;
use crate::domain::transparency::period::Period;
use crate::domain::transparency::published::Published;
use crate::store::ledger::Sought;
use crate::store::{Ledger, SqliteJobs};

/// Decisions that are read at once for statements.
const PAGE: u32 = 1000;

/// Counts what was decided.
pub(super) fn run(
    config: &Config,
    args: &TransparencyArgs,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let period = Period::new(args.from, args.to).map_err(|error| Misuse(error.to_string()))?;
    let cut = args.group_by.join(",").parse();
    let cut = cut.map_err(|error| Misuse(format!("--group-by: {error}")))?;
    super::block_on(async {
        let store = SqliteJobs::read(&config.data.dir).await?;
        if args.format == TransparencyFormat::Statements {
            if !args.group_by.is_empty() {
                return Err(Misuse("statements aren't grouped".to_owned()).into());
            }
            return statements(config, &store, period, out).await;
        }
        let (table, head) = store.count(&period, cut).await?;
        if args.format == TransparencyFormat::Csv {
            out.write_all(table.csv().as_bytes())?;
        } else {
            serde_json::to_writer_pretty(&mut *out, &Published::new(&period, table, head))?;
            writeln!(out)?;
        }
        Ok(Outcome::Done)
    })
}

async fn statements(
    config: &Config,
    store: &SqliteJobs,
    period: Period,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let terms = config.transparency.statements.as_ref().ok_or_else(|| {
        Misuse("statements need [transparency.statements] in the configuration".to_owned())
    })?;
    let mut sought = Sought {
        period: Some(period),
        limit: PAGE,
        ..Sought::default()
    };
    loop {
        let records = store.records(&sought).await?;
        let Some(last) = records.last() else {
            return Ok(Outcome::Done);
        };
        sought.after = Some(last.place());
        for statement in records.iter().filter_map(|record| record.statement(terms)) {
            serde_json::to_writer(&mut *out, &statement)?;
            writeln!(out)?;
        }
    }
}
