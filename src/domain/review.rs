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

/// A reviewer's decision on a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Id of the report.
    pub report: String,
    /// What was decided.
    pub ruling: Ruling,
    /// Who decided, 1 to 128 characters.
    pub reviewer: String,
    /// Why, at most 4000 characters; may be empty.
    pub note: String,
    /// Whether it is on an appeal.
    pub appeal: bool,
    /// When.
    pub decided_at: Timestamp,
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

    /// What it says of the video, as a label for an evaluation: synthetic where an action was upheld,
    /// or where the lack of one was overturned. `acted`: the report's action was more than the first
    /// of its policy.
    pub fn is_synthetic(&self, acted: bool) -> bool {
        acted == (self.ruling == Ruling::Upheld)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn review(ruling: Ruling, reviewer: &str, note: &str) -> Review {
        Review {
            report: "01J".to_owned(),
            ruling,
            reviewer: reviewer.to_owned(),
            note: note.to_owned(),
            appeal: false,
            decided_at: Timestamp::UNIX_EPOCH,
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
    fn a_ruling_is_a_label() {
        for (ruling, acted, synthetic) in [
            (Ruling::Upheld, true, true),
            (Ruling::Upheld, false, false),
            (Ruling::Overturned, true, false),
            (Ruling::Overturned, false, true),
        ] {
            assert_eq!(review(ruling, "ana", "").is_synthetic(acted), synthetic);
        }
    }
}
