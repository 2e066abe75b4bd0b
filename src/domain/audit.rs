//! A chain of hashes over what was decided: who changes, drops or adds an entry breaks it.
//!
//! It is no signature: who can rewrite the whole store can build another chain. Keep the head, the last
//! entry's hash, somewhere else, and the chain up to it can't be rewritten unseen.

use serde::{Deserialize, Serialize};

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A report was made; its content hash is `report_blake3` of its receipt.
    Report,
    /// A reviewer decided on a report; its content is the decision's JSON.
    Decision,
    /// A report was deleted when its time was over; its content is the report's again.
    Deletion,
}

/// One entry. Its fields are in alphabetical order, as they are hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// BLAKE3 of what it is about, hex.
    pub content_blake3: String,
    /// What it is about.
    pub kind: EntryKind,
    /// Hash of the entry before it, hex; of the first one [`Entry::NONE`].
    pub previous: String,
    /// From 1, without a gap.
    pub sequence: u64,
    /// Id of the report.
    pub subject: String,
}

/// An entry with its hash, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The entry.
    #[serde(flatten)]
    pub entry: Entry,
    /// BLAKE3 of the entry's compact JSON with sorted keys, hex.
    pub hash: String,
}

impl Entry {
    /// What stands for the hash of an entry before the first.
    pub const NONE: &'static str =
        "0000000000000000000000000000000000000000000000000000000000000000";

    /// The entry that follows `last`.
    pub fn after(
        last: Option<&Sealed>,
        kind: EntryKind,
        subject: String,
        content_blake3: String,
    ) -> Self {
        Self {
            content_blake3,
            kind,
            previous: last.map_or_else(|| Self::NONE.to_owned(), |last| last.hash.clone()),
            sequence: last.map_or(1, |last| last.entry.sequence.saturating_add(1)),
            subject,
        }
    }

    /// BLAKE3 of the entry's compact JSON with sorted keys, hex.
    pub fn hash(&self) -> Result<String, serde_json::Error> {
        let text = serde_json::to_vec(self)?;
        Ok(blake3::hash(&text).to_hex().to_string())
    }

    /// The entry with its hash.
    pub fn seal(self) -> Result<Sealed, serde_json::Error> {
        let hash = self.hash()?;
        Ok(Sealed { entry: self, hash })
    }
}

/// Where a chain breaks first.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// Entries are missing, doubled or out of order.
    #[error("entry {found} stands where entry {expected} belongs")]
    Sequence {
        /// What belongs there.
        expected: u64,
        /// What stands there.
        found: u64,
    },
    /// An entry does not follow from the one before it.
    #[error("entry {sequence} ({subject}) doesn't follow from the entry before it")]
    Previous {
        /// Its number.
        sequence: u64,
        /// The report.
        subject: String,
    },
    /// An entry was changed.
    #[error("entry {sequence} ({subject}) is not as it was written")]
    Entry {
        /// Its number.
        sequence: u64,
        /// The report.
        subject: String,
    },
    /// What an entry is about was changed.
    #[error("the {kind} {subject} of entry {sequence} is not as it was written", kind = what(*.kind))]
    Content {
        /// The entry's number.
        sequence: u64,
        /// The report.
        subject: String,
        /// What was changed.
        kind: EntryKind,
    },
    /// The chain is whole and ends elsewhere than it should.
    #[error("the chain ends with {found}, not with {expected}")]
    Head {
        /// The hash that was kept elsewhere.
        expected: String,
        /// The last entry's.
        found: String,
    },
}

fn what(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Report | EntryKind::Deletion => "report",
        EntryKind::Decision => "decision on report",
    }
}

/// A walk along a chain, entry after entry, in constant memory.
#[derive(Debug, Clone, Default)]
pub struct Walk {
    entries: u64,
    head: Option<String>,
}

impl Walk {
    /// Looks at the next entry. `content` is the hash of what is stored under its subject now; `None`
    /// where that is rightly gone.
    pub fn step(&mut self, sealed: &Sealed, content: Option<&str>) -> Result<(), Break> {
        let entry = &sealed.entry;
        let (sequence, subject) = (entry.sequence, entry.subject.clone());
        let expected = self.entries.saturating_add(1);
        if sequence != expected {
            return Err(Break::Sequence {
                expected,
                found: sequence,
            });
        }
        if entry.previous != self.head() {
            return Err(Break::Previous { sequence, subject });
        }
        if entry.hash().ok().as_ref() != Some(&sealed.hash) {
            return Err(Break::Entry { sequence, subject });
        }
        if content.is_some_and(|content| content != entry.content_blake3) {
            let kind = entry.kind;
            return Err(Break::Content {
                sequence,
                subject,
                kind,
            });
        }
        self.entries = sequence;
        self.head = Some(sealed.hash.clone());
        Ok(())
    }

    /// Entries so far.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Hash of the last entry; [`Entry::NONE`] before the first.
    pub fn head(&self) -> &str {
        self.head.as_deref().unwrap_or(Entry::NONE)
    }

    /// Whether the chain ends with `head`, which was kept elsewhere: entries cut off at the end leave
    /// no other trace.
    pub fn ends_with(&self, head: &str) -> Result<(), Break> {
        if self.head() == head {
            return Ok(());
        }
        Err(Break::Head {
            expected: head.to_owned(),
            found: self.head().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chain(length: usize) -> Vec<Sealed> {
        let mut chain: Vec<Sealed> = Vec::new();
        for place in 0..length {
            let content = blake3::hash(&place.to_le_bytes()).to_hex().to_string();
            let subject = format!("report-{place}");
            let entry = Entry::after(chain.last(), EntryKind::Report, subject, content);
            chain.push(entry.seal().unwrap());
        }
        chain
    }

    fn walk(chain: &[Sealed]) -> Result<Walk, Break> {
        let mut walk = Walk::default();
        for sealed in chain {
            let stored = sealed.entry.content_blake3.clone();
            walk.step(sealed, Some(&stored))?;
        }
        Ok(walk)
    }

    #[test]
    fn an_entry_is_hashed_as_the_documents_say() {
        let entry = Entry::after(None, EntryKind::Report, "01J".to_owned(), "ab".to_owned());
        let text = format!(
            r#"{{"content_blake3":"ab","kind":"report","previous":"{}","sequence":1,"subject":"01J"}}"#,
            Entry::NONE
        );
        assert_eq!(
            entry.hash().unwrap(),
            blake3::hash(text.as_bytes()).to_hex().to_string()
        );
    }

    #[test]
    fn a_whole_chain_has_a_head_and_a_shorter_one_another() {
        let whole = chain(5);
        let head = walk(&whole).unwrap().head().to_owned();
        assert_eq!(head, whole[4].hash);
        assert_eq!(walk(&whole).unwrap().ends_with(&head), Ok(()));
        let cut = walk(&whole[..4]).unwrap();
        assert!(matches!(cut.ends_with(&head), Err(Break::Head { .. })));
        assert_eq!(walk(&[]).unwrap().head(), Entry::NONE);
    }

    #[test]
    fn a_report_that_was_changed_is_named() {
        let whole = chain(2);
        let mut walk = Walk::default();
        walk.step(&whole[0], None).unwrap();
        let error = walk.step(&whole[1], Some("other")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the report report-1 of entry 2 is not as it was written"
        );
    }

    proptest! {
        #[test]
        fn the_first_break_is_named(length in 2usize..20, at in 0usize..20, how in 0u8..4) {
            let (mut broken, at) = (chain(length), at % length);
            let first = match how {
                0 => { broken[at].entry.content_blake3 = "other".to_owned(); at }
                1 => { broken[at].entry.subject.push('x'); at }
                // Rewritten with its hash: the next one no longer follows.
                2 => {
                    broken[at].entry.subject.push('x');
                    broken[at] = broken[at].entry.clone().seal().unwrap();
                    at + 1
                }
                _ => { broken.remove(at); at }
            };
            let is_last = first >= broken.len();
            match walk(&broken) {
                Ok(_) => prop_assert!(is_last),
                Err(Break::Sequence { expected, .. }) => prop_assert_eq!(expected, first as u64 + 1),
                Err(Break::Previous { sequence, .. } | Break::Entry { sequence, .. } | Break::Content { sequence, .. }) =>
                    prop_assert_eq!(sequence, first as u64 + 1),
                Err(Break::Head { .. }) => prop_assert!(false),
            }
        }
    }
}
