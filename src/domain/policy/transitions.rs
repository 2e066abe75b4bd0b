//! Reports counted by what was decided before and what would be now.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::{Case, Policy, StoredFindings};

/// Reports with the same old and the same new action.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transition {
    /// Their number.
    pub count: u64,
    /// Ids of the first of them.
    pub examples: Vec<String>,
}

/// How many reports go from which action to which.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transitions {
    by_actions: BTreeMap<(String, String), Transition>,
    /// Ids that are kept of each transition to another action.
    examples: usize,
}

impl Transitions {
    /// Without any report yet; of each transition to another action the first `examples` ids are
    /// kept.
    pub fn with_examples(examples: usize) -> Self {
        Self {
            by_actions: BTreeMap::new(),
            examples,
        }
    }

    /// Decides `stored` by `policy`, as if it were of the day `on` (its own when absent), and counts
    /// it.
    pub fn redecide(&mut self, stored: &StoredFindings, policy: &Policy, on: Option<Date>) {
        let case = stored.case();
        let date = on.unwrap_or(case.date);
        let decision = policy.redecide(stored, &Case { date, ..case });
        self.note(&stored.decision.action, &decision.action, &stored.id);
    }

    /// Counts one report.
    pub fn note(&mut self, from: &str, to: &str, id: &str) {
        let key = (from.to_owned(), to.to_owned());
        let transition = self.by_actions.entry(key).or_default();
        transition.count = transition.count.saturating_add(1);
        if from != to && transition.examples.len() < self.examples {
            transition.examples.push(id.to_owned());
        }
    }

    /// Adds what was counted of later reports.
    pub fn add(&mut self, later: Self) {
        for (actions, more) in later.by_actions {
            let transition = self.by_actions.entry(actions).or_default();
            transition.count = transition.count.saturating_add(more.count);
            let room = self.examples.saturating_sub(transition.examples.len());
            transition
                .examples
                .extend(more.examples.into_iter().take(room));
        }
    }

    /// Old action, new action and what is known of the reports between them, by name.
    pub fn each(&self) -> impl Iterator<Item = (&str, &str, &Transition)> {
        let each = self.by_actions.iter();
        each.map(|((from, to), transition)| (from.as_str(), to.as_str(), transition))
    }

    /// All reports.
    pub fn reports(&self) -> u64 {
        self.each()
            .fold(0, |sum, (_, _, t)| sum.saturating_add(t.count))
    }

    /// Reports whose action is another one.
    pub fn changed(&self) -> u64 {
        let others = self.each().filter(|(from, to, _)| from != to);
        others.fold(0, |sum, (_, _, t)| sum.saturating_add(t.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_and_the_first_examples_stay() {
        let mut first = Transitions::with_examples(2);
        first.note("none", "label", "a");
        first.note("none", "none", "b");
        let mut later = Transitions::with_examples(2);
        for id in ["c", "d"] {
            later.note("none", "label", id);
        }
        first.add(later);
        assert_eq!((first.reports(), first.changed()), (4, 3));
        let each: Vec<_> = first
            .each()
            .map(|(from, to, t)| (from, to, t.count, t.examples.join(",")))
            .collect();
        assert_eq!(
            each,
            [
                ("none", "label", 3, "a,c".to_owned()),
                ("none", "none", 1, String::new())
            ]
        );
    }
}
