//! A chain of hashes over what was decided: who changes, drops or adds an entry breaks it.
//!
//! It is no signature: who can rewrite the whole store can build another chain. Keep the head, the last
//! entry's hash, somewhere else, and the chain up to it can't be rewritten unseen.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A report was kept; its content is the record that is counted, which has the report's hash.
    Report,
    /// A reviewer decided on a report; its content is the decision.
    Decision,
    /// A report was deleted when its time was over; its content is the report's entry's again.
    Deletion,
    /// The record of a report was deleted, with the decisions on it, when their time was over; its
    /// content is the report's entry's again.
    Expiry,
}

impl EntryKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Report, Self::Decision, Self::Deletion, Self::Expiry];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Decision => "decision",
            Self::Deletion => "deletion",
            Self::Expiry => "expiry",
        }
    }
}

/// One entry. Its fields are in alphabetical order, as they are hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// BLAKE3 of what it is about, hex.
    pub content_blake3: String,
    /// What it is about.
    pub kind: EntryKind,
    /// Hash of the entry before it, hex; of the first one [`Head::NONE`].
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

/// The end of a chain, which the next entry follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Head {
    /// Entries in the chain.
    pub entries: u64,
    /// Hash of the last one, hex; 64 zeros where there is none.
    pub hash: String,
}

impl Head {
    /// What stands for the hash of an entry before the first.
    pub const NONE: &'static str =
        "0000000000000000000000000000000000000000000000000000000000000000";
}

impl Default for Head {
    /// Of an empty chain.
    fn default() -> Self {
        Self {
            entries: 0,
            hash: Self::NONE.to_owned(),
        }
    }
}

impl Entry {
    /// The entry that follows `head`.
    pub fn after(head: &Head, kind: EntryKind, subject: String, content_blake3: String) -> Self {
        Self {
            content_blake3,
            kind,
            previous: head.hash.clone(),
            sequence: head.entries.saturating_add(1),
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

impl Sealed {
    /// The end of a chain whose last entry it is.
    pub fn head(&self) -> Head {
        Head {
            entries: self.entry.sequence,
            hash: self.hash.clone(),
        }
    }

    /// Whether what was `found` of `part` is what this entry, or what it vouches for, says:
    /// `expected` is its hash.
    pub fn vouch(&self, part: Part, expected: &str, found: &Found) -> Result<(), Break> {
        let (sequence, subject) = (self.entry.sequence, self.entry.subject.clone());
        match found {
            Found::Gone => Ok(()),
            Found::Stored(hash) if hash == expected => Ok(()),
            Found::Stored(_) => Err(Break::Content {
                sequence,
                subject,
                part,
            }),
            Found::Missing => Err(Break::Missing {
                sequence,
                subject,
                part,
            }),
        }
    }
}

/// What an entry vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A report, as it was answered.
    Report,
    /// The record of a report that is counted.
    Record,
    /// A reviewer's decision.
    Decision,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Record => "counted record of report",
            Self::Decision => "decision on report",
        }
    }
}

/// What is there now of something that an entry vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// With this hash.
    Stored(String),
    /// Nothing; an entry says that it was deleted.
    Gone,
    /// Nothing, and no entry says so.
    Missing,
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
    #[error("the {part} {subject} of entry {sequence} is not as it was written", part = part.name())]
    Content {
        /// The entry's number.
        sequence: u64,
        /// The report.
        subject: String,
        /// What was changed.
        part: Part,
    },
    /// What an entry is about isn't there.
    #[error(
        "the {part} {subject} of entry {sequence} is gone, and no entry says that it was deleted",
        part = part.name()
    )]
    Missing {
        /// The entry's number.
        sequence: u64,
        /// The report.
        subject: String,
        /// What is missing.
        part: Part,
    },
    /// A report is counted by another ruling than the last one that was decided.
    #[error(
        "the ruling that report {subject} of entry {sequence} is counted by isn't the last one"
    )]
    Ruling {
        /// The report's entry.
        sequence: u64,
        /// The report.
        subject: String,
    },
    /// Something that no entry vouches for.
    #[error("no entry vouches for the {part} {subject}", part = part.name())]
    Unvouched {
        /// The report.
        subject: String,
        /// What it is.
        part: Part,
    },
    /// The chain is whole and doesn't come by a hash that it should have.
    #[error("no entry has the hash {expected}; the chain ends with {found}")]
    Head {
        /// The hash that was kept elsewhere.
        expected: String,
        /// The last entry's.
        found: String,
    },
}

/// A walk along a chain, entry after entry, in constant memory.
#[derive(Debug, Clone, Default)]
pub struct Walk {
    head: Head,
    expected: Option<String>,
    met: Option<u64>,
}

impl Walk {
    /// A walk that has to come by the hash `expected`, a head that was kept elsewhere, if one is
    /// given: entries cut off at the end leave no other trace.
    pub fn by(expected: Option<&str>) -> Self {
        Self {
            head: Head::default(),
            expected: expected.map(str::to_owned),
            met: expected.filter(|hash| *hash == Head::NONE).map(|_| 0),
        }
    }

    /// Looks at the next entry.
    pub fn step(&mut self, sealed: &Sealed) -> Result<(), Break> {
        let entry = &sealed.entry;
        let (sequence, subject) = (entry.sequence, entry.subject.clone());
        let expected = self.head.entries.saturating_add(1);
        if sequence != expected {
            return Err(Break::Sequence {
                expected,
                found: sequence,
            });
        }
        if entry.previous != self.head.hash {
            return Err(Break::Previous { sequence, subject });
        }
        if entry.hash().ok().as_ref() != Some(&sealed.hash) {
            return Err(Break::Entry { sequence, subject });
        }
        if self.expected.as_ref() == Some(&sealed.hash) {
            self.met = Some(sequence);
        }
        self.head = sealed.head();
        Ok(())
    }

    /// Where it is.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// At which entry it came by the hash that was expected, 0 before the first.
    pub fn met(&self) -> Option<u64> {
        self.met
    }

    /// Whether it came by the hash that was expected.
    pub fn end(&self) -> Result<(), Break> {
        match &self.expected {
            Some(expected) if self.met.is_none() => Err(Break::Head {
                expected: expected.clone(),
                found: self.head.hash.clone(),
            }),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chain(length: usize) -> Vec<Sealed> {
        let mut chain: Vec<Sealed> = Vec::new();
        for place in 0..length {
            let head = chain.last().map(Sealed::head).unwrap_or_default();
            let content = blake3::hash(&place.to_le_bytes()).to_hex().to_string();
            let subject = format!("report-{place}");
            let entry = Entry::after(&head, EntryKind::Report, subject, content);
            chain.push(entry.seal().unwrap());
        }
        chain
    }

    fn walk(chain: &[Sealed]) -> Result<Walk, Break> {
        let mut walk = Walk::default();
        for sealed in chain {
            let stored = sealed.entry.content_blake3.clone();
            walk.step(sealed)?;
            sealed.vouch(Part::Record, &stored, &Found::Stored(stored.clone()))?;
        }
        Ok(walk)
    }

    #[test]
    fn an_entry_is_hashed_as_the_documents_say() {
        let head = Head::default();
        let entry = Entry::after(&head, EntryKind::Report, "01J".to_owned(), "ab".to_owned());
        let text = format!(
            r#"{{"content_blake3":"ab","kind":"report","previous":"{}","sequence":1,"subject":"01J"}}"#,
            Head::NONE
        );
        assert_eq!(
            entry.hash().unwrap(),
            blake3::hash(text.as_bytes()).to_hex().to_string()
        );
    }

    #[test]
    fn a_chain_comes_by_each_of_its_heads_and_a_shorter_one_does_not() {
        let whole = chain(5);
        let by = |head: &str, entries: &[Sealed]| {
            let mut walk = Walk::by(Some(head));
            for sealed in entries {
                walk.step(sealed).unwrap();
            }
            walk.end().map(|()| walk.met())
        };
        let last = &whole[4].hash;
        assert_eq!(by(last, &whole), Ok(Some(5)));
        assert_eq!(by(&whole[2].hash, &whole), Ok(Some(3)));
        assert_eq!(by(Head::NONE, &whole), Ok(Some(0)));
        assert!(matches!(by(last, &whole[..4]), Err(Break::Head { .. })));
        assert_eq!(&walk(&whole).unwrap().head().hash, last);
        assert_eq!(walk(&[]).unwrap().head(), &Head::default());
        assert_eq!(walk(&[]).unwrap().end(), Ok(()));
    }

    #[test]
    fn what_was_changed_or_is_missing_is_named() {
        let sealed = chain(2).remove(1);
        let vouch = |found| sealed.vouch(Part::Report, "ab", &found);
        assert_eq!(vouch(Found::Stored("ab".to_owned())), Ok(()));
        assert_eq!(vouch(Found::Gone), Ok(()));
        let changed = vouch(Found::Stored("other".to_owned())).unwrap_err();
        let missing = vouch(Found::Missing).unwrap_err();
        assert_eq!(
            [changed.to_string(), missing.to_string()],
            [
                "the report report-1 of entry 2 is not as it was written",
                "the report report-1 of entry 2 is gone, and no entry says that it was deleted"
            ]
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
                Err(other) => prop_assert!(false, "{}", other),
            }
        }
    }
}
