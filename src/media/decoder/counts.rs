//! What became of the decoder children, counted since the start.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::media::error::MediaError;
use crate::media::limits::LimitName;

/// How a child came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildEnd {
    /// It gave all that was asked for.
    Finished,
    /// It said what is wrong with its file.
    Refused,
    /// A limit was passed.
    Limit,
    /// It broke the protocol.
    Lied,
    /// It died by itself, also while it waited for an upload.
    Died,
    /// It made a system call that it may not make.
    SandboxViolation,
    /// It was killed when the time was over.
    Deadline,
    /// It was killed because nobody wanted its answer any more: the caller left, or another stage
    /// failed.
    Abandoned,
    /// A fault of jaga's own or of the operating system's.
    Failed,
}

impl ChildEnd {
    /// Every end, in order of declaration.
    pub const ALL: [Self; 9] = [
        Self::Finished,
        Self::Refused,
        Self::Limit,
        Self::Lied,
        Self::Died,
        Self::SandboxViolation,
        Self::Deadline,
        Self::Abandoned,
        Self::Failed,
    ];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Refused => "refused",
            Self::Limit => "limit",
            Self::Lied => "lied",
            Self::Died => "died",
            Self::SandboxViolation => "sandbox_violation",
            Self::Deadline => "deadline",
            Self::Abandoned => "abandoned",
            Self::Failed => "failed",
        }
    }

    /// The end of a child whose work ended with `error`.
    fn of(error: &MediaError) -> Self {
        match error {
            MediaError::Empty
            | MediaError::UnsupportedFormat(_)
            | MediaError::UnsupportedCodec(_)
            | MediaError::Encrypted
            | MediaError::NoVideoStream
            | MediaError::NoFrames(_)
            | MediaError::Corrupt(_) => Self::Refused,
            MediaError::Limit(_) | MediaError::OutputTooLarge { .. } => Self::Limit,
            MediaError::Protocol(_) => Self::Lied,
            MediaError::ChildDied { .. } => Self::Died,
            MediaError::SandboxViolation => Self::SandboxViolation,
            MediaError::Deadline => Self::Deadline,
            MediaError::Sandbox { .. }
            | MediaError::Spawn { .. }
            | MediaError::ChildInternal(_)
            | MediaError::Io(_) => Self::Failed,
        }
    }
}

/// How one child fared; a limit by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fate {
    end: ChildEnd,
    limit: Option<LimitName>,
}

impl Fate {
    pub(super) const FINISHED: Self = Self::plain(ChildEnd::Finished);
    pub(super) const DIED: Self = Self::plain(ChildEnd::Died);
    pub(super) const DEADLINE: Self = Self::plain(ChildEnd::Deadline);
    pub(super) const ABANDONED: Self = Self::plain(ChildEnd::Abandoned);

    const fn plain(end: ChildEnd) -> Self {
        Self { end, limit: None }
    }

    pub(super) fn of(error: &MediaError) -> Self {
        let limit = if let MediaError::Limit(passed) = error {
            Some(passed.limit)
        } else {
            None
        };
        Self {
            end: ChildEnd::of(error),
            limit,
        }
    }
}

/// The counters.
#[derive(Debug, Default)]
pub(super) struct Counters {
    started: AtomicU64,
    ends: [AtomicU64; ChildEnd::ALL.len()],
    limits: [AtomicU64; LimitName::ALL.len()],
}

impl Counters {
    pub(super) fn started(&self) {
        self.started.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ended(&self, fate: Fate) {
        let limit = fate.limit.and_then(|limit| self.limits.get(limit as usize));
        for counter in self.ends.get(fate.end as usize).into_iter().chain(limit) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn read(&self) -> ChildCounts {
        let read = |counters: &[AtomicU64], place: usize| {
            let counter = counters.get(place);
            counter.map_or(0, |counter| counter.load(Ordering::Relaxed))
        };
        ChildCounts {
            started: self.started.load(Ordering::Relaxed),
            ends: ChildEnd::ALL.map(|end| (end, read(&self.ends, end as usize))),
            limits: LimitName::ALL.map(|limit| (limit, read(&self.limits, limit as usize))),
        }
    }
}

/// How many children were started and how they ended, since the start of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChildCounts {
    /// Children that were started, those that wait among them.
    pub started: u64,
    /// Children by end; each ends once.
    pub ends: [(ChildEnd, u64); ChildEnd::ALL.len()],
    /// Of those that ended by a limit, which one.
    pub limits: [(LimitName, u64); LimitName::ALL.len()],
}

impl ChildCounts {
    /// Children with this end.
    pub fn ended(&self, end: ChildEnd) -> u64 {
        let found = self.ends.iter().find(|(other, _)| *other == end);
        found.map_or(0, |(_, count)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::MediaLimits;

    #[test]
    fn each_end_and_limit_has_its_own_counter() {
        for (place, end) in ChildEnd::ALL.into_iter().enumerate() {
            assert_eq!(end as usize, place, "{}", end.name());
        }
        for (place, limit) in LimitName::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, place, "{limit}");
        }
        let counters = Counters::default();
        let passed = MediaLimits::default().check_frame(9000, 1).unwrap_err();
        counters.started();
        counters.ended(Fate::of(&passed.into()));
        counters.ended(Fate::of(&MediaError::SandboxViolation));
        let read = counters.read();
        assert_eq!(read.started, 1);
        assert_eq!(read.ended(ChildEnd::Limit), 1);
        assert_eq!(read.ended(ChildEnd::SandboxViolation), 1);
        assert_eq!(read.ended(ChildEnd::Finished), 0);
        let limits: Vec<_> = read.limits.iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(limits, [&(LimitName::MaxSidePx, 1)]);
    }
}
