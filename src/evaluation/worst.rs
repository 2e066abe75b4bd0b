//! The errors that a person should look at: which videos, and which of their frames.

use super::manifest::Video;
use super::outcome::{Column, Outcome, Results};

/// Errors of each kind that are shown of a model.
const WORST: usize = 4;

/// Frames of a video that are shown at each end of its scores.
const ENDS: usize = 2;

/// A video on the wrong side of the threshold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Error<'a> {
    /// Its place in [`Results::videos`].
    pub(super) place: usize,
    pub(super) video: &'a Video,
    pub(super) outcome: &'a Outcome,
    pub(super) score: f64,
}

/// The real videos with the highest scores, then the synthetic ones with the lowest.
pub(super) fn worst<'a>(
    results: &'a Results,
    column: &'a Column,
    threshold: f64,
) -> Vec<Error<'a>> {
    let answers = results.videos.iter().zip(&column.outcomes).enumerate();
    let mut wrong: Vec<Error<'a>> = answers
        .filter_map(|(place, (video, outcome))| {
            let score = outcome.score()?;
            ((score >= threshold) != video.synthetic).then_some(Error {
                place,
                video,
                outcome,
                score,
            })
        })
        .collect();
    let far = |error: &Error<'_>| (error.score - threshold).abs();
    wrong.sort_by(|a, b| far(b).total_cmp(&far(a)));
    let of_class = |synthetic: bool| {
        let of_class = wrong.iter().filter(move |e| e.video.synthetic == synthetic);
        of_class.take(WORST).copied()
    };
    of_class(false).chain(of_class(true)).collect()
}

/// Time and score of the frames with the highest and those with the lowest scores, in order of
/// time.
pub(super) fn telling(frames: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut ranked = frames.to_vec();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let low = ranked.len().saturating_sub(ENDS).max(ENDS);
    let mut kept: Vec<_> = ranked.iter().take(ENDS).copied().collect();
    kept.extend(ranked.iter().skip(low));
    kept.sort_by(|a, b| a.0.total_cmp(&b.0));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(scores: &[(bool, Option<f64>)]) -> Results {
        let video = |(place, (synthetic, _)): (usize, &(bool, Option<f64>))| Video {
            path: format!("v{place}"),
            synthetic: *synthetic,
            source: None,
            method: None,
        };
        let outcome = |(_, score): &(bool, Option<f64>)| match score {
            Some(score) => Outcome::Scored {
                score: *score,
                coverage: None,
                frames: Vec::new(),
            },
            None => Outcome::Inconclusive {
                reason: None,
                coverage: None,
            },
        };
        Results {
            videos: scores.iter().enumerate().map(video).collect(),
            contents: vec![None; scores.len()],
            columns: vec![Column {
                model: "m".to_owned(),
                provenance: None,
                outcomes: scores.iter().map(outcome).collect(),
            }],
        }
    }

    #[test]
    fn the_furthest_on_the_wrong_side_come_first_and_only_those() {
        let mut scores = vec![(true, Some(0.4)), (true, Some(0.5)), (false, None)];
        scores.extend((5..10).map(|i| (false, Some(f64::from(i) / 10.0))));
        scores.push((false, Some(0.49)));
        let results = results(&scores);
        let found = worst(&results, &results.columns[0], 0.5);
        let paths: Vec<&str> = found.iter().map(|e| e.video.path.as_str()).collect();
        assert_eq!(paths, ["v7", "v6", "v5", "v4", "v0"]);
        assert_eq!(found[4].place, 0);
    }

    #[test]
    fn the_highest_and_the_lowest_frames_are_shown_in_order_of_time() {
        let frames = [
            (0.0, 0.5),
            (1.0, 0.9),
            (2.0, 0.1),
            (3.0, 0.2),
            (4.0, 0.8),
            (5.0, 0.4),
        ];
        let times: Vec<f64> = telling(&frames).iter().map(|frame| frame.0).collect();
        assert_eq!(times, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(telling(&frames[..3]).len(), 3, "none twice");
        assert!(telling(&[]).is_empty());
    }
}
