//! A child that was given an upload.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::Shared;
use super::counts::Fate;
use super::ending::Ending;
use super::log::LastLine;
use super::owned::OwnedProcess;
use super::receiver::Receiver;
use crate::media::error::MediaError;
use crate::media::protocol::{Header, Hello, Kind, ProtocolError, Request};

/// Looks at a child whose output ended, and the pause between two: it has a second to exit.
const EXIT_LOOKS: u32 = 100;
const EXIT_PAUSE: Duration = Duration::from_millis(10);

/// A child at work. Dropping it kills and reaps it.
#[derive(Debug)]
pub(super) struct RunningChild {
    process: OwnedProcess,
    requests: UnixStream,
    receiver: Receiver,
    log: LastLine,
    /// Keeps the spawner thread alive, with which the child would die.
    shared: Arc<Shared>,
    deadline: Instant,
    /// What is known of its end so far; counted when it goes.
    fate: Option<Fate>,
}

impl RunningChild {
    pub(super) fn new(
        process: OwnedProcess,
        requests: UnixStream,
        receiver: Receiver,
        log: LastLine,
        (shared, deadline): (Arc<Shared>, Instant),
    ) -> Self {
        Self {
            process,
            requests,
            receiver,
            log,
            shared,
            deadline,
            fate: None,
        }
    }

    /// Passes `result` on and notes an error as the child's end.
    pub(super) fn judged<T>(&mut self, result: Result<T, MediaError>) -> Result<T, MediaError> {
        if let Err(error) = &result {
            self.fate = Some(Fate::of(error));
        }
        result
    }

    /// Notes that it has given all that was asked for.
    pub(super) fn finished(&mut self) {
        self.fate = Some(Fate::FINISHED);
    }

    /// The process id, for as long as it is not reaped.
    pub(super) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Refuses a child that is not locked down as it must be; no upload has reached it yet.
    pub(super) fn accept(&self, hello: &Hello) -> Result<(), MediaError> {
        super::check_walls(&hello.walls, self.shared.mode)
    }

    /// Sends a request. It is short and the socket empty, so this doesn't block.
    pub(super) fn send(
        &self,
        request: &Request,
        descriptor: Option<&OwnedFd>,
    ) -> Result<(), MediaError> {
        let json = serde_json::to_vec(request)
            .map_err(|error| MediaError::ChildInternal(error.to_string()))?;
        let length = u32::try_from(json.len()).unwrap_or(u32::MAX).to_le_bytes();
        let message: Vec<u8> = length.into_iter().chain(json).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors: Vec<_> = descriptor.iter().map(AsFd::as_fd).collect();
        if !descriptors.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(&descriptors));
        }
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let sent = sendmsg(
            &self.requests,
            &[IoSlice::new(&message)],
            &mut control,
            flags,
        );
        match sent {
            Ok(bytes) if bytes == message.len() => Ok(()),
            Ok(_) => Err(MediaError::Io(io::ErrorKind::WriteZero.into())),
            // The child is dead; its log and status say more when its output is read.
            Err(rustix::io::Errno::PIPE | rustix::io::Errno::CONNRESET) => Ok(()),
            Err(errno) => Err(MediaError::Io(errno.into())),
        }
    }

    /// The next message's header.
    pub(super) async fn header(&mut self) -> Result<Header, MediaError> {
        let bytes = match self.receiver.array().await {
            Ok(bytes) => bytes,
            Err(error) => return Err(self.broken(error).await),
        };
        Ok(Header::decode(bytes, &self.shared.limits)?)
    }

    /// A fixed part of a payload.
    pub(super) async fn array<const N: usize>(&mut self) -> Result<[u8; N], MediaError> {
        match self.receiver.array().await {
            Ok(bytes) => Ok(bytes),
            Err(error) => Err(self.broken(error).await),
        }
    }

    /// So many bytes of a payload, whose length was checked.
    pub(super) async fn vec(&mut self, length: usize) -> Result<Vec<u8>, MediaError> {
        match self.receiver.vec(length).await {
            Ok(bytes) => Ok(bytes),
            Err(error) => Err(self.broken(error).await),
        }
    }

    /// A message's whole payload.
    pub(super) async fn payload(&mut self, header: Header) -> Result<Vec<u8>, MediaError> {
        self.vec(usize::try_from(header.payload_bytes).unwrap_or(usize::MAX))
            .await
    }

    /// A JSON message's content.
    pub(super) async fn json<T: DeserializeOwned>(
        &mut self,
        header: Header,
    ) -> Result<T, MediaError> {
        let payload = self.payload(header).await?;
        let kind = header.kind;
        serde_json::from_slice(&payload)
            .map_err(|source| ProtocolError::Json { kind, source }.into())
    }

    /// The content of the message that must come now; a failure in its place is an error.
    pub(super) async fn expect<T: DeserializeOwned>(
        &mut self,
        kind: Kind,
        expected: &'static str,
    ) -> Result<T, MediaError> {
        let header = self.header().await?;
        if header.kind == Kind::Failure {
            return Err(self.failure(header).await);
        }
        if header.kind != kind {
            let got = header.kind;
            return Err(ProtocolError::OutOfOrder { got, expected }.into());
        }
        self.json(header).await
    }

    /// The error that a failure message stands for.
    pub(super) async fn failure(&mut self, header: Header) -> MediaError {
        match self.json(header).await {
            Ok(failure) => super::failure::error(&failure, &self.shared.limits, &self.shared.child),
            Err(error) => error,
        }
    }

    /// Why the output ended before it was complete.
    async fn broken(&mut self, error: io::Error) -> MediaError {
        if error.kind() != io::ErrorKind::UnexpectedEof {
            return MediaError::Io(error);
        }
        let pid = self.id();
        let ending = self.ending().await;
        let log = self.log.settle().await;
        let Some(ending) = ending else {
            return MediaError::ChildDied {
                status: "output closed".to_owned(),
                log,
            };
        };
        let error = ending.error(&self.shared.child, log.clone());
        if matches!(error, MediaError::SandboxViolation) {
            tracing::error!(
                pid,
                log,
                "sandbox_violation: a decoder child made a system call that it may not make and \
                 was killed; its upload may be an attack"
            );
        }
        error
    }

    /// How it exited; `None` when it closed its output and lives on.
    async fn ending(&mut self) -> Option<Ending> {
        for _ in 0..EXIT_LOOKS {
            match Ending::of(self.process.process()?) {
                Ok(None) => tokio::time::sleep(EXIT_PAUSE).await,
                Ok(ending) => return ending,
                Err(_) => return None,
            }
        }
        None
    }
}

impl Drop for RunningChild {
    fn drop(&mut self) {
        let unsaid = if Instant::now() >= self.deadline {
            Fate::DEADLINE
        } else {
            Fate::ABANDONED
        };
        self.process.ends_as(self.fate.unwrap_or(unsaid));
    }
}
