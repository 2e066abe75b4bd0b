//! The place where the child locks itself down.
//!
//! Today: no core dump, no file can grow, no new privileges, death with the server. The rest
//! (address space, CPU seconds, Landlock, system-call filter) belongs in [`before_upload`], after
//! everything is linked and before the first byte of the upload is read.

use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};

use crate::fault::Stop;

/// What must hold from the first moment on.
pub(crate) fn before_hello() -> Result<(), Stop> {
    // Fires when the thread that spawned this process ends, so the server keeps that thread.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    setrlimit(Resource::Fsize, none)?;
    rustix::thread::set_no_new_privs(true)?;
    Ok(())
}

/// The last step before the upload is read; where the filters will be installed.
#[allow(
    clippy::unnecessary_wraps,
    reason = "the seam's signature: each lock that is added here can fail"
)]
pub(crate) fn before_upload() -> Result<(), Stop> {
    Ok(())
}
