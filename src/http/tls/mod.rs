//! TLS by rustls, with files that may be replaced while the server runs.

mod error;
mod handshake;
mod pair;

use std::fmt::{self, Debug};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

pub use self::error::TlsError;
pub(super) use self::handshake::{NoTls, plain_words, shake_hands};
use self::pair::Pair;
use super::config::TlsConfig;
use super::connections::stopped;
use super::state::AppState;
use crate::store::{Followed, Stamp};

/// How often changed files are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A certificate in use.
pub(super) struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    state: Mutex<State>,
}

struct State {
    pair: Pair,
    files: Followed<2>,
    expiry_told: bool,
}

impl Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads both files; `None` when none is configured.
    pub(super) fn open(config: &TlsConfig) -> Result<Option<Self>, TlsError> {
        let (Some(certificate), Some(key)) = (&config.certificate, &config.key) else {
            return Ok(None);
        };
        let seen = [certificate, key].map(|path| Stamp::at(path));
        let pair = Pair::load(certificate, key, Timestamp::now())?;
        Ok(Some(Self {
            certificate: certificate.clone(),
            key: key.clone(),
            state: Mutex::new(State {
                pair,
                files: Followed::new(seen),
                expiry_told: false,
            }),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For one new connection; those that there are keep what they began with.
    fn acceptor(&self) -> TlsAcceptor {
        self.state().pair.acceptor.clone()
    }

    /// When clients begin to refuse the certificate in use.
    pub(super) fn not_after(&self) -> Timestamp {
        self.state().pair.not_after
    }

    /// Reads the files again if they changed since they were read; `true` when they did. On an
    /// error the old pair stays: it is tried again each time, as one file may be written before the
    /// other, and told once.
    fn refresh(&self) -> Result<bool, TlsError> {
        let now = [&self.certificate, &self.key].map(|path| Stamp::at(path));
        if !self.state().files.changed(now) {
            return Ok(false);
        }
        let read = Pair::load(&self.certificate, &self.key, Timestamp::now());
        let mut state = self.state();
        let Some(pair) = state.files.settle(now, read)? else {
            return Ok(false);
        };
        (state.pair, state.expiry_told) = (pair, false);
        Ok(true)
    }

    /// Whether the certificate in use has just run out.
    fn ran_out(&self) -> bool {
        let mut state = self.state();
        let ran_out = !state.expiry_told && Timestamp::now() > state.pair.not_after;
        state.expiry_told |= ran_out;
        ran_out
    }

    /// Follows changes of the files until `stop`.
    pub(super) async fn follow(self: Arc<Self>, state: AppState, mut stop: watch::Receiver<bool>) {
        self.say("TLS is on", &state);
        while tokio::time::timeout(LOOK_EVERY, stopped(&mut stop))
            .await
            .is_err()
        {
            let (tls, state) = (Arc::clone(&self), state.clone());
            // The files may be on a slow disk.
            let looked = tokio::task::spawn_blocking(move || tls.look(&state));
            if looked.await.is_err() {
                return;
            }
        }
    }

    fn look(&self, state: &AppState) {
        match self.refresh() {
            Ok(true) => {
                state.metrics().reloaded(true);
                self.say("the certificate was replaced", state);
            }
            Ok(false) => {}
            Err(error) => {
                state.metrics().reloaded(false);
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    old_not_after = %self.not_after(),
                    "CAN'T USE THE NEW CERTIFICATE; the old one stays"
                );
            }
        }
        if self.ran_out() {
            tracing::error!(certificate = %self.certificate.display(), "THE CERTIFICATE HAS RUN OUT");
        }
    }

    fn say(&self, what: &str, state: &AppState) {
        let not_after = self.not_after();
        state.metrics().certificate(not_after);
        tracing::info!(certificate = %self.certificate.display(), %not_after, "{what}");
    }
}

/// When the configured certificate runs out, its files having been read as a server would; `None`
/// when none is configured.
pub fn examine(config: &TlsConfig) -> Result<Option<Timestamp>, TlsError> {
    Ok(Tls::open(config)?.map(|tls| tls.not_after()))
}
