//! A child process that can't be forgotten.

use std::process::Child;
use std::sync::{Arc, mpsc};

use super::counts::{Counters, Fate};

/// Where children go to be waited for, which may block, and where their ends are counted.
#[derive(Debug, Clone)]
pub(super) struct Cemetery {
    pub(super) graves: mpsc::Sender<Child>,
    pub(super) counters: Arc<Counters>,
}

/// Kills and reaps its process when it goes, wherever that happens: also in a channel whose
/// receiver left after the child was sent, where nobody else would wait for it.
#[derive(Debug)]
pub(super) struct OwnedProcess {
    /// Taken when it is buried.
    process: Option<Child>,
    /// How its end is counted.
    fate: Fate,
    cemetery: Cemetery,
}

impl OwnedProcess {
    pub(super) fn new(process: Child, cemetery: Cemetery) -> Self {
        Self {
            process: Some(process),
            fate: Fate::ABANDONED,
            cemetery,
        }
    }

    /// The process, which is there until this is dropped.
    pub(super) fn process(&mut self) -> Option<&mut Child> {
        self.process.as_mut()
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Says what its end is counted as.
    pub(super) fn ends_as(&mut self, fate: Fate) {
        self.fate = fate;
    }
}

impl Drop for OwnedProcess {
    fn drop(&mut self) {
        self.cemetery.counters.ended(self.fate);
        if let Some(mut process) = self.process.take() {
            let _killed_or_dead = process.kill();
            let _no_reaper_at_exit = self.cemetery.graves.send(process);
        }
    }
}
