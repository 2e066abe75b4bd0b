//! What of a report is counted: a record that outlives it.

use serde::{Deserialize, Serialize};

use super::lanes::Lane;
use super::report;
use super::review::Ruling;

/// What is kept of a report for as long as it is counted. Its fields are in alphabetical order, as
/// they are hashed. Texts are empty where the report doesn't say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Counted {
    /// The action.
    pub action: String,
    /// When the request was taken, in milliseconds since 1970, UTC.
    pub asked_ms: i64,
    /// When the report was kept, in the same unit: the time of the decision.
    pub created_ms: i64,
    /// Whether the upload was a still image.
    pub is_still: bool,
    /// The request's lane.
    pub lane: Lane,
    /// BLAKE3 of the upload, hex.
    pub media_blake3: String,
    /// The policy's name.
    pub policy: String,
    /// The policy's version.
    pub policy_version: String,
    /// Id of the report.
    pub report: String,
    /// The report's content hash, as in its receipt.
    pub report_blake3: String,
    /// The rule that decided: the first that asks for the action; empty where none applied.
    pub rule: String,
    /// The score that this rule found.
    pub rule_score: Option<f64>,
    /// The rule's `min_score`.
    pub rule_threshold: Option<f64>,
    /// The report's score; `None` when inconclusive.
    pub score: Option<f64>,
    /// The report's verdict.
    pub verdict: String,
}

/// The request that a report answers, as far as the report doesn't say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked<'a> {
    /// Id of the report.
    pub report: &'a str,
    /// See [`Counted::lane`].
    pub lane: Lane,
    /// See [`Counted::asked_ms`].
    pub asked_ms: i64,
    /// See [`Counted::created_ms`].
    pub created_ms: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stored {
    media: StoredMedia,
    score: Option<f64>,
    verdict: String,
    policy: StoredPolicy,
    receipt: StoredReceipt,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StoredMedia {
    blake3: String,
    container: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StoredPolicy {
    name: String,
    version: String,
    action: String,
    reasons: Vec<StoredReason>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
struct StoredReason {
    rule: String,
    score: Option<f64>,
    threshold: Option<f64>,
    /// Absent in reports of before a reason had it.
    action: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StoredReceipt {
    report_blake3: String,
}

impl StoredPolicy {
    /// Of the rules that apply the first that asks for the action. In an old report, which doesn't
    /// say what each one asks for, the first.
    fn decided(&self) -> StoredReason {
        let asks =
            |reason: &&StoredReason| reason.action.as_ref().is_none_or(|a| *a == self.action);
        self.reasons.iter().find(asks).cloned().unwrap_or_default()
    }
}

impl Counted {
    /// Of the report `json`, whatever it is: each report is counted, if need be with little said of
    /// it, so that counts add up.
    pub fn read(asked: &Asked<'_>, json: &str) -> Self {
        let stored: Stored = serde_json::from_str(json).unwrap_or_default();
        let reason = stored.policy.decided();
        let report_blake3 = Some(stored.receipt.report_blake3).filter(|hash| !hash.is_empty());
        Self {
            action: stored.policy.action,
            asked_ms: asked.asked_ms,
            created_ms: asked.created_ms,
            is_still: ["jpeg", "png", "webp"].contains(&&*stored.media.container),
            lane: asked.lane,
            media_blake3: stored.media.blake3,
            policy: stored.policy.name,
            policy_version: stored.policy.version,
            report: asked.report.to_owned(),
            report_blake3: report_blake3.unwrap_or_else(|| body_hash(json)),
            rule: reason.rule,
            rule_score: reason.score,
            rule_threshold: reason.threshold,
            score: stored.score,
            verdict: stored.verdict,
        }
    }

    /// BLAKE3 of its compact JSON with sorted keys, hex: what its entry in the chain vouches for.
    pub fn hash(&self) -> Result<String, serde_json::Error> {
        let text = serde_json::to_vec(self)?;
        Ok(blake3::hash(&text).to_hex().to_string())
    }

    /// Whether the policy asked for more than its weakest action.
    pub fn acted(&self) -> bool {
        // No rule may ask for the weakest one, which is decided when none applies.
        !self.rule.is_empty()
    }

    /// What the last `ruling` says of the video, as a label for an evaluation: synthetic where an
    /// action was upheld or the lack of one overturned, and not where it is the other way round.
    /// `None` where nothing was decided because nothing could be told, and that was upheld.
    pub fn label(&self, ruling: Ruling) -> Option<bool> {
        let undecided = !self.acted() && self.score.is_none();
        match ruling {
            Ruling::Upheld if undecided => None,
            Ruling::Upheld => Some(self.acted()),
            Ruling::Overturned => Some(!self.acted()),
        }
    }
}

/// A report's content hash by its JSON; of what is no JSON, the bytes' own.
pub fn body_hash(json: &str) -> String {
    let raw = |_| blake3::hash(json.as_bytes()).to_hex().to_string();
    report::content_hash(json).unwrap_or_else(raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ASKED: Asked<'_> = Asked {
        report: "01J",
        lane: Lane::Flagger,
        asked_ms: 5,
        created_ms: 7,
    };

    fn report(reasons: &serde_json::Value) -> String {
        json!({
            "id": "01J",
            "media": { "blake3": "aa", "container": "png", "bytes": 3 },
            "score": 0.9,
            "verdict": "substantial_evidence",
            "policy": { "name": "p", "version": "2", "action": "label", "reasons": reasons },
            "receipt": { "report_blake3": "bb", "plan": "keyframe/16" },
        })
        .to_string()
    }

    #[test]
    fn a_report_is_read_as_far_as_it_is_counted() {
        let reasons = json!([
            { "rule": "weak", "score": 0.9, "threshold": 0.1, "action": "watch" },
            { "rule": "strong", "score": 0.8, "threshold": 0.7, "action": "label" },
            { "rule": "late", "score": 0.8, "threshold": 0.75, "action": "label" },
        ]);
        let counted = Counted::read(&ASKED, &report(&reasons));
        assert_eq!(
            serde_json::to_string(&counted).unwrap(),
            concat!(
                r#"{"action":"label","asked_ms":5,"created_ms":7,"is_still":true,"lane":"flagger","#,
                r#""media_blake3":"aa","policy":"p","policy_version":"2","report":"01J","#,
                r#""report_blake3":"bb","rule":"strong","rule_score":0.8,"rule_threshold":0.7,"#,
                r#""score":0.9,"verdict":"substantial_evidence"}"#
            )
        );
        let old = json!([{ "rule": "first" }, { "rule": "second" }]);
        assert_eq!(Counted::read(&ASKED, &report(&old)).rule, "first");
        assert_eq!(Counted::read(&ASKED, &report(&json!([]))).rule, "");
    }

    #[test]
    fn what_says_little_is_counted_as_well() {
        for body in ["{\"score\":0.5}", "no JSON", ""] {
            let counted = Counted::read(&ASKED, body);
            assert_eq!((counted.lane, counted.action.as_str()), (Lane::Flagger, ""));
            assert_eq!(counted.report_blake3, body_hash(body), "{body}");
        }
    }

    #[test]
    fn a_ruling_is_a_label_where_something_was_decided() {
        let counted = |rule: &str, score| Counted {
            rule: rule.to_owned(),
            score,
            ..Counted::read(&ASKED, "{}")
        };
        for (rule, score, upheld, overturned) in [
            ("r", Some(0.9), Some(true), Some(false)),
            ("", Some(0.1), Some(false), Some(true)),
            ("", None, None, Some(true)),
        ] {
            let counted = counted(rule, score);
            assert_eq!(counted.label(Ruling::Upheld), upheld, "{rule} {score:?}");
            assert_eq!(counted.label(Ruling::Overturned), overturned, "{rule}");
        }
    }
}
