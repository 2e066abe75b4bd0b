//! What the child's failures mean to the server.

use crate::media::error::MediaError;
use crate::media::protocol::{Failure, FailureReason};

/// Longest detail that is passed on.
const DETAIL_CHARS: usize = 200;

/// The error for a failure. Its detail is a hostile child's word: cut and stripped of control
/// characters before it reaches a log.
pub(super) fn error(failure: &Failure) -> MediaError {
    let detail: String = failure
        .detail
        .chars()
        .filter(|c| !c.is_control())
        .take(DETAIL_CHARS)
        .collect();
    match failure.reason {
        FailureReason::Empty => MediaError::Empty,
        FailureReason::UnsupportedFormat => MediaError::UnsupportedFormat(detail),
        FailureReason::UnsupportedCodec => MediaError::UnsupportedCodec(detail),
        FailureReason::Encrypted => MediaError::Encrypted,
        FailureReason::NoVideoStream => MediaError::NoVideoStream,
        FailureReason::NoFrames => MediaError::NoFrames(detail),
        FailureReason::Corrupt => MediaError::Corrupt(detail),
        FailureReason::Limit(limit) => MediaError::Limit(limit),
        FailureReason::Deadline => MediaError::Deadline,
        FailureReason::Internal => MediaError::ChildInternal(detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_childs_words_are_cut_and_cleaned() {
        let failure = Failure {
            reason: FailureReason::Corrupt,
            detail: format!("bad\n\u{1b}[31m{}", "x".repeat(1000)),
        };
        let text = error(&failure).to_string();
        assert!(
            text.len() < 300 && !text.contains(['\n', '\u{1b}']),
            "{text}"
        );
    }
}
