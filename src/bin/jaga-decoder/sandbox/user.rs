//! Privileges: root becomes nobody, and whoever is left has no capability.

use jaga::media::sandbox::ChildConfig;
use rustix::process::{Gid, Uid, geteuid, getgid, getgroups, getuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};

/// Takes all privileges from the process and checks that they can't come back.
///
/// A process that is not root has no user to change. One that is root stays root, without
/// capabilities, where it may not change its user, or where the server then couldn't end it; that
/// is an error that says so.
pub(super) fn drop_privileges(child: &ChildConfig) -> Result<String, String> {
    let is_root = getuid().is_root() || geteuid().is_root();
    let changed = if is_root {
        change_user(child)
    } else {
        Ok(format!("user {}, as the server", getuid().as_raw()))
    };
    drop_capabilities()?;
    changed
}

fn change_user(child: &ChildConfig) -> Result<String, String> {
    let held = capabilities(None).map_err(|errno| errno.to_string())?;
    let needed = [
        (CapabilitySet::SETGID, "CAP_SETGID"),
        (CapabilitySet::SETUID, "CAP_SETUID"),
        // The server's as well: without it, it can't kill a child that isn't root any more.
        (CapabilitySet::KILL, "CAP_KILL"),
    ];
    let lacking: Vec<&str> = needed
        .into_iter()
        .filter(|(capability, _)| !held.effective.contains(*capability))
        .map(|(_, name)| name)
        .collect();
    if !lacking.is_empty() {
        return Err(format!(
            "the server runs as root without {}: run it as another user, or give it these",
            lacking.join(", ")
        ));
    }
    let (uid, gid) = (Uid::from_raw(child.uid), Gid::from_raw(child.gid));
    set_thread_groups(&[]).map_err(|errno| format!("setgroups: {errno}"))?;
    set_thread_res_gid(gid, gid, gid)
        .map_err(|errno| format!("setresgid {}: {errno}", child.gid))?;
    set_thread_res_uid(uid, uid, uid)
        .map_err(|errno| format!("setresuid {}: {errno}", child.uid))?;
    check_user(uid, gid)?;
    Ok(format!("user {}, group {}", child.uid, child.gid))
}

/// Checks that the change is complete and can't be undone.
fn check_user(uid: Uid, gid: Gid) -> Result<(), String> {
    let groups = getgroups().map_err(|errno| errno.to_string())?;
    if (getuid(), geteuid(), getgid()) != (uid, uid, gid) || !groups.is_empty() {
        return Err("the change of the user is not complete".to_owned());
    }
    if !uid.is_root() && set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).is_ok() {
        return Err("root can be had again".to_owned());
    }
    Ok(())
}

fn drop_capabilities() -> Result<(), String> {
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).map_err(|errno| format!("capset: {errno}"))?;
    match capabilities(None) {
        Ok(left) if left.effective.is_empty() && left.permitted.is_empty() => Ok(()),
        other => Err(format!("capabilities are left: {other:?}")),
    }
}
