//! The decoder child: one process an upload, the only program of a server that links FFmpeg.
//!
//! It links everything, locks itself down, says hello, waits for an upload's descriptor, answers the media facts,
//! waits for a sampling plan and sends the chosen frames. `docs/decoder-protocol.md` has the wire
//! format; what it says about a file is never trusted by the server. Beside it, `perturber.rs` is the
//! root of a second program that shares these modules.
#![deny(unsafe_code)]

mod boxes;
mod child;
mod fault;
mod ffmpeg;
mod input;
mod orientation;
mod outlet;
mod requests;
mod runs;
mod sandbox;
mod self_test;
mod source;
mod still;
mod timeline;
mod union;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::ExitCode;

use jaga::media::protocol::{Kind, Request};

use child::Terms;
use fault::{Fault, Stop};
use input::Upload;
use outlet::Outlet;
use sandbox::memory;
use source::Source;

fn main() -> ExitCode {
    child::live(answer)
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
    let terms = Terms::new(limits, deadline_ms, threads);
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
