//! The classes that a `config.json` names, and which of them means synthetic. Pure.

use std::fmt::Write as _;

use serde_json::Value;

use super::error::ImportError;
use super::json::Object;

/// Most labels that are read.
const MAX_LABELS: usize = 1 << 16;

/// Labels that an error or a card lists.
const MAX_LISTED: usize = 20;

/// Words that say synthetic.
const SYNTHETIC: [&str; 17] = [
    "fake",
    "fakes",
    "artificial",
    "ai",
    "aigc",
    "synthetic",
    "synthesized",
    "synthesised",
    "deepfake",
    "deepfakes",
    "generated",
    "gan",
    "gans",
    "diffusion",
    "manipulated",
    "forged",
    "tampered",
];

/// Words that say the opposite.
const REAL: [&str; 13] = [
    "real",
    "reals",
    "human",
    "humans",
    "authentic",
    "natural",
    "camera",
    "genuine",
    "original",
    "pristine",
    "photo",
    "photograph",
    "bonafide",
];

/// Words that turn another one round, or leave it open.
const NEGATIONS: [&str; 7] = ["not", "non", "no", "un", "or", "vs", "maybe"];

/// The labels in the order of the classes; none when the configuration names none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Labels(Vec<String>);

/// What a label says by its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Synthetic,
    Real,
    Unclear,
}

impl Labels {
    /// `id2label`, else `label2id`, else timm's `label_names`.
    pub(super) fn read(config: &Object<'_>) -> Result<Self, ImportError> {
        let by_id = config.object("id2label")?;
        let by_name = config.object("label2id")?;
        let labels = match (&by_id, &by_name) {
            (Some(by_id), _) => in_order(config, "id2label", names_by_id(by_id)?)?,
            (None, Some(by_name)) => in_order(config, "label2id", ids_by_name(by_name)?)?,
            (None, None) => return timm(config),
        };
        if let (Some(_), Some(by_name)) = (by_id, by_name) {
            for (id, name) in ids_by_name(&by_name)? {
                if labels.0.get(id) != Some(&name) {
                    return Err(by_name.wrong(&name, "as id2label has it"));
                }
            }
        }
        Ok(labels)
    }

    /// How many there are; 0 when they aren't known.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The class that means synthetic, of `count` classes: the one that `choice` names by label or
    /// index, else the only one whose words say so while those of all others say the opposite.
    pub(super) fn synthetic(
        &self,
        count: usize,
        choice: Option<&str>,
    ) -> Result<usize, ImportError> {
        match choice {
            Some(choice) => self.chosen(count, choice),
            None => self.told(count),
        }
    }

    fn chosen(&self, count: usize, choice: &str) -> Result<usize, ImportError> {
        let exact = self.matching(|label| label == choice);
        let loose = self.matching(|label| label.to_lowercase() == choice.to_lowercase());
        match (exact.as_slice(), loose.as_slice()) {
            ([one], _) | ([], [one]) => return Ok(*one),
            ([], []) => {}
            _ => return Err(self.unclear(count, &format!("several labels are {choice:?}"))),
        }
        match choice.parse::<usize>() {
            Ok(index) if index < count => Ok(index),
            _ => Err(self.unclear(count, &format!("there is no label {choice:?}"))),
        }
    }

    fn matching(&self, fits: impl Fn(&str) -> bool) -> Vec<usize> {
        let all = self.0.iter().enumerate();
        all.filter(|(_, label)| fits(label))
            .map(|(i, _)| i)
            .collect()
    }

    fn told(&self, count: usize) -> Result<usize, ImportError> {
        let synthetic = self.matching(|label| meaning(label) == Meaning::Synthetic);
        let real = self.matching(|label| meaning(label) == Meaning::Real);
        match synthetic.as_slice() {
            [one] if real.len() + 1 == self.0.len() => Ok(*one),
            [] => Err(self.unclear(count, "no label clearly means synthetic")),
            [_] => Err(self.unclear(count, "not every other label clearly means real")),
            _ => Err(self.unclear(
                count,
                "several labels mean synthetic, and a bundle has one class",
            )),
        }
    }

    /// The error that `reason` keeps the class from being known.
    pub(super) fn unclear(&self, count: usize, reason: &str) -> ImportError {
        ImportError::SyntheticLabel {
            reason: reason.to_owned(),
            labels: self.listed(count),
        }
    }

    /// One line a class: index and label, if it has one.
    pub(super) fn listed(&self, count: usize) -> String {
        let mut lines = String::new();
        for index in 0..count.min(MAX_LISTED) {
            // Writing to a String can't fail.
            let _ = match self.0.get(index) {
                Some(label) => writeln!(lines, "  {index}: {label:?}"),
                None => writeln!(lines, "  {index}"),
            };
        }
        if count > MAX_LISTED {
            let _ = writeln!(lines, "  … and {} more", count - MAX_LISTED);
        }
        lines
    }

    /// The label of a class.
    pub(super) fn name(&self, index: usize) -> Option<&str> {
        self.0.get(index).map(String::as_str)
    }
}

/// `{"0": "fake", "1": "real"}`
fn names_by_id(by_id: &Object<'_>) -> Result<Vec<(usize, String)>, ImportError> {
    let read = |(key, value): (&str, &Value)| {
        let id = key.parse::<usize>().ok();
        let name = value.as_str().map(str::to_owned);
        id.zip(name)
            .ok_or_else(|| by_id.wrong(key, "a text under the number of its class"))
    };
    by_id.entries().map(read).collect()
}

/// `{"fake": 0, "real": 1}`; some exports write the numbers as text.
fn ids_by_name(by_name: &Object<'_>) -> Result<Vec<(usize, String)>, ImportError> {
    let read = |(key, value): (&str, &Value)| {
        let number = || value.as_u64().and_then(|id| usize::try_from(id).ok());
        let id = value.as_str().map_or_else(number, |text| text.parse().ok());
        id.map(|id| (id, key.to_owned()))
            .ok_or_else(|| by_name.wrong(key, "the number of a class"))
    };
    by_name.entries().map(read).collect()
}

/// The names of classes 0, 1, … without a gap.
fn in_order(
    config: &Object<'_>,
    key: &str,
    mut named: Vec<(usize, String)>,
) -> Result<Labels, ImportError> {
    named.sort_unstable();
    let complete = named
        .iter()
        .enumerate()
        .all(|(index, (id, _))| index == *id);
    if !complete || named.len() > MAX_LABELS {
        let expected = format!("labels of classes 0, 1, … once each, at most {MAX_LABELS}");
        return Err(config.wrong(key, &expected));
    }
    Ok(Labels(named.into_iter().map(|(_, name)| name).collect()))
}

/// `label_names`, at the top or in `pretrained_cfg`.
fn timm(config: &Object<'_>) -> Result<Labels, ImportError> {
    let key = "label_names";
    let pretrained = config.object("pretrained_cfg")?;
    let holder = [Some(config), pretrained.as_ref()];
    let Some(holder) = holder
        .into_iter()
        .flatten()
        .find(|h| h.value(key).is_some())
    else {
        return Ok(Labels::default());
    };
    let names = holder.read(key, "a list of texts", |value| {
        let items = value.as_array().filter(|items| items.len() <= MAX_LABELS)?;
        items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect()
    })?;
    Ok(Labels(names.unwrap_or_default()))
}

/// What the words of `label` say; both or neither, or a negation, leave it unclear.
fn meaning(label: &str) -> Meaning {
    let words = words(label);
    let any = |of: &[&str]| words.iter().any(|word| of.contains(&word.as_str()));
    match (any(&SYNTHETIC), any(&REAL), any(&NEGATIONS)) {
        (true, false, false) => Meaning::Synthetic,
        (false, true, false) => Meaning::Real,
        _ => Meaning::Unclear,
    }
}

/// The words of a label in lower case, parted at what is no letter and where a capital begins a new
/// one: `AI_generated`, `AiArt` and `DeepFake` have two each.
fn words(label: &str) -> Vec<String> {
    let letters: Vec<char> = label.chars().collect();
    let mut words = vec![String::new()];
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|i| letters.get(i));
        let after = letters.get(index + 1);
        let begins = letter.is_uppercase()
            && (before.is_some_and(|b| b.is_lowercase())
                || (before.is_some_and(|b| b.is_uppercase())
                    && after.is_some_and(|a| a.is_lowercase())));
        if begins || !letter.is_alphabetic() {
            words.push(String::new());
        }
        if letter.is_alphabetic()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests;
