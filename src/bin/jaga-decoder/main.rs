//! The decoder child: one process an upload, the only program that links FFmpeg.
//!
//! It links everything, says hello, waits for an upload's descriptor, answers the media facts,
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

use fault::{Fault, Stop};
use input::Upload;
use outlet::Outlet;

fn main() -> ExitCode {
    match serve() {
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

fn serve() -> Result<(), Stop> {
    sandbox::before_hello()?;
    let version = ffmpeg::link()?;
    let mut outlet = Outlet::new()?;
    outlet.json(
        Kind::Hello,
        &Hello {
            protocol: protocol::VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            ffmpeg: version,
        },
    )?;
    let Some((request, descriptor)) = requests::receive()? else {
        return Ok(());
    };
    sandbox::before_upload()?;
    match answer(request, descriptor, &mut outlet) {
        Err(Stop::Fault(fault)) => outlet.json(Kind::Failure, &fault.into_failure()),
        other => other,
    }
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
