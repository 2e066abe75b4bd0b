//! One child process: warm while it waits, running once it has an upload.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

use super::Shared;
use super::counts::Fate;
use super::log::LastLine;
use super::owned::{Cemetery, OwnedProcess};
use super::program::Program;
use super::receiver::Receiver;
use super::running::RunningChild;
use crate::media::error::MediaError;
use crate::media::limits::MediaLimits;
use crate::media::protocol::{HEADER_BYTES, Header, Hello, Kind, ProtocolError, VERSION};

/// Bytes of the pipe that frames come through; the default of 64 KiB costs a tenth of the speed.
const PIPE_BYTES: usize = 1 << 20;
/// How long a first child may take to start.
const HELLO_TIMEOUT: Duration = Duration::from_secs(15);
/// How long to read the log of a child that died, and how much of it.
const LOG_TIMEOUT: Duration = Duration::from_secs(1);
const LOG_BYTES: u64 = 4096;

/// A child that says hello by itself and waits for an upload. Dropping it kills and reaps it.
#[derive(Debug)]
pub(super) struct WarmChild {
    process: OwnedProcess,
    requests: UnixStream,
    output: OwnedFd,
    log: OwnedFd,
    /// The hello, when it was read already.
    hello: Option<Hello>,
}

impl WarmChild {
    /// Starts a child with nothing but its three standard streams.
    pub(super) fn spawn(program: &Program, cemetery: Cemetery) -> io::Result<Self> {
        let (requests, stdin) = UnixStream::pair()?;
        let (output, stdout) = pipe_with(PipeFlags::CLOEXEC)?;
        let (log, stderr) = pipe_with(PipeFlags::CLOEXEC)?;
        // Unprivileged users have a quota of pipe pages; a small pipe is only slower.
        let _smaller = fcntl_setpipe_size(&output, PIPE_BYTES);
        let process = Command::new(&program.path)
            .arg(&program.argument)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(stdin)))
            .stdout(Stdio::from(stdout))
            .stderr(Stdio::from(stderr))
            .spawn()?;
        Ok(Self {
            process: OwnedProcess::new(process, cemetery),
            requests,
            output,
            log,
            hello: None,
        })
    }

    /// False when it exited.
    pub(super) fn is_alive(&mut self) -> bool {
        let process = self.process.process();
        process.is_some_and(|process| matches!(process.try_wait(), Ok(None)))
    }

    /// Counts a child that wasn't alive any more.
    pub(super) fn had_died(mut self) {
        self.process.ends_as(Fate::DIED);
    }

    /// Reads the hello, blocking, for the start of the server.
    pub(super) fn wait_for_hello(&mut self) -> Result<Hello, MediaError> {
        let payload = match read_hello(&self.output) {
            Err(MediaError::Io(error)) => return Err(self.no_hello(&error)),
            other => other?,
        };
        let hello = check_hello(&payload)?;
        self.hello = Some(hello.clone());
        Ok(hello)
    }

    fn no_hello(&mut self, error: &io::Error) -> MediaError {
        let status = self.process.process().map(|process| {
            let _killed_or_dead = process.kill();
            process.wait()
        });
        let status = match status {
            Some(Ok(status)) => status.to_string(),
            Some(Err(error)) => error.to_string(),
            None => String::new(),
        };
        let mut log = Vec::new();
        // The child is dead, so its end of the pipe is closed and this ends.
        let reader = Patient::new(&self.log, LOG_TIMEOUT);
        let _incomplete = reader.take(LOG_BYTES).read_to_end(&mut log);
        let log = String::from_utf8_lossy(&log);
        MediaError::ChildDied {
            status,
            log: format!("{error}; {}", log.lines().last().unwrap_or("")),
        }
    }

    /// Puts the child to work: from here on it is read asynchronously, and it dies with the
    /// answer. Fails with [`MediaError::ChildDied`] when it had died while it was warm.
    pub(super) async fn greet(
        self,
        shared: Arc<Shared>,
        deadline: tokio::time::Instant,
    ) -> Result<RunningChild, MediaError> {
        let hello = self.hello;
        let mut running = RunningChild::new(
            self.process,
            self.requests,
            Receiver::new(self.output).map_err(MediaError::Io)?,
            LastLine::drain(self.log).map_err(MediaError::Io)?,
            (shared, deadline),
        );
        if hello.is_none() {
            let greeted = hear_hello(&mut running).await;
            running.judged(greeted)?;
        }
        Ok(running)
    }
}

async fn hear_hello(running: &mut RunningChild) -> Result<(), MediaError> {
    let header = running.header().await?;
    if header.kind != Kind::Hello {
        return Err(not_hello(header.kind).into());
    }
    let hello = check_hello(&running.payload(header).await?)?;
    running.accept(&hello)
}

fn read_hello(output: &OwnedFd) -> Result<Vec<u8>, MediaError> {
    let mut reader = Patient::new(output, HELLO_TIMEOUT);
    let mut header = [0; HEADER_BYTES];
    reader.read_exact(&mut header).map_err(MediaError::Io)?;
    let header = Header::decode(header, &MediaLimits::default())?;
    if header.kind != Kind::Hello {
        return Err(not_hello(header.kind).into());
    }
    let mut payload = vec![0; usize::try_from(header.payload_bytes).unwrap_or(0)];
    reader.read_exact(&mut payload).map_err(MediaError::Io)?;
    Ok(payload)
}

/// Blocking reads of a pipe that end in time.
struct Patient<'a> {
    pipe: &'a OwnedFd,
    until: Instant,
}

impl<'a> Patient<'a> {
    fn new(pipe: &'a OwnedFd, patience: Duration) -> Self {
        Self {
            pipe,
            until: Instant::now() + patience,
        }
    }
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(|_| io::ErrorKind::TimedOut)?;
        let mut pipes = [PollFd::new(self.pipe, PollFlags::IN)];
        match poll(&mut pipes, Some(&left))? {
            0 => Err(io::ErrorKind::TimedOut.into()),
            _ => Ok(rustix::io::read(self.pipe, buffer)?),
        }
    }
}

fn not_hello(got: Kind) -> ProtocolError {
    ProtocolError::OutOfOrder {
        got,
        expected: "hello",
    }
}

fn check_hello(payload: &[u8]) -> Result<Hello, ProtocolError> {
    // Before the rest: another version's hello has another form.
    let Versioned { protocol } = read_json(payload)?;
    match protocol {
        VERSION => read_json(payload),
        got => Err(ProtocolError::Version { got }),
    }
}

/// What a hello of any version has.
#[derive(serde::Deserialize)]
struct Versioned {
    protocol: u32,
}

fn read_json<T: serde::de::DeserializeOwned>(payload: &[u8]) -> Result<T, ProtocolError> {
    serde_json::from_slice(payload).map_err(|source| ProtocolError::Json {
        kind: Kind::Hello,
        source,
    })
}
