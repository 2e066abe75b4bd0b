//! What a person decides on a report.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether the action of a report stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// It does.
    Upheld,
    /// It does not.
    Overturned,
}

impl Ruling {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Upheld, Self::Overturned];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upheld => "upheld",
            Self::Overturned => "overturned",
        }
    }
}

/// A reviewer's decision on a report. Its fields are in alphabetical order, as they are hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Review {
    /// Whether it is on an appeal.
    pub appeal: bool,
    /// When: RFC 3339, UTC, to the millisecond.
    #[schema(value_type = String)]
    pub decided_at: Timestamp,
    /// Id of the API key that it came with; empty where none was asked for.
    pub key: String,
    /// Why, at most 4000 characters; may be empty.
    pub note: String,
    /// Id of the report.
    pub report: String,
    /// Who decided, 1 to 128 characters.
    pub reviewer: String,
    /// What was decided.
    pub ruling: Ruling,
}

/// A decision that can't be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReview {
    /// Nobody, or too long a name.
    #[error("`reviewer` must have 1 to {max} characters, not {got}", max = Review::REVIEWER_CHARS)]
    Reviewer {
        /// Characters that it has.
        got: usize,
    },
    /// Too long a note.
    #[error("`note` may have {max} characters, not {got}", max = Review::NOTE_CHARS)]
    Note {
        /// Characters that it has.
        got: usize,
    },
}

impl Review {
    /// Longest name of a reviewer.
    pub const REVIEWER_CHARS: usize = 128;
    /// Longest note.
    pub const NOTE_CHARS: usize = 4000;

    /// Checks the lengths.
    pub fn validate(&self) -> Result<(), InvalidReview> {
        let got = self.reviewer.trim().chars().count();
        if !(1..=Self::REVIEWER_CHARS).contains(&got) {
            return Err(InvalidReview::Reviewer { got });
        }
        let got = self.note.chars().count();
        if got > Self::NOTE_CHARS {
            return Err(InvalidReview::Note { got });
        }
        Ok(())
    }

    /// BLAKE3 of its compact JSON with sorted keys, hex: what its entry in the chain vouches for.
    pub fn hash(&self) -> Result<String, serde_json::Error> {
        let text = serde_json::to_vec(self)?;
        Ok(blake3::hash(&text).to_hex().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn review(ruling: Ruling, reviewer: &str, note: &str) -> Review {
        Review {
            appeal: false,
            decided_at: Timestamp::UNIX_EPOCH,
            key: String::new(),
            note: note.to_owned(),
            report: "01J".to_owned(),
            reviewer: reviewer.to_owned(),
            ruling,
        }
    }

    #[test]
    fn lengths_are_checked() {
        assert_eq!(review(Ruling::Upheld, "ana", "").validate(), Ok(()));
        let nobody = review(Ruling::Upheld, " ", "").validate();
        assert_eq!(nobody, Err(InvalidReview::Reviewer { got: 0 }));
        let long = review(Ruling::Upheld, "ana", &"é".repeat(4001)).validate();
        assert_eq!(
            long.unwrap_err().to_string(),
            "`note` may have 4000 characters, not 4001"
        );
    }

    #[test]
    fn a_decision_is_hashed_as_the_documents_say() {
        let text = concat!(
            r#"{"appeal":false,"decided_at":"1970-01-01T00:00:00Z","key":"","note":"n","#,
            r#""report":"01J","reviewer":"ana","ruling":"overturned"}"#
        );
        assert_eq!(
            review(Ruling::Overturned, "ana", "n").hash().unwrap(),
            blake3::hash(text.as_bytes()).to_hex().to_string()
        );
    }
}
