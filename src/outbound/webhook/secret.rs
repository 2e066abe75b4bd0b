//! What callbacks are signed with.

use std::fmt::{self, Debug};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const PREFIX: &str = "whsec_";
/// Bytes of a new secret; the specification asks for 24 to 64.
const BYTES: usize = 32;
const FEWEST: usize = 24;
const MOST: usize = 64;

/// A key of HMAC-SHA-256, written `whsec_<base64>`. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// A new one, from the operating system's random numbers.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = vec![0; BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Reads `whsec_<base64>` of 24 to 64 bytes; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?;
        (FEWEST..=MOST)
            .contains(&bytes.len())
            .then_some(Self(bytes))
    }

    /// The whole text, for whoever verifies.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// One signature of `webhook-signature`: `v1,` and HMAC-SHA-256 of `id.timestamp.body`, base64.
    pub(super) fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> Option<String> {
        // Never `None`: a key of HMAC may have any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(format!("{id}.{timestamp_s}.").as_bytes());
        mac.update(body);
        Some(format!(
            "v1,{}",
            STANDARD.encode(mac.finalize().into_bytes())
        ))
    }
}

impl Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the tests of the specification's own libraries.
    #[test]
    fn the_published_signature_comes_out() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        let published = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signature.unwrap(), published);
    }

    #[test]
    fn secrets_are_written_and_read_and_never_shown() {
        let secret = Secret::generate().unwrap();
        assert_ne!(secret, Secret::generate().unwrap());
        assert_eq!(Secret::parse(&secret.reveal()), Some(secret.clone()));
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        for wrong in [
            String::new(),
            secret.reveal().replace("whsec_", ""),
            format!("whsec_{}", STANDARD.encode([1; 23])),
            format!("whsec_{}", STANDARD.encode([1; 65])),
            "whsec_%%%%".to_owned(),
        ] {
            assert_eq!(Secret::parse(&wrong), None, "{wrong}");
        }
    }
}
