//! The place where the child locks itself down, before it says hello: after everything is linked
//! and before the first byte of an upload can reach it.
//!
//! The order matters. Limits first, as the later walls forbid to set them; privileges go while
//! `setuid` is still allowed; the system-call filter that kills is last. `docs/security.md` says
//! what each wall stops, `jaga-decoder self-test` tries.

mod calls;
mod landlock;
mod limits;
pub(crate) mod memory;
mod seccomp;
mod user;

use std::io;

use jaga::media::sandbox::{ChildConfig, Wall, Walls};
use rustix::process::{
    DumpableBehavior, Signal, set_dumpable_behavior, set_parent_process_death_signal,
};

use crate::fault::Stop;

#[cfg(not(target_os = "linux"))]
compile_error!(
    "the decoder child can only be locked down on Linux, and is not built without; see docs/security.md"
);

/// Which walls to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of them.
    Whole,
    /// All but the system-call filter, so that a self-test can reach those behind it.
    WithoutFilter,
}

/// Builds every wall that can be built here; which ones those are.
pub(crate) fn lock_down(child: &ChildConfig, extent: Extent) -> Result<Walls, Stop> {
    die_with_server()?;
    let limits = wall(limits::set(child));
    let no_new_privileges = wall(no_new_privileges());
    let user = wall(user::drop_privileges(child));
    // A change of the user clears it.
    die_with_server()?;
    // Nobody of the same user, another child least of all, may look into this one.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // The next wall binds the calling thread alone.
    let landlock = wall(is_single_threaded().and_then(|()| landlock::close_file_system()));
    let seccomp = match extent {
        Extent::Whole => wall(seccomp::install()),
        Extent::WithoutFilter => Wall::missing("a self-test without it"),
    };
    Ok(Walls {
        limits,
        no_new_privileges,
        user,
        landlock,
        seccomp,
    })
}

/// Asks to be killed when the thread that spawned this process ends; the server keeps that thread.
fn die_with_server() -> io::Result<()> {
    Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
}

fn no_new_privileges() -> Result<String, String> {
    rustix::thread::set_no_new_privs(true).map_err(|errno| errno.to_string())?;
    match rustix::thread::no_new_privs() {
        Ok(true) => Ok("for good".to_owned()),
        other => Err(format!("asked for and not there: {other:?}")),
    }
}

/// Fails when there is another thread: a library may have started one while it was linked.
fn is_single_threaded() -> Result<(), String> {
    match std::fs::read_dir("/proc/self/task").map(Iterator::count) {
        Ok(1) => Ok(()),
        Ok(threads) => Err(format!(
            "{threads} threads run already, and it would bind one"
        )),
        Err(error) => Err(format!("can't count threads in /proc/self/task: {error}")),
    }
}

fn wall(built: Result<String, String>) -> Wall {
    match built {
        Ok(detail) => Wall::standing(detail),
        Err(reason) => Wall::missing(reason),
    }
}
