//! Flags: what a trusted reporter says with a video, and how well such reports were answered.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::transparency::percentile;

/// An organisation that flags videos: 1 to 64 lower-case letters, digits and single `-` between them,
/// such as `election-body`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, min_length = 1, max_length = 64)]
pub struct Organisation(String);

/// A text that names no organisation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no organisation: 1 to 64 lower-case letters and digits, with single `-` between them"
)]
pub struct InvalidOrganisation(String);

impl Organisation {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Organisation {
    type Err = InvalidOrganisation;

    fn from_str(text: &str) -> Result<Self, InvalidOrganisation> {
        let is_word = |part: &str| {
            let mut bytes = part.bytes();
            !part.is_empty() && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        if text.len() <= 64 && text.split('-').all(is_word) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidOrganisation(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for Organisation {
    type Error = InvalidOrganisation;

    fn try_from(text: String) -> Result<Self, InvalidOrganisation> {
        text.parse()
    }
}

impl From<Organisation> for String {
    fn from(organisation: Organisation) -> Self {
        organisation.0
    }
}

impl std::fmt::Display for Organisation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// What a reporter says with a video. Nothing of it is ever spoken to or opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grounds {
    /// The reporter's own number of the case.
    pub case_ref: Option<String>,
    /// Why it was flagged.
    pub reason: Option<String>,
    /// Where the public sees it.
    pub content_url: Option<String>,
}

/// A text of [`Grounds`] that is too long, or isn't what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` must be {expected}")]
pub struct InvalidGrounds {
    /// Which one.
    pub key: &'static str,
    /// What it may be.
    pub expected: &'static str,
}

impl Grounds {
    /// Checks lengths in characters (`case_ref` 255, `reason` 4,000, `content_url` 4,096) and that the
    /// URL is one of the web.
    pub fn validate(&self) -> Result<(), InvalidGrounds> {
        let is_line = |text: &str, longest| {
            text.chars().count() <= longest && !text.chars().any(char::is_control)
        };
        let wrong = |key, expected| Err(InvalidGrounds { key, expected });
        if self.case_ref.as_ref().is_some_and(|t| !is_line(t, 255)) {
            return wrong("case_ref", "at most 255 printable characters");
        }
        let is_text = |text: &String| {
            let allowed = |c: char| !c.is_control() || matches!(c, '\n' | '\t' | '\r');
            text.chars().count() <= 4000 && text.chars().all(allowed)
        };
        if self.reason.as_ref().is_some_and(|text| !is_text(text)) {
            return wrong("reason", "at most 4000 characters of text");
        }
        let is_web = |text: &String| {
            is_line(text, 4096) && (text.starts_with("https://") || text.starts_with("http://"))
        };
        if self.content_url.as_ref().is_some_and(|text| !is_web(text)) {
            return wrong(
                "content_url",
                "a URL of http or https of at most 4096 characters",
            );
        }
        Ok(())
    }
}

/// How a flag ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlagOutcome {
    /// With a report.
    Done,
    /// With a problem: nothing could be said about the video.
    Failed,
    /// Withdrawn.
    Cancelled,
}

/// A flag as far as it is counted. Times are milliseconds of one clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Who flagged.
    pub organisation: String,
    /// When the flag was taken.
    pub received_ms: i64,
    /// When an answer is due.
    pub due_ms: i64,
    /// How and when it ended; `None` while it waits.
    pub ended: Option<(FlagOutcome, i64)>,
    /// Whether what holds of its report, after policy and reviewers, is that the flag was right;
    /// `None` without a report.
    pub upheld: Option<bool>,
}

/// How a channel served one organisation, and how right that was. Every flag is one of `waiting`,
/// `answered`, `failed` and `cancelled`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = FlagFigures)]
pub struct Figures {
    /// Flags taken.
    pub received: u64,
    /// Not over yet.
    pub waiting: u64,
    /// Of those that wait: past their due time.
    pub overdue: u64,
    /// Over with a report.
    pub answered: u64,
    /// Of those answered: by their due time.
    pub in_time: u64,
    /// Over with a problem.
    pub failed: u64,
    /// Withdrawn.
    pub cancelled: u64,
    /// Of those answered: the policy acted and no reviewer overturned that, or a reviewer overturned
    /// that it did not.
    pub upheld: u64,
    /// `upheld / answered`, the channel's precision; null while nothing is answered.
    pub precision: Option<f64>,
    /// Median seconds to the answer, by the nearest rank; null while nothing is answered.
    pub median_s: Option<f64>,
    /// 95th percentile of the same.
    pub p95_s: Option<f64>,
}

/// Figures as they grow: four bytes for each flag that was answered.
#[derive(Debug, Clone, Default)]
pub struct Tally(BTreeMap<String, (Figures, Vec<f32>)>);

impl Tally {
    /// Counts one flag as it stands at `now_ms`.
    pub fn add(&mut self, flag: &Counted, now_ms: i64) {
        let (figures, times) = self.0.entry(flag.organisation.clone()).or_default();
        let one_more = |count: &mut u64| *count = count.saturating_add(1);
        one_more(&mut figures.received);
        match flag.ended {
            None => {
                one_more(&mut figures.waiting);
                if now_ms > flag.due_ms {
                    one_more(&mut figures.overdue);
                }
            }
            Some((FlagOutcome::Done, at)) => {
                one_more(&mut figures.answered);
                if at <= flag.due_ms {
                    one_more(&mut figures.in_time);
                }
                if flag.upheld == Some(true) {
                    one_more(&mut figures.upheld);
                }
                // A clock that was set back gives no negative time.
                let took = u64::try_from(at.saturating_sub(flag.received_ms)).unwrap_or(0);
                times.push(Duration::from_millis(took).as_secs_f32());
            }
            Some((FlagOutcome::Failed, _)) => one_more(&mut figures.failed),
            Some((FlagOutcome::Cancelled, _)) => one_more(&mut figures.cancelled),
        }
    }

    /// The figures by organisation.
    pub fn figures(self) -> BTreeMap<String, Figures> {
        let finish = |(organisation, (figures, mut times)): (String, (Figures, Vec<f32>))| {
            times.sort_by(f32::total_cmp);
            let is_answered = figures.answered > 0;
            let precision = is_answered.then(|| figures.upheld as f64 / figures.answered as f64);
            let figures = Figures {
                precision,
                median_s: is_answered.then(|| percentile(&times, 50)),
                p95_s: is_answered.then(|| percentile(&times, 95)),
                ..figures
            };
            (organisation, figures)
        };
        self.0.into_iter().map(finish).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_organisation_is_one_plain_word() {
        for good in ["kpu", "election-body", "a1-2"] {
            assert_eq!(good.parse::<Organisation>().unwrap().as_str(), good);
        }
        for bad in ["", "KPU", "a b", "-a", "a--b", "é", &"a".repeat(65)] {
            assert!(bad.parse::<Organisation>().is_err(), "{bad}");
        }
    }

    #[test]
    fn grounds_have_their_bounds() {
        let grounds = |reason: &str, url: &str| Grounds {
            case_ref: Some("2026/17".to_owned()),
            reason: Some(reason.to_owned()),
            content_url: Some(url.to_owned()),
        };
        assert_eq!(grounds("a\nb", "https://example.org/v").validate(), Ok(()));
        for (reason, url, key) in [
            ("a\0b", "https://example.org/v", "reason"),
            (&"x".repeat(4001), "https://example.org/v", "reason"),
            ("", "ftp://example.org/v", "content_url"),
            ("", "https://example.org/\nv", "content_url"),
        ] {
            assert_eq!(grounds(reason, url).validate().unwrap_err().key, key);
        }
    }

    #[test]
    fn figures_tell_service_and_precision() {
        use FlagOutcome::{Cancelled, Done, Failed};
        let mut tally = Tally::default();
        let flag = |ended, upheld| Counted {
            organisation: "kpu".to_owned(),
            received_ms: 1000,
            due_ms: 61_000,
            ended,
            upheld,
        };
        for (ended, upheld) in [
            (Some((Done, 2000)), Some(true)),
            (Some((Done, 61_000)), Some(false)),
            (Some((Done, 61_001)), Some(true)),
            (Some((Failed, 2000)), None),
            (Some((Cancelled, 2000)), None),
            (None, None),
        ] {
            tally.add(&flag(ended, upheld), 61_001);
        }
        let figures = tally.figures().remove("kpu").unwrap();
        let want = Figures {
            received: 6,
            waiting: 1,
            overdue: 1,
            answered: 3,
            in_time: 2,
            failed: 1,
            cancelled: 1,
            upheld: 2,
            precision: Some(2.0 / 3.0),
            median_s: Some(60.0),
            p95_s: Some(f64::from(60.001_f32)),
        };
        assert_eq!(figures, want);
    }

    proptest! {
        #[test]
        fn every_flag_is_counted_once(
            all in prop::collection::vec((0u8..3, 0u8..4, 0i64..1000, any::<Option<bool>>()), 0..200)
        ) {
            let mut tally = Tally::default();
            for (organisation, how, at, upheld) in &all {
                let ended = match how {
                    0 => None,
                    1 => Some(FlagOutcome::Done),
                    2 => Some(FlagOutcome::Failed),
                    _ => Some(FlagOutcome::Cancelled),
                };
                let flag = Counted {
                    organisation: organisation.to_string(),
                    received_ms: 500,
                    due_ms: 700,
                    ended: ended.map(|outcome| (outcome, *at)),
                    upheld: *upheld,
                };
                tally.add(&flag, 600);
            }
            let figures = tally.figures();
            let received: u64 = figures.values().map(|f| f.received).sum();
            prop_assert_eq!(received, all.len() as u64);
            for f in figures.values() {
                prop_assert_eq!(f.received, f.waiting + f.answered + f.failed + f.cancelled);
                prop_assert!(f.in_time <= f.answered && f.upheld <= f.answered);
                prop_assert_eq!(f.precision.is_some(), f.answered > 0);
            }
        }
    }
}
