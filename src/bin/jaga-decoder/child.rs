//! The life of a child, whatever its work is: it links everything, locks itself down, says hello
//! and waits for one request.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use jaga::media::MediaLimits;
use jaga::media::protocol::{self, Hello, Kind, Request};
use jaga::media::sandbox::ChildConfig;

use crate::fault::{Fault, Stop};
use crate::outlet::Outlet;
use crate::sandbox::{self, Extent, memory};
use crate::{ffmpeg, requests, self_test};

/// What holds for the one upload of this process.
pub(crate) struct Terms {
    /// Limits to keep.
    pub(crate) limits: MediaLimits,
    /// When to give up.
    pub(crate) deadline: Instant,
    /// Decoder threads, at least 1.
    pub(crate) threads: usize,
}

impl Terms {
    /// From the fields of a request, whose time begins now.
    pub(crate) fn new(limits: MediaLimits, deadline_ms: u64, threads: u32) -> Self {
        let now = Instant::now();
        Self {
            limits,
            // A deadline beyond the clock's range is none; the server has its own.
            deadline: now
                .checked_add(Duration::from_millis(deadline_ms))
                .unwrap_or(now + Duration::from_hours(24)),
            threads: usize::try_from(threads).unwrap_or(1).max(1),
        }
    }
}

/// What a child does with its request and the descriptor that came with it.
pub(crate) type Work = fn(Request, Option<OwnedFd>, &mut Outlet) -> Result<(), Stop>;

/// The whole life, by the program's arguments; `work` is what this kind of child is for.
pub(crate) fn live(work: Work) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ended = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["self-test", case] => return try_out(case, ""),
        ["self-test", case, child] => return try_out(case, child),
        [] => serve("", work),
        [child, ..] => serve(child, work),
    };
    exit_code(ended)
}

fn exit_code(ended: Result<(), Stop>) -> ExitCode {
    match ended {
        Ok(()) | Err(Stop::PeerGone) => ExitCode::SUCCESS,
        Err(Stop::Fault(fault)) => {
            // Nothing is left to tell it to if this fails as well.
            let _unwritable = writeln!(std::io::stderr(), "{fault}");
            ExitCode::FAILURE
        }
    }
}

/// Links, locks down by the terms in `child` (JSON; none are the defaults), and says hello.
fn start(child: &str, extent: Extent) -> Result<(Outlet, ChildConfig), Stop> {
    let child = match child {
        "" => ChildConfig::default(),
        json => serde_json::from_str(json)
            .map_err(|error| Fault::internal(format!("the argument can't be read: {error}")))?,
    };
    let ffmpeg = ffmpeg::link()?;
    let walls = sandbox::lock_down(&child, extent)?;
    let mut outlet = Outlet::new()?;
    outlet.json(
        Kind::Hello,
        &Hello {
            protocol: protocol::VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            ffmpeg,
            walls,
        },
    )?;
    Ok((outlet, child))
}

fn serve(child: &str, work: Work) -> Result<(), Stop> {
    let (mut outlet, child) = start(child, Extent::Whole)?;
    let Some((request, descriptor)) = requests::receive()? else {
        return Ok(());
    };
    match work(request, descriptor, &mut outlet) {
        Err(Stop::Fault(fault)) => {
            let fault = fault.or_out_of_memory(memory::ran_out(), child.memory_bytes);
            outlet.json(Kind::Failure, &fault.into_failure())
        }
        other => other,
    }
}

/// A self-test in place of the work.
fn try_out(case: &str, child: &str) -> ExitCode {
    let parent = rustix::process::getppid().map_or(1, |parent| parent.as_raw_nonzero().get());
    let (case, extent) = match case.strip_suffix(self_test::WITHOUT_FILTER) {
        Some(case) => (case, Extent::WithoutFilter),
        None => (case, Extent::Whole),
    };
    if let Err(stop) = start(child, extent) {
        return exit_code(Err(stop));
    }
    // By hand there is no server to wait for.
    let _no_request = requests::receive();
    self_test::attempt(case, parent)
}
