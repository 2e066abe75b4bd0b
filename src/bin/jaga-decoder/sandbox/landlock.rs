//! No path of the file system, no TCP, no signal to another process: Landlock, without one rule
//! that would allow anything.

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, Ruleset, RulesetAttr, RulesetStatus, Scope,
};

/// The newest interface that is asked for; an older kernel enforces what it knows.
const NEWEST: ABI = ABI::V7;

/// Closes all that the kernel's Landlock can close; what that is.
pub(super) fn close_file_system() -> Result<String, String> {
    let fault = |error: landlock::RulesetError| error.to_string();
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(NEWEST)))
        .and_then(|rules| rules.scope(Scope::from_all(NEWEST)))
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(fault)?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, LandlockStatus::NotEnabled) => {
            Err("the kernel has Landlock, and it is off".to_owned())
        }
        (RulesetStatus::NotEnforced, _) => Err("the kernel has no Landlock".to_owned()),
        (
            RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced,
            LandlockStatus::Available { effective_abi, .. },
        ) => Ok(describe(effective_abi.min(NEWEST))),
        (RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced, _) => {
            Err("Landlock contradicts itself".to_owned())
        }
    }
}

/// What an interface version covers.
fn describe(abi: ABI) -> String {
    let mut closed = "files".to_owned();
    for (since, what) in [
        (ABI::V4, ", TCP"),
        (ABI::V5, ", devices"),
        (ABI::V6, ", signals, abstract sockets"),
    ] {
        if abi >= since {
            closed.push_str(what);
        }
    }
    format!("ABI {}: no {closed}", abi as i32)
}
