//! Stored reports decided anew, without any inference and without holding the store.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;

use jiff::civil::Date;

use crate::domain::policy::{Policy, StoredFindings, Transitions};
use crate::store::JobsError;
use crate::store::reports::{Listed, ReportStore, Span};

/// Reports that are read at once.
const PAGE: u32 = 500;

/// What is to be decided anew.
#[derive(Debug, Clone)]
pub struct Simulation {
    /// By this policy.
    pub policy: Arc<Policy>,
    /// These reports.
    pub span: Span,
    /// Of these only those that a policy of this name decided.
    pub decided_by: Option<String>,
    /// As if all were of this day; each one's own when absent.
    pub on: Option<Date>,
    /// Ids to be kept of each transition to another action.
    pub examples: usize,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Simulated {
    /// Reports by old and new action.
    pub transitions: Transitions,
    /// Stored reports that can't be read as such.
    pub unreadable: u64,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] JobsError),
    /// A task of this program failed.
    #[error("a task failed")]
    Task(#[from] tokio::task::JoinError),
}

impl Simulated {
    /// Adds what came of later reports.
    fn add(&mut self, later: Self) {
        self.transitions.add(later.transitions);
        self.unreadable = self.unreadable.saturating_add(later.unreadable);
    }
}

impl Simulation {
    /// Decides all of them, page after page: the next is read while the last ones are decided on as
    /// many threads as there are cores. Dropping the future stops it within a page.
    pub async fn run(self, store: &dyn ReportStore) -> Result<Simulated, SimulationError> {
        let wanted = Arc::new(self);
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let mut counting = VecDeque::new();
        let mut sum = wanted.nothing();
        let mut after = None;
        loop {
            let page = store.page(&wanted.span, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.mark);
            let counter = Arc::clone(&wanted);
            counting.push_back(tokio::task::spawn_blocking(move || counter.count(&page)));
            if counting.len() > cores
                && let Some(first) = counting.pop_front()
            {
                sum.add(first.await?);
            }
        }
        for rest in counting {
            sum.add(rest.await?);
        }
        Ok(sum)
    }

    fn nothing(&self) -> Simulated {
        Simulated {
            transitions: Transitions::with_examples(self.examples),
            unreadable: 0,
        }
    }

    fn count(&self, page: &[Listed]) -> Simulated {
        let mut part = self.nothing();
        for listed in page {
            let stored: StoredFindings = match serde_json::from_str(&listed.body) {
                Ok(stored) => stored,
                Err(error) => {
                    tracing::warn!(%error, report = listed.id, "a stored report can't be read");
                    part.unreadable = part.unreadable.saturating_add(1);
                    continue;
                }
            };
            let by = self.decided_by.as_ref();
            if by.is_none_or(|name| *name == stored.decision.name) {
                part.transitions.redecide(&stored, &self.policy, self.on);
            }
        }
        part
    }
}
