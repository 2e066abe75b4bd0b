//! The rows of the tables that are written: `scores` and `frames`.

use super::manifest::Video;
use super::outcome::{Outcome, Results};

/// One video and what one model said of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScoreRow<'a> {
    pub(super) video: &'a Video,
    pub(super) model: &'a str,
    pub(super) outcome: &'a Outcome,
    /// BLAKE3 of the video's bytes.
    pub(super) content: Option<&'a str>,
}

impl<'a> ScoreRow<'a> {
    /// Why there is no score.
    pub(super) fn reason(&self) -> Option<&'a str> {
        match self.outcome {
            Outcome::Scored { .. } => None,
            Outcome::Inconclusive { reason, .. } => reason.as_deref(),
            Outcome::Failed { detail, .. } => Some(detail),
        }
    }

    /// The code of what failed.
    pub(super) fn failure(&self) -> Option<&'a str> {
        match self.outcome {
            Outcome::Failed { code, .. } => Some(code),
            Outcome::Scored { .. } | Outcome::Inconclusive { .. } => None,
        }
    }
}

/// One frame, or window, that has a score.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrameRow<'a> {
    pub(super) video: &'a Video,
    pub(super) model: &'a str,
    pub(super) time_s: f64,
    pub(super) score: f64,
}

/// A row for each video and model: every file is there, whatever came of it.
pub(super) fn scores(results: &Results) -> impl Iterator<Item = ScoreRow<'_>> {
    results.columns.iter().flat_map(|column| {
        let videos = results.videos.iter().zip(&results.contents);
        let answers = videos.zip(&column.outcomes);
        answers.map(|((video, content), outcome)| ScoreRow {
            video,
            model: &column.model,
            outcome,
            content: content.as_deref(),
        })
    })
}

/// A row for each frame that has a score.
pub(super) fn frames(results: &Results) -> impl Iterator<Item = FrameRow<'_>> {
    scores(results).flat_map(|row| {
        let frames = row.outcome.frames().iter();
        frames.map(move |(time_s, score)| FrameRow {
            video: row.video,
            model: row.model,
            time_s: *time_s,
            score: *score,
        })
    })
}
