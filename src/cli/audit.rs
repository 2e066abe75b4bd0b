//! `jaga audit verify`: whether all that was decided is what it was.

use std::io::{self, Write};

use serde_json::json;

use super::args::{AuditAction, AuditArgs, SheetFormat};
use super::{Misuse, Outcome};
use crate::config::Config;
use crate::domain::audit::Head;
use crate::store::ledger::Audit;
use crate::store::{Ledger, SqliteJobs};

/// Walks along the chain, also while a server goes on with it.
pub(super) fn run(
    config: &Config,
    args: &AuditArgs,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let AuditAction::Verify { head, format } = &args.action;
    let expected = head.as_deref().map(hash).transpose()?;
    let audit = super::block_on(async {
        let store = SqliteJobs::read(&config.data.dir).await?;
        anyhow::Ok(store.audit(expected.as_deref()).await?)
    })?;
    match format {
        SheetFormat::Text => text(&audit, out)?,
        SheetFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, &sheet(&audit))?;
            writeln!(out)?;
        }
    }
    Ok(if audit.broken.is_some() {
        Outcome::Failed
    } else {
        Outcome::Done
    })
}

fn hash(text: &str) -> Result<String, Misuse> {
    let is_hash = text.len() == Head::NONE.len() && text.bytes().all(|b| b.is_ascii_hexdigit());
    let told = || {
        Misuse(format!(
            "--head must be 64 hexadecimal digits, not {text:?}"
        ))
    };
    is_hash.then(|| text.to_ascii_lowercase()).ok_or_else(told)
}

fn text(audit: &Audit, out: &mut impl Write) -> io::Result<()> {
    if let Some(broken) = &audit.broken {
        writeln!(out, "BROKEN     {broken}")?;
    }
    writeln!(out, "head       {}", audit.head.hash)?;
    writeln!(out, "entries    {}", audit.head.entries)?;
    if let Some(entry) = audit.met {
        writeln!(out, "kept head  is that of entry {entry}")?;
    }
    writeln!(
        out,
        "reports    {} as they were written, {} deleted and counted, {} no longer counted",
        audit.reports, audit.forgotten, audit.expired
    )?;
    writeln!(out, "decisions  {} as they were written", audit.decisions)
}

fn sheet(audit: &Audit) -> serde_json::Value {
    json!({
        "whole": audit.broken.is_none(),
        "break": audit.broken.as_ref().map(ToString::to_string),
        "chain": audit.head,
        "kept_head_entry": audit.met,
        "reports": audit.reports,
        "deleted_reports": audit.forgotten,
        "expired_reports": audit.expired,
        "decisions": audit.decisions,
    })
}
