//! What the holder of a key may do.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::lanes::Lane;

/// The role of an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sends uploads.
    Client,
    /// A trusted reporter: sends uploads in a lane of their own.
    Flagger,
    /// Looks at reports and decides on them; sends no uploads.
    Reviewer,
    /// Everything, metrics among it.
    Admin,
}

/// A name that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no role; there are client, flagger, reviewer and admin")]
pub struct UnknownRole(String);

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Client, Self::Flagger, Self::Reviewer, Self::Admin];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Flagger => "flagger",
            Self::Reviewer => "reviewer",
            Self::Admin => "admin",
        }
    }

    /// The lane in which this role's uploads wait.
    pub fn lane(self) -> Lane {
        match self {
            Self::Flagger => Lane::Flagger,
            Self::Client | Self::Reviewer | Self::Admin => Lane::Live,
        }
    }
}

impl Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let found = Self::ALL.into_iter().find(|role| role.name() == text);
        found.ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_only_flaggers_have_their_lane() {
        for role in Role::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
            assert_eq!(role.lane() == Lane::Flagger, role == Role::Flagger);
        }
        assert!("root".parse::<Role>().is_err());
    }
}
