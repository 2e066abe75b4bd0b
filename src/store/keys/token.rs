//! The text of a key: made, read, hashed.
//!
//! `jaga_<id>_<secret><checksum>`, in small hexadecimal digits: 8 bytes of public id, 32 of secret,
//! 4 of checksum (BLAKE3 of what stands before it). Prefix and checksum are for scanners that look
//! for leaked keys, and tell a mistyped key from a revoked one.

use std::fmt::{self, Debug};

use super::error::KeysError;

const PREFIX: &str = "jaga_";
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;
const ID_DIGITS: usize = 2 * ID_BYTES;
const SECRET_DIGITS: usize = 2 * SECRET_BYTES;
const CHECKSUM_DIGITS: usize = 8;
const LENGTH: usize = PREFIX.len() + ID_DIGITS + 1 + SECRET_DIGITS + CHECKSUM_DIGITS;

/// A whole key. `Debug` shows its id only.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new key, from the operating system's random numbers.
    pub fn generate() -> Result<Self, KeysError> {
        let mut bytes = [0; ID_BYTES + SECRET_BYTES];
        getrandom::fill(&mut bytes)?;
        let (id, secret) = bytes.split_at(ID_BYTES);
        let text = format!("{PREFIX}{}_{}", hex(id), hex(secret));
        let checksum = checksum(&text);
        Ok(Self(text + &checksum))
    }

    /// Reads what a caller sent; `None` when it can't be a key.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        let (id, rest) = digits.split_once('_')?;
        let is_hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        let whole = text.len() == LENGTH
            && id.len() == ID_DIGITS
            && (id.bytes().chain(rest.bytes())).all(is_hex);
        let (signed, found) = text.split_at_checked(LENGTH - CHECKSUM_DIGITS)?;
        (whole && checksum(signed) == found).then(|| Self(text.to_owned()))
    }

    /// The public part, by which a key is found.
    pub fn id(&self) -> &str {
        self.0
            .get(PREFIX.len()..PREFIX.len() + ID_DIGITS)
            .unwrap_or_default()
    }

    /// The whole text, to be shown once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored: BLAKE3 of the whole key, keyed with the server's secret.
    pub fn hash(&self, secret: &[u8; 32]) -> blake3::Hash {
        blake3::keyed_hash(secret, self.0.as_bytes())
    }
}

impl Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({PREFIX}{}_…)", self.id())
    }
}

fn checksum(text: &str) -> String {
    let hash = blake3::hash(text.as_bytes());
    hash.to_hex().chars().take(CHECKSUM_DIGITS).collect()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or_default();
    let digits = |byte: &u8| [digit(byte >> 4), digit(byte & 0xf)];
    bytes.iter().flat_map(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_and_a_mistyped_one_is_not() {
        let token = Token::generate().unwrap();
        let text = token.reveal();
        assert_eq!(text.len(), 94);
        assert_eq!(Token::parse(text), Some(token.clone()));
        assert_ne!(Token::generate().unwrap().reveal(), text);
        for place in 0..text.len() {
            let mut wrong = text.as_bytes().to_vec();
            wrong[place] = if wrong[place] == b'0' { b'1' } else { b'0' };
            assert_eq!(
                Token::parse(std::str::from_utf8(&wrong).unwrap()),
                None,
                "{place}"
            );
        }
        for wrong in [
            "",
            "jaga_",
            "jaga__",
            &text[1..],
            &format!("{text}0"),
            &text.to_uppercase(),
            &"ä".repeat(47),
        ] {
            assert_eq!(Token::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let token = Token::generate().unwrap();
        let shown = format!("{token:?}");
        assert!(shown.contains(token.id()));
        assert!(!shown.contains(&token.reveal()[22..40]), "{shown}");
    }

    #[test]
    fn a_hash_is_of_one_server() {
        let token = Token::generate().unwrap();
        assert_eq!(token.hash(&[1; 32]), token.hash(&[1; 32]));
        assert_ne!(token.hash(&[1; 32]), token.hash(&[2; 32]));
    }
}
