//! What the process may use.

use jaga::media::sandbox::ChildConfig;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors: three standard streams, a second one of the output, the upload, and some to spare.
const OPEN_FILES: u64 = 16;

/// Closes what was left open by whoever started the server, and sets the limits. None of them can
/// be raised again. The number of processes isn't among them: it would count all of a user's
/// threads, and the decoder's threads would fail when another child has many.
pub(super) fn set(child: &ChildConfig) -> Result<String, String> {
    close_inherited()?;
    let cpu_seconds = lower(Resource::Cpu, child.cpu_seconds, child.cpu_seconds + 1)?;
    let memory_bytes = lower(Resource::As, child.memory_bytes, child.memory_bytes)?;
    lower(Resource::Nofile, OPEN_FILES, OPEN_FILES)?;
    lower(Resource::Core, 0, 0)?;
    lower(Resource::Fsize, 0, 0)?;
    Ok(format!(
        "{memory_bytes} bytes of memory, {cpu_seconds} s of processor time, {OPEN_FILES} descriptors, no file growth, no core dump"
    ))
}

/// Sets a limit, or keeps a lower one that holds already; what holds then.
fn lower(resource: Resource, current: u64, maximum: u64) -> Result<u64, String> {
    let held = getrlimit(resource);
    let least = |asked: u64, held: Option<u64>| held.map_or(asked, |held| held.min(asked));
    let maximum = least(maximum, held.maximum);
    let current = least(current.min(maximum), held.current);
    let limit = Rlimit {
        current: Some(current),
        maximum: Some(maximum),
    };
    setrlimit(resource, limit).map_err(|errno| format!("{resource:?}: {errno}"))?;
    Ok(current)
}

#[allow(unsafe_code, reason = "rustix has no safe call for it")]
fn close_inherited() -> Result<(), String> {
    const FIRST: libc::c_uint = 3;
    // SAFETY: called before this program opens a descriptor of its own, so nothing that is closed
    // has an owner here.
    let code = unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, 0) };
    match code {
        0 => Ok(()),
        _ => Err(format!("close_range: {}", std::io::Error::last_os_error())),
    }
}
