//! The decoder child: one process an upload, the only program that links FFmpeg.
//!
//! It links everything, locks itself down, says hello, waits for an upload's descriptor, answers the media facts,
//! waits for a sampling plan and sends the chosen frames. `docs/decoder-protocol.md` has the wire
//! format; what it says about a file is never trusted by the server.
#![deny(unsafe_code)]

mod boxes;
mod fault;
mod ffmpeg;
mod input;
mod orientation;
mod outlet;
mod requests;
mod runs;
mod sandbox;
mod self_test;
mod still;
mod timeline;
mod union;

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use jaga::domain::media::MediaFacts;
use jaga::domain::plan::FramePlan;
use jaga::media::MediaLimits;
use jaga::media::protocol::{self, Hello, Kind, Request};
use jaga::media::sandbox::ChildConfig;

use fault::{Fault, Stop};
use input::Upload;
use outlet::Outlet;
use sandbox::{Extent, memory};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ended = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["self-test", case] => return try_out(case, ""),
        ["self-test", case, child] => return try_out(case, child),
        [] => serve(""),
        [child, ..] => serve(child),
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

/// What holds for the one upload of this process.
pub(crate) struct Terms {
    /// Limits to keep.
    pub(crate) limits: MediaLimits,
    /// When to give up.
    pub(crate) deadline: Instant,
    /// Decoder threads, at least 1.
    pub(crate) threads: usize,
}

/// An opened upload.
trait Source {
    /// What is known of it.
    fn facts(&self) -> &MediaFacts;
    /// Sends chosen, then every chosen frame or its miss; the number of packets that were decoded.
    fn play(&mut self, plan: &FramePlan, outlet: &mut Outlet) -> Result<u64, Stop>;
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

fn serve(child: &str) -> Result<(), Stop> {
    let (mut outlet, child) = start(child, Extent::Whole)?;
    let Some((request, descriptor)) = requests::receive()? else {
        return Ok(());
    };
    match answer(request, descriptor, &mut outlet) {
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

fn answer(request: Request, descriptor: Option<OwnedFd>, outlet: &mut Outlet) -> Result<(), Stop> {
    let (
        Request::Open {
            limits,
            deadline_ms,
            threads,
        },
        Some(descriptor),
    ) = (request, descriptor)
    else {
        return Err(Fault::internal("the first request is not an open with a descriptor").into());
    };
    let now = Instant::now();
    let terms = Terms {
        limits,
        // A deadline beyond the clock's range is none; the server has its own.
        deadline: now
            .checked_add(Duration::from_millis(deadline_ms))
            .unwrap_or(now + Duration::from_hours(24)),
        threads: usize::try_from(threads).unwrap_or(1).max(1),
    };
    let mut source = open(Upload::new(File::from(descriptor))?, terms)?;
    outlet.json(Kind::Facts, source.facts())?;
    let Some((request, _)) = requests::receive()? else {
        return Ok(());
    };
    let Request::Plan { plan } = request else {
        return Err(Fault::internal("the second request is not a plan").into());
    };
    let packets_decoded = source.play(&plan, outlet)?;
    if outlet.lacks_frames() && memory::ran_out() {
        return Err(Fault::corrupt("frames are missing").into());
    }
    outlet.end(packets_decoded)
}

fn open(upload: Upload, terms: Terms) -> Result<Box<dyn Source>, Stop> {
    let head = upload.head(input::SNIFF_BYTES)?;
    if head.is_empty() {
        return Err(Fault::empty().into());
    }
    if let Some(format) = still::sniff(&head) {
        return Ok(Box::new(still::Still::open(upload, format, &terms)?));
    }
    Ok(Box::new(ffmpeg::Video::open(upload, terms)?))
}
