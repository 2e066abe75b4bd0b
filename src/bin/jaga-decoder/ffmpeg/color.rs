//! Names of colour descriptions by the numbers of ITU-T H.273, as FFmpeg writes them.
//!
//! The numbers come from the file. They are read as integers and looked up here, since a number
//! that the bindings' enumerations don't know must never become one of them.

use jaga::domain::media::ColorFacts;

const NOTHING_SAID: &str = "";

#[rustfmt::skip]
const PRIMARIES: [&str; 13] = [
    NOTHING_SAID, "bt709", NOTHING_SAID, NOTHING_SAID, "bt470m", "bt470bg", "smpte170m",
    "smpte240m", "film", "bt2020", "smpte428", "smpte431", "smpte432",
];
const EBU_3213: u32 = 22;

#[rustfmt::skip]
const TRANSFERS: [&str; 19] = [
    NOTHING_SAID, "bt709", NOTHING_SAID, NOTHING_SAID, "bt470m", "bt470bg", "smpte170m",
    "smpte240m", "linear", "log100", "log316", "iec61966-2-4", "bt1361e", "iec61966-2-1",
    "bt2020-10", "bt2020-12", "smpte2084", "smpte428", "arib-std-b67",
];

#[rustfmt::skip]
const MATRICES: [&str; 15] = [
    "gbr", "bt709", NOTHING_SAID, NOTHING_SAID, "fcc", "bt470bg", "smpte170m", "smpte240m",
    "ycgco", "bt2020nc", "bt2020c", "smpte2085", "chroma-derived-nc", "chroma-derived-c", "ictcp",
];

const RANGES: [&str; 3] = [NOTHING_SAID, "tv", "pc"];

/// A colour description as numbers; the range is FFmpeg's own (1 limited, 2 full).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ColorNumbers {
    pub(super) primaries: u32,
    pub(super) transfer: u32,
    pub(super) matrix: u32,
    pub(super) range: u32,
}

impl ColorNumbers {
    /// True for full range.
    pub(super) fn is_full_range(self) -> bool {
        self.range == 2
    }

    /// The names; `None` for what is not said or not known.
    pub(super) fn facts(self) -> ColorFacts {
        ColorFacts {
            primaries: match self.primaries {
                EBU_3213 => Some("ebu3213".to_owned()),
                number => name(&PRIMARIES, number),
            },
            transfer: name(&TRANSFERS, self.transfer),
            matrix: name(&MATRICES, self.matrix),
            range: name(&RANGES, self.range),
        }
    }
}

fn name(names: &[&str], number: u32) -> Option<String> {
    let name = names.get(usize::try_from(number).ok()?)?;
    (*name != NOTHING_SAID).then(|| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hdr_is_named_and_nonsense_is_not() {
        let numbers = |primaries, transfer, matrix, range| ColorNumbers {
            primaries,
            transfer,
            matrix,
            range,
        };
        let facts = numbers(9, 16, 9, 1).facts();
        assert_eq!(facts.transfer.as_deref(), Some("smpte2084"));
        assert_eq!(facts.matrix.as_deref(), Some("bt2020nc"));
        assert_eq!(facts.range.as_deref(), Some("tv"));
        assert_eq!(numbers(2, 2, 2, 0).facts(), ColorFacts::default());
        assert_eq!(numbers(255, u32::MAX, 77, 9).facts(), ColorFacts::default());
        assert_eq!(
            numbers(22, 2, 2, 0).facts().primaries.as_deref(),
            Some("ebu3213")
        );
    }
}
