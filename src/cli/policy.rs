//! `jaga policy test`: stored reports decided anew, without any inference.

mod reports;

use std::io::{self, Write};
use std::sync::Arc;

use anyhow::Context;
use comfy_table::{Table, presets};
use serde_json::json;

use self::reports::Tally;
use super::args::{PolicyAction, PolicyArgs, PolicyTestArgs, SheetFormat};
use super::{Misuse, Outcome};
use crate::domain::policy::Policy;
use crate::pipeline::policies;

/// Tries a policy.
pub(super) fn run(args: &PolicyArgs, out: &mut impl Write) -> anyhow::Result<Outcome> {
    match &args.action {
        PolicyAction::Test(args) => test(args, out),
    }
}

fn test(args: &PolicyTestArgs, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let policy = Arc::new(policies::read(&args.policy)?);
    if !args.questions.is_empty() {
        let answered = args.questions.iter().cloned().collect();
        let checked = policy.check_questions(&answered);
        checked.map_err(|error| Misuse(format!("{}: {error}", args.policy.display())))?;
    }
    let mut tally = Tally::default();
    for path in &args.reports {
        let name = path.display();
        let counted = if path.as_os_str() == "-" {
            reports::redecide(io::stdin().lock(), &policy, args.on)
        } else {
            let file = std::fs::File::open(path).with_context(|| format!("can't read {name}"))?;
            reports::redecide(file, &policy, args.on)
        };
        tally.add(counted.with_context(|| format!("{name} has something that is no report"))?);
    }
    match args.format {
        SheetFormat::Text => table(&policy, &tally, out)?,
        SheetFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, &sheet(&policy, &tally))?;
            writeln!(out)?;
        }
    }
    Ok(Outcome::Done)
}

fn sheet(policy: &Policy, tally: &Tally) -> serde_json::Value {
    let each = tally.transitions.each();
    let each = each
        .map(|(from, to, transition)| json!({ "from": from, "to": to, "count": transition.count }));
    json!({
        "policy": { "name": policy.name, "version": policy.version, "blake3": policy.blake3 },
        "reports": tally.transitions.reports(),
        "changed": tally.transitions.changed(),
        "problems": tally.problems,
        "transitions": each.collect::<Vec<_>>(),
    })
}

fn table(policy: &Policy, tally: &Tally, out: &mut impl Write) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["old action", "new action", "reports"]);
    for (from, to, transition) in tally.transitions.each() {
        table.add_row([from, to, &transition.count.to_string()]);
    }
    writeln!(out, "{}\n", table.trim_fmt())?;
    let (reports, changed) = (tally.transitions.reports(), tally.transitions.changed());
    writeln!(
        out,
        "policy {} {}: {reports} reports, {changed} with another action",
        policy.name, policy.version
    )?;
    if tally.problems > 0 {
        writeln!(out, "{} lines have a problem and no report", tally.problems)?;
    }
    Ok(())
}
