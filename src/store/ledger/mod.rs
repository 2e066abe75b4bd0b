//! What was decided: a counted record of each report, reviewers' decisions on it, and a chain of
//! hashes over both.
//!
//! An implementation promises: a report is kept together with its record and its entry in the chain
//! or not at all; the same holds for a decision, and for a deletion with its entry. A record outlives
//! its report, so that a count of a period stays as it was published. `conformance` has the tests that
//! each implementation passes.

#[cfg(test)]
mod conformance;
pub(in crate::store) mod sqlite;

use std::fmt::Debug;

use async_trait::async_trait;

use crate::domain::audit::{Break, Head, Sealed};
use crate::domain::counted::Counted;
use crate::domain::review::{Review, Ruling};
use crate::domain::transparency::period::Period;
use crate::domain::transparency::statement::{Statement, Terms};
use crate::domain::transparency::{Cut, Table};
use crate::store::jobs::{JobsError, Millis};

/// Decisions that one report can have.
pub const MOST_DECISIONS: u32 = 100;

/// A place in the list of records: the time and the entry of the one before it.
pub type After = (Millis, u64);

/// Which records are listed, in the order of their decisions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sought {
    /// Only those that were decided in it.
    pub period: Option<Period>,
    /// Only those on which a person decided.
    pub ruled: bool,
    /// Only those after this one.
    pub after: Option<After>,
    /// At most so many.
    pub limit: u32,
}

/// A record of the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Its entry in the chain.
    pub entry: u64,
    /// What is counted.
    pub counted: Counted,
    /// The last ruling of a person, and when that was.
    pub ruling: Option<(Ruling, Millis)>,
    /// The caller's own word for the upload, where it was a job that is still kept.
    pub client_ref: Option<String>,
}

impl Recorded {
    /// Where a list goes on that ended with it.
    pub fn place(&self) -> After {
        (self.counted.created_ms, self.entry)
    }

    /// As a statement of reasons, if it is to be stated.
    pub fn statement(&self, terms: &Terms) -> Option<Statement> {
        Statement::of(&self.counted, self.ruling.map(|(ruling, _)| ruling), terms)
    }
}

/// What a walk along the whole chain found.
#[derive(Debug, PartialEq, Eq, Default)]
pub struct Audit {
    /// The end of the chain, or of what is whole before the first break.
    pub head: Head,
    /// Reports that are there and are what they were.
    pub reports: u64,
    /// Reports that are gone, as an entry says; their records are there and are what they were.
    pub forgotten: u64,
    /// Reports whose records are gone as well, as an entry says.
    pub expired: u64,
    /// Decisions that are there and are what they were.
    pub decisions: u64,
    /// The entry with the hash that was expected, 0 for that of an empty chain; `None` where none
    /// was.
    pub met: Option<u64>,
    /// Where the chain breaks first.
    pub broken: Option<Break>,
}

/// Where decisions are counted. Times come from the caller, so that a test has its own clock.
#[async_trait]
pub trait Ledger: Debug + Send + Sync {
    /// Takes a decision on a report, which may be deleted already as long as it is counted; gives
    /// its entry. `None`: there is no such report.
    async fn review(&self, review: Review) -> Result<Option<Sealed>, JobsError>;

    /// Decisions on a report, oldest first. `None`: there is no such report.
    async fn reviews(&self, report: &str) -> Result<Option<Vec<Review>>, JobsError>;

    /// Decisions on all reports with their entries, oldest first, those after the entry `after`: for
    /// whoever acts on each of them once.
    async fn reviews_after(&self, after: u64, limit: u32) -> Result<Vec<(u64, Review)>, JobsError>;

    /// Counts the decisions of a period, and gives the end of the chain that vouches for them; one
    /// look at the store.
    async fn count(&self, period: &Period, cut: Cut) -> Result<(Table, Head), JobsError>;

    /// A page of records.
    async fn records(&self, sought: &Sought) -> Result<Vec<Recorded>, JobsError>;

    /// Deletes up to a thousand records of deleted reports that are older than `older`, with the
    /// decisions on them. Returns how many records went.
    async fn expire(&self, older: Millis) -> Result<u64, JobsError>;

    /// The end of the chain.
    async fn head(&self) -> Result<Head, JobsError>;

    /// Walks along the whole chain, and looks whether all that it vouches for is what it was, and
    /// whether an entry has the hash `expected`, a head that was kept elsewhere.
    async fn audit(&self, expected: Option<&str>) -> Result<Audit, JobsError>;
}
