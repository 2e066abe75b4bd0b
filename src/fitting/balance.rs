//! How much each clip counts.

use std::collections::BTreeMap;

/// What counts the same. Both classes always do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// Each clip of a class (`class_weight="balanced"`).
    Clips,
    /// Each group within its class, each source within its group, and each clip within its source,
    /// so that a large data set doesn't outvote small ones.
    Groups,
}

impl Balance {
    /// The name that the card shows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clips => "each clip of a class",
            Self::Groups => "each group of a class, each source of a group",
        }
    }

    /// What each clip counts; classes, groups and sources by clip. Their mean is 1, and both
    /// classes have half of the sum.
    pub fn weights(self, synthetic: &[bool], groups: &[String], sources: &[String]) -> Vec<f64> {
        match self {
            Self::Clips => by_class(synthetic),
            Self::Groups => by_group(synthetic, groups, sources),
        }
    }
}

/// Weights under which both classes count the same, with a mean of 1.
pub fn by_class(synthetic: &[bool]) -> Vec<f64> {
    let half = synthetic.len() as f64 / 2.0;
    let fake = synthetic.iter().filter(|class| **class).count() as f64;
    let weight = |class: &bool| half / if *class { fake } else { half * 2.0 - fake };
    synthetic.iter().map(weight).collect()
}

fn by_group(synthetic: &[bool], groups: &[String], sources: &[String]) -> Vec<f64> {
    type Source<'a> = (bool, &'a str, &'a str);
    let names = groups.iter().zip(sources);
    let of = synthetic.iter().zip(names);
    let of: Vec<Source<'_>> = of
        .map(|(class, (group, source))| (*class, group.as_str(), source.as_str()))
        .collect();
    let mut clips: BTreeMap<Source<'_>, f64> = BTreeMap::new();
    for source in &of {
        *clips.entry(*source).or_default() += 1.0;
    }
    let mut sources: BTreeMap<(bool, &str), f64> = BTreeMap::new();
    for (class, group, _) in clips.keys() {
        *sources.entry((*class, group)).or_default() += 1.0;
    }
    let groups = |class: bool| sources.keys().filter(|(own, _)| *own == class).count() as f64;
    let shares = [groups(false), groups(true)];
    let half = synthetic.len() as f64 / 2.0;
    let weight = |source: &Source<'_>| {
        let (class, group, _) = *source;
        let alike = clips.get(source).copied().unwrap_or(1.0);
        let of_group = sources.get(&(class, group)).copied().unwrap_or(1.0);
        half / shares[usize::from(class)] / of_group / alike
    };
    of.iter().map(weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: &[f64], wanted: &[f64]) {
        assert_eq!(found.len(), wanted.len());
        for (found, wanted) in found.iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-12, "{found} for {wanted}");
        }
    }

    #[test]
    fn classes_have_half_each_and_groups_and_sources_their_share() {
        let synthetic = [true, true, true, true, false, false];
        let groups = ["a", "a", "a", "b", "a", "c"].map(str::to_owned);
        let sources = ["x", "x", "y", "x", "x", "x"].map(str::to_owned);
        let clips = Balance::Clips.weights(&synthetic, &groups, &sources);
        near(&clips, &[0.75, 0.75, 0.75, 0.75, 1.5, 1.5]);
        let each = Balance::Groups.weights(&synthetic, &groups, &sources);
        near(&each, &[0.375, 0.375, 0.75, 1.5, 1.5, 1.5]);
    }
}
