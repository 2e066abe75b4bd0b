//! The keys that a server accepts, in memory.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::error::KeysError;
use super::token::Token;
use super::{KeyStore, now};
use crate::domain::flag::Organisation;
use crate::domain::role::Role;
use crate::store::{Followed, Stamp};

/// Whose key was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The key's public id.
    pub id: String,
    /// Its role.
    pub role: Role,
    /// In whose name it flags.
    pub organisation: Option<Organisation>,
}

type Stamps = [Option<Stamp>; 2];

/// The keys of a store, followed while others change it.
#[derive(Debug)]
pub struct KeyRing {
    store: KeyStore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    secret: [u8; 32],
    keys: Keys,
    files: Followed<2>,
    used: HashMap<String, Timestamp>,
}

impl KeyRing {
    /// Reads the keys in `folder`. A file that can't be read or understood is an error; none is no
    /// key.
    pub fn open(folder: &Path) -> Result<Self, KeysError> {
        let store = KeyStore::open(folder)?;
        let seen = stamps(&store);
        let (secret, keys) = read(&store)?;
        let state = Mutex::new(State {
            secret,
            keys,
            files: Followed::new(seen),
            used: HashMap::new(),
        });
        Ok(Self { store, state })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keys that are accepted now.
    pub fn len(&self) -> usize {
        self.state().keys.len()
    }

    /// Whether no key is accepted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whose key `text` is; `None` for one that is malformed, unknown or revoked. The comparison
    /// takes the same time wherever the hashes differ ([`blake3::Hash`]'s `==`).
    pub fn check(&self, text: &str) -> Option<Holder> {
        let token = Token::parse(text)?;
        let mut state = self.state();
        let (hash, holder) = state.keys.get(token.id())?;
        if token.hash(&state.secret) != *hash {
            return None;
        }
        let holder = holder.clone();
        state.used.insert(holder.id.clone(), now());
        Some(holder)
    }

    /// Reads the files again if they changed since they were read; `true` when other keys are
    /// accepted now, which a note of their last use doesn't make. On an
    /// error, and when they are gone, the keys stay what they were: it is tried again each time, as
    /// the cause may have been a passing one, and told once.
    pub fn refresh(&self) -> Result<bool, KeysError> {
        let now = stamps(&self.store);
        if !self.state().files.changed(now) {
            return Ok(false);
        }
        let read = self.read_again(now);
        let mut state = self.state();
        let Some((secret, keys)) = state.files.settle(now, read)? else {
            return Ok(false);
        };
        let others = state.secret != secret || state.keys != keys;
        (state.secret, state.keys) = (secret, keys);
        Ok(others)
    }

    fn read_again(&self, seen: Stamps) -> Result<([u8; 32], Keys), KeysError> {
        if seen[0].is_none() {
            return Err(KeysError::Value {
                path: self.store.sheet.clone(),
                key: "the file".to_owned(),
                expected: "there; the keys in memory stay valid until it is",
            });
        }
        read(&self.store)
    }

    /// Writes down when keys were used since the last time, unless the files are on a file system
    /// that can only be read. Meant to be called about once a minute.
    pub fn flush(&self) -> Result<(), KeysError> {
        let used = std::mem::take(&mut self.state().used);
        if used.is_empty() || Stamp::at(&self.store.sheet).is_none() {
            return Ok(());
        }
        let noted = self.store.note_use(&used);
        // Keys that are kept elsewhere and shown to the server, as a cluster's secrets are.
        if noted.as_ref().is_err_and(KeysError::is_read_only) {
            return Ok(());
        }
        if noted.is_err() {
            // For the next time; what came meanwhile is newer.
            let mut state = self.state();
            for (id, at) in used {
                state.used.entry(id).or_insert(at);
            }
        }
        noted
    }
}

fn stamps(store: &KeyStore) -> Stamps {
    [Stamp::at(&store.sheet), Stamp::at(&store.secret)]
}

type Keys = HashMap<String, (blake3::Hash, Holder)>;

fn read(store: &KeyStore) -> Result<([u8; 32], Keys), KeysError> {
    let records = store.load()?;
    let secret = match store.secret()? {
        Some(secret) => secret,
        None if records.is_empty() => [0; 32],
        None => return Err(store.lost()),
    };
    let valid = records.into_iter().filter(|key| key.revoked_at.is_none());
    let keys = valid.filter_map(|key| {
        let hash = blake3::Hash::from_hex(&key.hash).ok()?;
        let holder = Holder {
            id: key.id,
            role: key.role,
            organisation: key.organisation,
        };
        Some((holder.id.clone(), (hash, holder)))
    });
    Ok((secret, keys.collect()))
}
