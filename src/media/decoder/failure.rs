//! What the child's failures mean to the server.

use crate::media::error::MediaError;
use crate::media::limits::{LimitExceeded, LimitName, MediaLimits};
use crate::media::protocol::{Failure, FailureReason};
use crate::media::sandbox::ChildConfig;

/// Longest detail that is passed on.
const DETAIL_CHARS: usize = 200;

/// The error for a failure. Its detail is a hostile child's word: cut and stripped of control
/// characters before it reaches a log.
pub(super) fn error(failure: &Failure, limits: &MediaLimits, child: &ChildConfig) -> MediaError {
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
        FailureReason::Limit(passed) => MediaError::Limit(LimitExceeded {
            // What is allowed is not the child's to say.
            allowed: allowed(passed.limit, limits, child),
            ..passed
        }),
        // Only a perturber has an output of such size, and its caller says what it may have.
        FailureReason::OutputTooLarge => MediaError::OutputTooLarge { limit: 0 },
        FailureReason::Deadline => MediaError::Deadline,
        FailureReason::Internal => MediaError::ChildInternal(detail),
    }
}

/// The configured value of a limit.
fn allowed(limit: LimitName, limits: &MediaLimits, child: &ChildConfig) -> f64 {
    match limit {
        LimitName::MaxDurationS => limits.max_duration_s,
        LimitName::MaxSidePx => limits.max_side_px.into(),
        LimitName::MaxPixels => limits.max_pixels as f64,
        LimitName::MaxStreams => limits.max_streams.into(),
        LimitName::MaxPackets => limits.max_packets as f64,
        LimitName::CpuSeconds => child.cpu_seconds as f64,
        LimitName::Memory => child.memory_bytes as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(failure: &Failure) -> MediaError {
        error(failure, &MediaLimits::default(), &ChildConfig::default())
    }

    #[test]
    fn what_is_allowed_is_the_servers_word() {
        for (limit, text) in [
            (
                LimitName::MaxPixels,
                "max_pixels is 40000000, the file has 7",
            ),
            (
                LimitName::Memory,
                "memory is 4294967296, decoding the file takes more than 7",
            ),
        ] {
            let passed = LimitExceeded {
                limit,
                allowed: 1.0,
                actual: 7.0,
            };
            let failure = Failure {
                reason: FailureReason::Limit(passed),
                detail: String::new(),
            };
            assert_eq!(told(&failure).to_string(), text);
        }
    }

    #[test]
    fn a_childs_words_are_cut_and_cleaned() {
        let failure = Failure {
            reason: FailureReason::Corrupt,
            detail: format!("bad\n\u{1b}[31m{}", "x".repeat(1000)),
        };
        let text = told(&failure).to_string();
        assert!(
            text.len() < 300 && !text.contains(['\n', '\u{1b}']),
            "{text}"
        );
    }
}
