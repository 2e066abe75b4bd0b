//! The walls around a decoder child, by name: what the server asks for and what a child says holds.
//!
//! The child builds them (`src/bin/jaga-decoder/sandbox`), before it reads a byte of an upload.
//! `docs/security.md` says which wall stops what.

pub mod attempts;

use serde::{Deserialize, Serialize};

/// What a server does when a wall can't be built here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SandboxMode {
    /// It doesn't start.
    #[default]
    Required,
    /// It starts with the walls that there are, and warns.
    BestEffort,
}

impl std::fmt::Display for SandboxMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Required => "required",
            Self::BestEffort => "best-effort",
        })
    }
}

/// `[media.child]`: what one child may use and whom it runs as. Also, as JSON, the one argument
/// that a child is started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChildConfig {
    /// Bytes of address space (`RLIMIT_AS`): program and libraries (190 MiB), stacks of the decoder
    /// threads, pictures, packet list.
    pub memory_bytes: u64,
    /// Seconds of processor time, those of all its threads added up (`RLIMIT_CPU`).
    pub cpu_seconds: u64,
    /// User that it becomes when the server runs as root.
    pub uid: u32,
    /// Group that it becomes then.
    pub gid: u32,
}

impl Default for ChildConfig {
    fn default() -> Self {
        Self {
            memory_bytes: 4 << 30,
            cpu_seconds: 300,
            uid: 65_534,
            gid: 65_534,
        }
    }
}

/// One wall as a child found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wall {
    /// False when it could not be built.
    pub in_force: bool,
    /// What it consists of here, or why it is missing.
    pub detail: String,
}

impl Wall {
    /// A wall that stands.
    pub fn standing(detail: impl Into<String>) -> Self {
        Self {
            in_force: true,
            detail: detail.into(),
        }
    }

    /// A wall that can't be built here, and why.
    pub fn missing(detail: impl Into<String>) -> Self {
        Self {
            in_force: false,
            detail: detail.into(),
        }
    }
}

/// All walls of one child, in the order in which it builds them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Walls {
    /// Address space, processor time, descriptors, file size, core dumps; nothing inherited open.
    pub limits: Wall,
    /// No program that it could start would give it privileges.
    pub no_new_privileges: Wall,
    /// No privilege left: not root, no capability.
    pub user: Wall,
    /// No path of the file system; where the kernel can, no TCP and no signal out of the child.
    pub landlock: Wall,
    /// System calls outside the list end the child.
    pub seccomp: Wall,
}

impl Walls {
    /// Each wall with its name.
    pub fn each(&self) -> [(&'static str, &Wall); 5] {
        [
            ("limits", &self.limits),
            ("no_new_privileges", &self.no_new_privileges),
            ("user", &self.user),
            ("landlock", &self.landlock),
            ("seccomp", &self.seccomp),
        ]
    }

    /// Names and reasons of the walls that are missing, as `user: why; landlock: why`; `None` when
    /// all stand.
    pub fn missing(&self) -> Option<String> {
        let missing: Vec<String> = self
            .each()
            .into_iter()
            .filter(|(_, wall)| !wall.in_force)
            .map(|(name, wall)| format!("{name}: {}", wall.detail))
            .collect();
        (!missing.is_empty()).then(|| missing.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_walls_are_named_with_their_reasons() {
        let stands = || Wall::standing("yes");
        let mut walls = Walls {
            limits: stands(),
            no_new_privileges: stands(),
            user: stands(),
            landlock: stands(),
            seccomp: stands(),
        };
        assert_eq!(walls.missing(), None);
        walls.landlock = Wall::missing("the kernel has none");
        walls.user = Wall::missing("root stays root");
        assert_eq!(
            walls.missing().unwrap(),
            "user: root stays root; landlock: the kernel has none"
        );
    }

    #[test]
    fn modes_have_the_documented_names() {
        #[derive(Deserialize)]
        struct Table {
            mode: SandboxMode,
        }
        for (name, mode) in [
            ("required", SandboxMode::Required),
            ("best-effort", SandboxMode::BestEffort),
        ] {
            let table: Table = toml::from_str(&format!("mode = \"{name}\"")).unwrap();
            assert_eq!((table.mode, mode.to_string().as_str()), (mode, name));
        }
    }
}
