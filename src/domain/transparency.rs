//! Counts of decisions for a report to the public, cut by whatever is asked for.

pub mod period;
pub mod published;
pub mod statement;

use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::lanes::Lane;
use super::review::Ruling;

/// Who pointed at a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A trusted flagger.
    TrustedFlagger,
    /// The platform itself.
    OwnInitiative,
}

impl Source {
    /// The source of requests of `lane`.
    pub fn of(lane: Lane) -> Self {
        match lane {
            Lane::Flagger => Self::TrustedFlagger,
            Lane::Live | Lane::Backfill => Self::OwnInitiative,
        }
    }

    /// Its name in counts.
    pub fn name(self) -> &'static str {
        match self {
            Self::TrustedFlagger => "trusted_flagger",
            Self::OwnInitiative => "own_initiative",
        }
    }
}

/// How far a decision was a machine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Automation {
    /// By policy alone.
    Fully,
    /// By policy, and a person upheld it.
    Partly,
    /// A person decided otherwise than the policy.
    Not,
}

impl Automation {
    /// Of a decision with the last `ruling` on it.
    pub fn of(ruling: Option<Ruling>) -> Self {
        match ruling {
            None => Self::Fully,
            Some(Ruling::Upheld) => Self::Partly,
            Some(Ruling::Overturned) => Self::Not,
        }
    }

    /// Its name in counts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fully => "fully",
            Self::Partly => "partly",
            Self::Not => "not",
        }
    }
}

/// A stored decision, as far as it is cut and counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// The policy's name.
    pub policy: String,
    /// The policy's version.
    pub policy_version: String,
    /// The rule that decided: of those with the action the first; empty where none applied.
    pub rule: String,
    /// The action.
    pub action: String,
    /// The verdict.
    pub verdict: String,
    /// The request's lane.
    pub lane: Lane,
    /// The last ruling of a person.
    pub ruling: Option<Ruling>,
    /// When the request was taken.
    pub received_at: Timestamp,
    /// When it was decided.
    pub decided_at: Timestamp,
}

/// By what is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// The policy's name.
    Policy,
    /// The policy's version.
    PolicyVersion,
    /// The rule that decided.
    Rule,
    /// The action.
    Action,
    /// The verdict.
    Verdict,
    /// The lane.
    Lane,
    /// Who pointed at the video.
    Source,
    /// How far it was a machine's decision.
    Automation,
    /// Whether a person overturned it.
    Overturned,
    /// The UTC day of the decision.
    Day,
    /// The UTC month of the decision.
    Month,
}

/// A name that no dimension has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCut {
    /// Not one of [`Dimension::ALL`].
    #[error(
        "{0:?} is nothing to group by; there are: policy, policy_version, rule, action, verdict, lane, source, automation, overturned, day, month"
    )]
    Unknown(String),
    /// The same one again.
    #[error("{0:?} is there twice")]
    Twice(String),
}

impl Dimension {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Policy,
        Self::PolicyVersion,
        Self::Rule,
        Self::Action,
        Self::Verdict,
        Self::Lane,
        Self::Source,
        Self::Automation,
        Self::Overturned,
        Self::Day,
        Self::Month,
    ];

    /// Its name in queries and heads of tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::PolicyVersion => "policy_version",
            Self::Rule => "rule",
            Self::Action => "action",
            Self::Verdict => "verdict",
            Self::Lane => "lane",
            Self::Source => "source",
            Self::Automation => "automation",
            Self::Overturned => "overturned",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    fn of(self, decided: &Decided) -> String {
        let date = || decided.decided_at.to_zoned_datetime(TimeZone::UTC).date();
        match self {
            Self::Policy => decided.policy.clone(),
            Self::PolicyVersion => decided.policy_version.clone(),
            Self::Rule => decided.rule.clone(),
            Self::Action => decided.action.clone(),
            Self::Verdict => decided.verdict.clone(),
            Self::Lane => decided.lane.name().to_owned(),
            Self::Source => Source::of(decided.lane).name().to_owned(),
            Self::Automation => Automation::of(decided.ruling).name().to_owned(),
            Self::Overturned => (decided.ruling == Some(Ruling::Overturned)).to_string(),
            Self::Day => date().to_string(),
            Self::Month => date().to_string().chars().take(7).collect(),
        }
    }
}

/// What is told apart, in the order of the columns; nothing for one sum.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cut(Vec<Dimension>);

impl Cut {
    /// Names of what is told apart.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.0.iter().map(|dimension| dimension.name())
    }
}

impl FromStr for Cut {
    type Err = InvalidCut;

    /// Names separated by commas.
    fn from_str(text: &str) -> Result<Self, InvalidCut> {
        let mut dimensions = Vec::new();
        for name in text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            let found = Dimension::ALL.into_iter().find(|d| d.name() == name);
            let dimension = found.ok_or_else(|| InvalidCut::Unknown(name.to_owned()))?;
            if dimensions.contains(&dimension) {
                return Err(InvalidCut::Twice(name.to_owned()));
            }
            dimensions.push(dimension);
        }
        Ok(Self(dimensions))
    }
}

/// Counts as they grow: four bytes for each decision, for exact medians, and a line for each group.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    cut: Cut,
    groups: BTreeMap<Vec<String>, Vec<f32>>,
}

/// One line of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// What is told apart, by the dimension's name.
    #[serde(flatten)]
    pub group: BTreeMap<&'static str, String>,
    /// Decisions.
    pub count: u64,
    /// Median seconds from request to decision.
    pub median_s: f64,
    /// 95th percentile of the same.
    pub p95_s: f64,
}

impl Counts {
    /// Nothing yet, to be cut by `cut`.
    pub fn new(cut: Cut) -> Self {
        Self {
            cut,
            groups: BTreeMap::new(),
        }
    }

    /// Counts one decision.
    pub fn add(&mut self, decided: &Decided) {
        let group = self.cut.0.iter().map(|dimension| dimension.of(decided));
        let took = decided.decided_at.duration_since(decided.received_at);
        let times = self.groups.entry(group.collect()).or_default();
        // A clock that was set back gives no negative time.
        times.push(took.as_secs_f32().max(0.0));
    }

    /// The lines, ordered by what is told apart.
    pub fn into_table(self) -> Table {
        let line = |(group, mut times): (Vec<String>, Vec<f32>)| {
            times.sort_unstable_by(f32::total_cmp);
            Line {
                group: self.cut.names().zip(group).collect(),
                count: times.len() as u64,
                median_s: percentile(&times, 50),
                p95_s: percentile(&times, 95),
            }
        };
        let lines: Vec<Line> = self.groups.into_iter().map(line).collect();
        Table {
            total: lines.iter().map(|line| line.count).sum(),
            cut: self.cut,
            lines,
        }
    }
}

/// Counts that are complete.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// What is told apart.
    pub cut: Cut,
    /// Decisions in all.
    pub total: u64,
    /// A line for each group that has decisions.
    pub lines: Vec<Line>,
}

impl Table {
    /// The lines as CSV (RFC 4180), with a head.
    pub fn csv(&self) -> String {
        let names = self.cut.names();
        let head: Vec<&str> = names
            .clone()
            .chain(["count", "median_s", "p95_s"])
            .collect();
        let mut text = head.join(",") + "\r\n";
        for line in &self.lines {
            for name in names.clone() {
                let value = line.group.get(name).map_or("", String::as_str);
                text.extend([quoted(value).as_str(), ","]);
            }
            let (median, p95) = (line.median_s, line.p95_s);
            let numbers = format!("{},{median:.3},{p95:.3}\r\n", line.count);
            text.push_str(&numbers);
        }
        text
    }
}

/// By the nearest rank: the least value that `percent` of all don't exceed; 0 of none.
fn percentile(sorted: &[f32], percent: usize) -> f64 {
    let rank = sorted.len().saturating_mul(percent).div_ceil(100);
    let value = sorted.get(rank.saturating_sub(1));
    value.copied().map_or(0.0, f64::from)
}

/// A field of CSV.
fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decided() -> impl Strategy<Value = Decided> {
        let name =
            |names: &'static [&'static str]| prop::sample::select(names).prop_map(str::to_owned);
        let ruling =
            prop::sample::select(&[None, Some(Ruling::Upheld), Some(Ruling::Overturned)][..]);
        let lane = prop::sample::select(&Lane::ALL[..]);
        let times = (1_760_000_000_i64..1_790_000_000, -10_i64..100_000);
        let names = (
            name(&["p", "q,\"r\""]),
            name(&["", "a", "b"]),
            name(&["none", "label"]),
        );
        (names, lane, ruling, times).prop_map(
            |((policy, rule, action), lane, ruling, (at, took))| {
                let time = |second| Timestamp::from_second(second).unwrap();
                Decided {
                    policy,
                    policy_version: "1".to_owned(),
                    verdict: format!("after {rule}"),
                    rule,
                    action,
                    lane,
                    ruling,
                    received_at: time(at),
                    decided_at: time(at + took),
                }
            },
        )
    }

    proptest! {
        #[test]
        fn counts_add_up_for_any_cut(
            all in prop::collection::vec(decided(), 0..200),
            cut in prop::sample::subsequence(Dimension::ALL.to_vec(), 0..=11).prop_shuffle(),
            kept in prop::collection::vec(any::<bool>(), 11),
        ) {
            let counted = |cut: &[Dimension]| {
                let mut counts = Counts::new(Cut(cut.to_vec()));
                for decided in &all {
                    counts.add(decided);
                }
                counts.into_table()
            };
            let fine = counted(&cut);
            prop_assert_eq!(fine.total, all.len() as u64);
            prop_assert_eq!(fine.csv().matches("\r\n").count(), fine.lines.len() + 1);
            // A coarser cut has the sums of a finer one.
            let coarse: Vec<Dimension> = cut.iter().zip(&kept).filter(|(_, keep)| **keep).map(|(d, _)| *d).collect();
            let mut sums: BTreeMap<Vec<String>, u64> = BTreeMap::new();
            for line in &fine.lines {
                let group = coarse.iter().map(|d| line.group[d.name()].clone()).collect();
                *sums.entry(group).or_default() += line.count;
            }
            for line in &counted(&coarse).lines {
                let group: Vec<String> = coarse.iter().map(|d| line.group[d.name()].clone()).collect();
                prop_assert_eq!(sums.remove(&group), Some(line.count));
            }
            prop_assert!(sums.is_empty());
        }

        #[test]
        fn a_percentile_is_a_value_that_so_many_do_not_exceed(mut values in prop::collection::vec(0f32..1e6, 1..100)) {
            values.sort_by(f32::total_cmp);
            for percent in [50, 95] {
                let found = percentile(&values, percent);
                let below = values.iter().filter(|value| f64::from(**value) <= found).count();
                prop_assert!(below * 100 >= percent * values.len());
                prop_assert!(values.iter().any(|value| (f64::from(*value) - found).abs() < 1e-9));
            }
        }
    }

    #[test]
    fn a_table_is_json_and_csv() {
        let mut counts = Counts::new("month, action,overturned".parse().unwrap());
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        for (action, ruling, end) in [
            ("label", None, "2026-11-24T12:00:02Z"),
            ("label", None, "2026-11-24T12:00:04Z"),
            ("a,\"b\"", Some(Ruling::Overturned), "2026-12-01T00:00:00Z"),
        ] {
            counts.add(&Decided {
                policy: "p".to_owned(),
                policy_version: "1".to_owned(),
                rule: String::new(),
                action: action.to_owned(),
                verdict: "uncertain".to_owned(),
                lane: Lane::Flagger,
                ruling,
                received_at: time("2026-11-24T12:00:00Z"),
                decided_at: time(end),
            });
        }
        let table = counts.into_table();
        assert_eq!(
            table.csv(),
            "month,action,overturned,count,median_s,p95_s\r\n\
             2026-11,label,false,2,2.000,4.000\r\n\
             2026-12,\"a,\"\"b\"\"\",true,1,561600.000,561600.000\r\n"
        );
        let json = serde_json::to_value(&table.lines).unwrap();
        assert_eq!(json[0]["action"], "label");
        assert_eq!(json[0]["count"], 2);
    }

    #[test]
    fn cuts_are_read_and_faults_named() {
        assert_eq!("".parse(), Ok(Cut::default()));
        assert_eq!(
            "day,day".parse::<Cut>(),
            Err(InvalidCut::Twice("day".to_owned()))
        );
        let error = "colour".parse::<Cut>().unwrap_err().to_string();
        for dimension in Dimension::ALL {
            assert!(error.contains(dimension.name()), "{error}");
        }
    }
}
