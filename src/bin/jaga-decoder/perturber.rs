//! The perturber child, for `jaga eval --perturb`: one process a video, which it makes another of,
//! as compression and handling would.
//!
//! It is the decoder's sibling: it reads the video by the same modules, behind the same walls, and
//! has nothing to write to but its standard output. Only what is in `perturb` is its own. A server
//! never starts it, and works without.
#![deny(unsafe_code)]

mod boxes;
mod child;
#[allow(dead_code, reason = "shared with the decoder, which uses more of it")]
mod fault;
#[allow(dead_code, reason = "shared with the decoder, which uses more of it")]
mod ffmpeg;
mod input;
mod orientation;
#[allow(dead_code, reason = "shared with the decoder, which uses more of it")]
mod outlet;
mod perturb;
mod requests;
#[allow(dead_code, reason = "shared with the decoder, which uses more of it")]
mod runs;
mod sandbox;
mod self_test;
#[allow(dead_code, reason = "shared with the decoder, which uses more of it")]
mod source;
#[allow(dead_code, reason = "shared with the decoder, which uses more of it")]
mod still;
#[allow(dead_code, reason = "shared with the decoder, which uses more of it")]
mod timeline;
#[allow(dead_code, reason = "shared with the decoder, which uses more of it")]
mod union;

use std::process::ExitCode;

use child::Terms;
use source::Source;

fn main() -> ExitCode {
    child::live(perturb::answer)
}
