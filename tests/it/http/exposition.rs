//! A strict reader of OpenMetrics text, for what Prometheus would refuse.

use std::collections::{BTreeMap, BTreeSet};

/// What `/metrics` said.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    /// Type by family.
    pub(crate) families: BTreeMap<String, String>,
    /// Value by name with labels, as written.
    pub(crate) samples: BTreeMap<String, f64>,
}

impl Exposition {
    /// Fails on anything that the format doesn't allow.
    pub(crate) fn read(text: &str) -> Self {
        let body = text.strip_suffix("# EOF\n").expect("ends with its mark");
        let mut read = Self::default();
        let mut family = String::new();
        let mut helped = BTreeSet::new();
        for line in body.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, text) = help.split_once(' ').unwrap();
                assert!(!text.is_empty() && helped.insert(name.to_owned()), "{line}");
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                let before = read.families.insert(name.to_owned(), kind.to_owned());
                assert!(before.is_none(), "{name} comes twice");
                assert!(helped.contains(name), "{name} has no help");
                name.clone_into(&mut family);
            } else {
                read.sample(line, &family);
            }
        }
        read.check_histograms();
        read
    }

    fn sample(&mut self, line: &str, family: &str) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let name = series.split('{').next().unwrap();
        let ends: &[&str] = match self.families[family].as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            "histogram" => &["_bucket", "_sum", "_count"],
            other => panic!("{other}: {line}"),
        };
        let of_family = name
            .strip_prefix(family)
            .is_some_and(|end| ends.contains(&end));
        assert!(of_family, "{line} is not of {family}");
        let value: f64 = value.parse().unwrap();
        assert!(value.is_finite(), "{line}");
        check_labels(series);
        let before = self.samples.insert(series.to_owned(), value);
        assert!(before.is_none(), "{series} comes twice");
    }

    /// Each histogram grows from bucket to bucket, and its last one has all.
    fn check_histograms(&self) {
        for (family, kind) in &self.families {
            if kind != "histogram" {
                continue;
            }
            for (series, count) in self.of(&format!("{family}_count")) {
                let labels = series.split_once('{').map_or("", |(_, rest)| rest);
                let labels = labels.trim_end_matches('}');
                let mut edges: Vec<(f64, f64)> = self
                    .of(&format!("{family}_bucket"))
                    .filter(|(name, _)| name.ends_with(&format!(",{labels}}}")))
                    .map(|(name, value)| (edge(name), value))
                    .collect();
                edges.sort_by(|a, b| a.0.total_cmp(&b.0));
                assert!(edges.windows(2).all(|w| w[0].1 <= w[1].1), "{series}");
                let (last, all) = *edges.last().unwrap();
                assert!(
                    last == f64::INFINITY && all.to_bits() == count.to_bits(),
                    "{series}"
                );
            }
        }
    }

    /// The series of one name.
    pub(crate) fn of(&self, name: &str) -> impl Iterator<Item = (&str, f64)> {
        let mine = move |series: &str| series.split('{').next() == Some(name);
        let samples = self.samples.iter();
        samples
            .filter(move |(series, _)| mine(series))
            .map(|(series, value)| (series.as_str(), *value))
    }

    /// The sum over the series of `name` that have all of `labels`, each as `key="value"`.
    pub(crate) fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let has_all = |series: &str| labels.iter().all(|label| series.contains(label));
        self.of(name)
            .filter(|(series, _)| has_all(series))
            .map(|(_, value)| value)
            .sum()
    }
}

fn edge(series: &str) -> f64 {
    let (_, rest) = series.split_once("le=\"").unwrap();
    let edge = rest.split('"').next().unwrap();
    edge.replace("+Inf", "inf").parse().unwrap()
}

/// `{name="value",…}` without escapes: no label of ours needs one.
fn check_labels(series: &str) {
    let Some((name, rest)) = series.split_once('{') else {
        return;
    };
    assert!(
        name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
        "{series}"
    );
    let inner = rest.strip_suffix("\"}").expect("closed");
    let mut seen = BTreeSet::new();
    for label in inner.split("\",") {
        let (key, value) = label.split_once("=\"").unwrap();
        assert!(
            key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
            "{series}"
        );
        assert!(!value.contains(['"', '\\', '\n']), "{series}");
        assert!(seen.insert(key), "{series}");
    }
}
