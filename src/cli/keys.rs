//! `jaga keys`

use std::io::{self, Write};

use anyhow::Context;
use comfy_table::{Table, presets};

use super::args::{KeysAction, KeysArgs};
use super::{Misuse, Outcome};
use crate::config::Config;
use crate::domain::role::Role;
use crate::store::KeyStore;

/// Makes, lists or revokes API keys; a running server follows within seconds.
pub(super) fn run(
    config: &Config,
    args: &KeysArgs,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let store = KeyStore::open(config.data.keys_dir())?;
    match &args.action {
        KeysAction::Create {
            role,
            name,
            organisation,
        } => {
            let name = name.as_deref();
            let token = match organisation {
                None => store.create(*role, name)?,
                Some(organisation) if *role == Role::Flagger => {
                    store.create_for(organisation.clone(), name)?
                }
                Some(_) => {
                    let fault = "--organisation is for flaggers: other roles flag nothing";
                    return Err(Misuse(fault.to_owned()).into());
                }
            };
            if let Err(error) = writeln!(out, "{}", token.reveal()).and_then(|()| out.flush()) {
                // Nobody has seen it, so nobody shall have it.
                store.revoke(token.id())?;
                return Err(error).context("the key was revoked, as it can't be shown");
            }
            // With nowhere left to write there is nobody to tell.
            let _ = writeln!(
                io::stderr(),
                "key {}, role {role}; it is not shown again",
                token.id()
            );
        }
        KeysAction::List => list(&store, out)?,
        KeysAction::Revoke { id } => {
            store.revoke(id)?;
            writeln!(out, "{id}: revoked")?;
        }
    }
    Ok(Outcome::Done)
}

fn list(store: &KeyStore, out: &mut impl Write) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "id",
        "role",
        "organisation",
        "created",
        "last used",
        "revoked",
        "name",
    ]);
    for key in store.list()? {
        let time =
            |at: Option<jiff::Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        table.add_row([
            key.id,
            key.role.to_string(),
            key.organisation
                .map_or_else(|| "-".to_owned(), String::from),
            key.created_at.to_string(),
            time(key.last_used_at),
            time(key.revoked_at),
            key.name.unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    writeln!(out, "{}", table.trim_fmt())?;
    Ok(())
}
