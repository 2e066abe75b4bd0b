//! What is written on the command line: `h264,blur`, `h264=23,28,blur=4`, `letterbox=9:16`.

use super::{Kind, Perturbation, Strength};

/// A sweep that can't be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSweep {
    /// No such kind.
    #[error("there is no perturbation {got:?}; there are: {}", names())]
    Kind {
        /// As written.
        got: String,
    },
    /// No strength of this kind.
    #[error("{}: a strength is {expected}, not {got:?}", kind.name())]
    Strength {
        /// Of which kind.
        kind: Kind,
        /// What it may be.
        expected: &'static str,
        /// As written.
        got: String,
    },
    /// Something that comes twice.
    #[error("{got} is there twice")]
    Twice {
        /// As written.
        got: String,
    },
}

fn names() -> String {
    Kind::ALL.map(Kind::name).join(", ")
}

/// The perturbations that `text` names, by kind in the order of [`Kind::ALL`], strengths as
/// written; all kinds with their own strengths where it is empty.
///
/// Kinds are separated by commas, and so are the strengths behind `kind=`.
pub fn parse(text: &str) -> Result<Vec<Perturbation>, InvalidSweep> {
    let mut wanted: Vec<(Kind, Vec<Strength>)> = Vec::new();
    // True where the words that follow may be strengths.
    let mut open = false;
    for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
        let begins = word.chars().next().is_some_and(char::is_alphabetic);
        if open
            && !begins
            && let Some((kind, strengths)) = wanted.last_mut()
        {
            strengths.push(strength(*kind, word)?);
            continue;
        }
        let (name, first) = match word.split_once('=') {
            Some((name, first)) => (name.trim_end(), Some(first.trim_start())),
            None => (word, None),
        };
        let kind = kind(name)?;
        if wanted.iter().any(|(other, _)| *other == kind) {
            return Err(InvalidSweep::Twice {
                got: name.to_owned(),
            });
        }
        open = first.is_some();
        let strengths = match first {
            Some(first) => vec![strength(kind, first)?],
            None => kind.strengths(),
        };
        wanted.push((kind, strengths));
    }
    if wanted.is_empty() {
        wanted = Kind::ALL.map(|kind| (kind, kind.strengths())).to_vec();
    }
    wanted.sort_by_key(|(kind, _)| *kind);
    let mut sweep: Vec<Perturbation> = Vec::new();
    for (kind, strengths) in wanted {
        for strength in strengths {
            let one = Perturbation { kind, strength };
            if sweep.contains(&one) {
                return Err(InvalidSweep::Twice {
                    got: one.to_string(),
                });
            }
            sweep.push(one);
        }
    }
    Ok(sweep)
}

fn kind(name: &str) -> Result<Kind, InvalidSweep> {
    let found = Kind::ALL.into_iter().find(|kind| kind.name() == name);
    found.ok_or_else(|| InvalidSweep::Kind {
        got: name.to_owned(),
    })
}

fn strength(kind: Kind, text: &str) -> Result<Strength, InvalidSweep> {
    let strength = text.parse().ok();
    strength
        .filter(|strength| Perturbation::new(kind, *strength).is_some())
        .ok_or_else(|| InvalidSweep::Strength {
            kind,
            expected: kind.range().text,
            got: text.to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<String> {
        let sweep = parse(text).unwrap();
        sweep.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn kinds_and_strengths_are_read_as_written() {
        assert_eq!(said("chain"), ["chain=1", "chain=2", "chain=3"]);
        assert_eq!(said("h264=23,28"), ["h264=23", "h264=28"]);
        assert_eq!(
            said("blur=0.5, h264 = 40,30 ,letterbox=9:16,20"),
            [
                "h264=40",
                "h264=30",
                "blur=0.5",
                "letterbox=9:16",
                "letterbox=20"
            ]
        );
        let all: usize = Kind::ALL.map(|kind| kind.strengths().len()).iter().sum();
        assert_eq!(parse("").unwrap().len(), all);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, words) in [
            ("nonsense", &["nonsense", "h264, downscale"][..]),
            ("clips.csv", &["clips.csv", "there are"]),
            ("23", &["23"]),
            ("h264,23", &["\"23\""]),
            ("h264=", &["h264", "0 to 51"]),
            ("h264=23,x", &["\"x\""]),
            ("h264=52", &["h264", "0 to 51", "52"]),
            ("jpeg=50.5", &["jpeg", "whole"]),
            ("crop=1:1", &["crop", "1:1"]),
            ("letterbox=0:1", &["letterbox", "9:16"]),
            ("blur=nan", &["blur"]),
            ("blur,blur=3", &["blur", "twice"]),
            ("blur=3,3", &["blur=3", "twice"]),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
        }
    }
}
