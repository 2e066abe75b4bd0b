//! Rules of one policy against each other, and against the questions that are answered.

use std::collections::BTreeSet;

use super::file::{Fault, PolicyError};
use super::{Policy, Rule};

impl Policy {
    /// Refuses rules that can never change the action and periods that overlap; the first fault by
    /// its line.
    pub(super) fn check_rules(&self) -> Result<(), PolicyError> {
        for (place, rule) in self.rules.iter().enumerate() {
            if self.rank(&rule.action) == Some(0) {
                let first = rule.action.clone();
                return Err(rule.fault(Fault::NoEffect {
                    rule: rule.name.clone(),
                    first,
                }));
            }
            if let Some(other) = self.stronger(place, rule) {
                return Err(rule.fault(Fault::Unreachable {
                    rule: rule.name.clone(),
                    other: other.name.clone(),
                    other_line: other.line,
                    action: other.action.clone(),
                }));
            }
            let earlier = self.rules.iter().take(place);
            if let Some(other) = earlier.into_iter().find(|other| rule.overlaps(other)) {
                return Err(rule.fault(Fault::Overlap {
                    rule: rule.name.clone(),
                    other: other.name.clone(),
                    other_line: other.line,
                }));
            }
        }
        Ok(())
    }

    /// A rule that asks for as much or more wherever `rule`, at `place`, applies. Of two rules that
    /// say the same, the later one is needless.
    fn stronger(&self, place: usize, rule: &Rule) -> Option<&Rule> {
        let others = self.rules.iter().enumerate();
        let mut others = others.filter(|(other_place, other)| {
            let (own, its) = (self.rank(&rule.action), self.rank(&other.action));
            let needless =
                its > own || (its == own && (!rule.covers(other) || *other_place < place));
            *other_place != place && needless && other.covers(rule)
        });
        others.next().map(|(_, other)| other)
    }

    /// Refuses a policy with a question that is none of `answered`.
    pub fn check_questions(&self, answered: &BTreeSet<String>) -> Result<(), PolicyError> {
        let rules = self
            .rules
            .iter()
            .map(|rule| (&rule.question, rule.question_line));
        let combined = self.combine_lines.iter();
        let combined = combined.map(|(question, line)| (question, *line));
        let mut asked: Vec<_> = rules.chain(combined).collect();
        asked.sort_by_key(|(_, line)| *line);
        match asked
            .into_iter()
            .find(|(question, _)| !answered.contains(*question))
        {
            None => Ok(()),
            Some((question, line)) => Err(PolicyError::At {
                line,
                fault: Fault::UnknownQuestion {
                    question: question.clone(),
                    known: answered.iter().cloned().collect::<Vec<_>>().join(", "),
                },
            }),
        }
    }
}

impl Rule {
    fn fault(&self, fault: Fault) -> PolicyError {
        PolicyError::At {
            line: self.line,
            fault,
        }
    }
}
