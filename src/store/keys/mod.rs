//! API keys: `keys.toml` in the data directory, and the server's secret beside it.
//!
//! A key is 256 random bits, so a fast keyed hash is enough to store it: there is nothing to guess
//! that a slow password hash would protect (docs/decisions/0012-api-keys.md).

mod error;
mod file;
mod ring;
mod token;

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::error::KeysError;
use self::error::failed;
pub use self::ring::{Holder, KeyRing};
pub use self::token::Token;
use crate::domain::flag::Organisation;
use crate::domain::role::Role;

/// Most keys of a store, revoked ones included.
const MOST_KEYS: usize = 10_000;
/// Most characters of a name.
const LONGEST_NAME: usize = 100;
/// Version of the file's form.
const VERSION: u32 = 1;

/// A key as it is stored: without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// The public part of the key, 16 hexadecimal digits.
    pub id: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What its holder may do.
    pub role: Role,
    /// In whose name a flagger flags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisation: Option<Organisation>,
    hash: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was used last, to the minute or so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sheet {
    version: u32,
    #[serde(default, rename = "key")]
    keys: Vec<KeyRecord>,
}

/// The files of a data directory. Several processes may use them at the same time.
#[derive(Debug, Clone)]
pub struct KeyStore {
    folder: PathBuf,
    sheet: PathBuf,
    secret: PathBuf,
}

impl KeyStore {
    /// The keys in `folder`, which is made where it is missing.
    pub fn open(folder: &Path) -> Result<Self, KeysError> {
        fs::create_dir_all(folder).map_err(failed("make the folder", folder))?;
        Ok(Self {
            folder: folder.to_owned(),
            sheet: folder.join("keys.toml"),
            secret: folder.join("keys.secret"),
        })
    }

    /// All keys, in the order in which they were made.
    pub fn list(&self) -> Result<Vec<KeyRecord>, KeysError> {
        self.load()
    }

    /// Makes a key. The token is the only place where its secret ever stands.
    pub fn create(&self, role: Role, name: Option<&str>) -> Result<Token, KeysError> {
        self.add(role, None, name)
    }

    /// Makes a flagger's key, with which videos are flagged in the name of `organisation`.
    pub fn create_for(
        &self,
        organisation: Organisation,
        name: Option<&str>,
    ) -> Result<Token, KeysError> {
        self.add(Role::Flagger, Some(organisation), name)
    }

    fn add(
        &self,
        role: Role,
        organisation: Option<Organisation>,
        name: Option<&str>,
    ) -> Result<Token, KeysError> {
        let fits = |name: &str| {
            (1..=LONGEST_NAME).contains(&name.chars().count())
                && !name.chars().any(char::is_control)
        };
        if name.is_some_and(|name| !fits(name)) {
            return Err(KeysError::Name {
                longest: LONGEST_NAME,
            });
        }
        let token = Token::generate()?;
        let _lock = file::lock(&self.folder)?;
        let mut keys = self.load()?;
        if keys.len() >= MOST_KEYS {
            return Err(KeysError::TooMany { limit: MOST_KEYS });
        }
        let secret = self.secret_or_new(&keys)?;
        keys.push(KeyRecord {
            id: token.id().to_owned(),
            name: name.map(str::to_owned),
            role,
            organisation,
            hash: token.hash(&secret).to_hex().to_string(),
            created_at: now(),
            last_used_at: None,
            revoked_at: None,
        });
        self.save(keys)?;
        Ok(token)
    }

    /// Revokes a key for good; revoking it twice changes nothing.
    pub fn revoke(&self, id: &str) -> Result<(), KeysError> {
        let _lock = file::lock(&self.folder)?;
        let mut keys = self.load()?;
        let key = keys.iter_mut().find(|key| key.id == id);
        let key = key.ok_or_else(|| KeysError::Unknown { id: id.to_owned() })?;
        key.revoked_at.get_or_insert_with(now);
        self.save(keys)
    }

    /// Notes when keys were used last.
    fn note_use<'a>(
        &self,
        used: impl IntoIterator<Item = (&'a String, &'a Timestamp)>,
    ) -> Result<(), KeysError> {
        let _lock = file::lock(&self.folder)?;
        let mut keys = self.load()?;
        for (id, at) in used {
            if let Some(key) = keys.iter_mut().find(|key| key.id == *id) {
                key.last_used_at = key.last_used_at.max(Some(*at));
            }
        }
        self.save(keys)
    }

    fn load(&self) -> Result<Vec<KeyRecord>, KeysError> {
        let Some(text) = file::read(&self.sheet)? else {
            return Ok(Vec::new());
        };
        let sheet: Sheet = toml::from_str(&text).map_err(|source| KeysError::Malformed {
            path: self.sheet.clone(),
            source: Box::new(source),
        })?;
        if sheet.version != VERSION {
            return Err(self.wrong("version".to_owned(), "1"));
        }
        for key in &sheet.keys {
            if blake3::Hash::from_hex(&key.hash).is_err() {
                return Err(self.wrong(format!("hash of key {}", key.id), "64 hexadecimal digits"));
            }
        }
        Ok(sheet.keys)
    }

    fn wrong(&self, key: String, expected: &'static str) -> KeysError {
        KeysError::Value {
            path: self.sheet.clone(),
            key,
            expected,
        }
    }

    fn save(&self, keys: Vec<KeyRecord>) -> Result<(), KeysError> {
        let sheet = Sheet {
            version: VERSION,
            keys,
        };
        file::replace(&self.folder, &self.sheet, &toml::to_string(&sheet)?)
    }

    /// The key of the hashes; `None` before the first key was made.
    fn secret(&self) -> Result<Option<[u8; 32]>, KeysError> {
        let Some(text) = file::read(&self.secret)? else {
            return Ok(None);
        };
        let secret = blake3::Hash::from_hex(text.trim()).map_err(|_| KeysError::Value {
            path: self.secret.clone(),
            key: "the secret".to_owned(),
            expected: "64 hexadecimal digits",
        })?;
        Ok(Some(*secret.as_bytes()))
    }

    fn secret_or_new(&self, keys: &[KeyRecord]) -> Result<[u8; 32], KeysError> {
        if let Some(secret) = self.secret()? {
            return Ok(secret);
        }
        // Without it the keys that there are would never open again, and nobody would know why.
        if !keys.is_empty() {
            return Err(self.lost());
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        file::replace(&self.folder, &self.secret, &token::hex(&secret))?;
        Ok(secret)
    }

    fn lost(&self) -> KeysError {
        KeysError::Value {
            path: self.secret.clone(),
            key: "the secret".to_owned(),
            expected: "there, as there are keys that were hashed with it",
        }
    }
}

/// The current time, to the second.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

#[cfg(test)]
mod tests;
