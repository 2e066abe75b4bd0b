//! Regions: where a video is shown, as a caller says.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A region's tag, such as `id` or `id-jk`: 1 to 32 letters, digits and single `-` between them, in
/// lower case. What follows a `-` is a part of what stands before it, as in ISO 3166-2.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, min_length = 1, max_length = 32)]
pub struct Region(String);

/// A text that is no region.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no region: 1 to 32 letters and digits, with single `-` between them")]
pub struct InvalidRegion(String);

impl Region {
    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `other` is this region or a part of it: `id` includes `id-jk`, not `idx`.
    pub fn includes(&self, other: &Self) -> bool {
        other
            .0
            .strip_prefix(&self.0)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }
}

impl FromStr for Region {
    type Err = InvalidRegion;

    /// Upper case is made lower case.
    fn from_str(text: &str) -> Result<Self, InvalidRegion> {
        let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
        if text.len() <= 32 && text.split('-').all(word) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidRegion(text.chars().take(40).collect()))
        }
    }
}

impl TryFrom<String> for Region {
    type Error = InvalidRegion;

    fn try_from(text: String) -> Result<Self, InvalidRegion> {
        text.parse()
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.0
    }
}

impl std::fmt::Display for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(text: &str) -> Region {
        text.parse().unwrap()
    }

    #[test]
    fn a_region_includes_its_parts() {
        assert!(region("ID").includes(&region("id-jk")));
        assert!(region("id-jk").includes(&region("ID-JK")));
        assert!(!region("id-jk").includes(&region("id")));
        assert!(!region("id").includes(&region("idx")));
    }

    #[test]
    fn what_is_no_region_is_refused() {
        for bad in [
            "",
            "-",
            "id-",
            "-jk",
            "id--jk",
            "id jk",
            "é",
            &"a".repeat(33),
        ] {
            assert!(bad.parse::<Region>().is_err(), "{bad}");
        }
    }
}
