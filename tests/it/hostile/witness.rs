//! A decoder child that the test itself starts and waits for, so that the kernel says what an
//! upload cost it.

use std::fs::File;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use jaga::domain::plan::FramePlan;
use jaga::media::MediaLimits;
use jaga::media::protocol::{
    Failure, FailureReason, HEADER_BYTES, Header, Kind, MAX_JSON_BYTES, Request,
};
use jaga::media::sandbox::ChildConfig;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

/// What became of an upload, and what it cost.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// `scored` when frames came out whole, else the code that the server would answer with.
    pub(crate) code: &'static str,
    /// The child's last words, or how it ended.
    pub(crate) words: String,
    /// Processor time of the child, its start included.
    pub(crate) cpu_s: f64,
    /// Most memory that it had at once; never below what this process had when it started the
    /// child, as the kernel counts that in.
    pub(crate) peak_bytes: u64,
    pub(crate) status: ExitStatus,
}

impl Seen {
    /// True for an end in order: neither a signal nor an exit code of its own.
    pub(crate) fn ended_in_order(&self) -> bool {
        self.status.signal().is_none() && matches!(self.status.code(), Some(0))
    }
}

/// Has a child of its own decode `path` under the default limits, locked down as the server's are.
#[allow(
    clippy::zombie_processes,
    reason = "`wait` reaps it, and gets its usage"
)]
pub(crate) fn witness(path: &Path, plan: &FramePlan, child: &ChildConfig) -> Seen {
    let (requests, stdin) = UnixStream::pair().unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_jaga-decoder"))
        .arg(serde_json::to_string(child).unwrap())
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(stdin)))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = process.stdout.take().unwrap();
    let upload = File::open(path).unwrap();
    send(
        &requests,
        &Request::Open {
            limits: MediaLimits::default(),
            deadline_ms: 120_000,
            threads: 2,
        },
        Some(&upload.into()),
    );
    let plan = Request::Plan { plan: plan.clone() };
    let (mut code, mut words) = ("corrupt_media", String::new());
    while let Some((kind, payload)) = message(&mut output) {
        match kind {
            Kind::Facts => send(&requests, &plan, None),
            Kind::End => code = "scored",
            Kind::Failure => {
                let failure: Failure = serde_json::from_slice(&payload).unwrap();
                (code, words) = (code_of(failure.reason), failure.detail);
            }
            Kind::Hello | Kind::Chosen | Kind::Frame | Kind::Missed | Kind::Piece | Kind::Made => {}
        }
    }
    drop(requests);
    let (status, cpu_s, peak_bytes) = wait(process.id());
    if words.is_empty() {
        words = status.to_string();
    }
    Seen {
        code,
        words,
        cpu_s,
        peak_bytes,
        status,
    }
}

fn code_of(reason: FailureReason) -> &'static str {
    match reason {
        FailureReason::Empty => "empty_media",
        FailureReason::UnsupportedFormat
        | FailureReason::UnsupportedCodec
        | FailureReason::Encrypted => "unsupported_media",
        FailureReason::NoVideoStream => "no_video_stream",
        FailureReason::NoFrames | FailureReason::Corrupt => "corrupt_media",
        FailureReason::Limit(_) | FailureReason::OutputTooLarge => "limit_exceeded",
        FailureReason::Deadline => "deadline_exceeded",
        FailureReason::Internal => "internal",
    }
}

/// A child that has died doesn't read; its status says why.
fn send(requests: &UnixStream, request: &Request, upload: Option<&OwnedFd>) {
    let json = serde_json::to_vec(request).unwrap();
    let length = u32::try_from(json.len()).unwrap().to_le_bytes();
    let message = [length.as_slice(), &json].concat();
    let Some(upload) = upload else {
        let _dead = (&*requests).write_all(&message);
        return;
    };
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [upload.as_fd()];
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    let flags = SendFlags::NOSIGNAL;
    sendmsg(requests, &[IoSlice::new(&message)], &mut control, flags).unwrap();
}

/// The next message; `None` at the end of the output.
fn message(output: &mut impl Read) -> Option<(Kind, Vec<u8>)> {
    let mut header = [0; HEADER_BYTES];
    match output.read_exact(&mut header) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return None,
        other => other.unwrap(),
    }
    let header = Header::decode(header, &MediaLimits::default()).unwrap();
    let length = usize::try_from(header.payload_bytes).unwrap();
    assert!(header.kind == Kind::Frame || length <= MAX_JSON_BYTES);
    let mut payload = vec![0; length];
    output.read_exact(&mut payload).ok()?;
    Some((header.kind, payload))
}

/// Reaps a child: its status, processor time and most memory.
fn wait(id: u32) -> (ExitStatus, f64, u64) {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the process is a child of this one and nobody else waits for it; both places are
    // valid for the call, which fills them.
    let usage = unsafe {
        let id = libc::pid_t::try_from(id).unwrap();
        assert_eq!(libc::wait4(id, &raw mut status, 0, usage.as_mut_ptr()), id);
        usage.assume_init()
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    (
        ExitStatus::from_raw(status),
        seconds(usage.ru_utime) + seconds(usage.ru_stime),
        u64::try_from(usage.ru_maxrss).unwrap() * 1024,
    )
}
