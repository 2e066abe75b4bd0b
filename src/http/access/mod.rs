//! Who may use which route, and how often.

mod address;
mod rates;
mod routes;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;

use self::address::Proxies;
use self::rates::{Rates, TooOften};
use self::routes::Rights;
pub(super) use self::routes::is_open;
use super::config::{LimitsConfig, ServerConfig};
use super::connections::{Peer, stopped};
use super::error;
use super::state::AppState;
use crate::domain::flag::Organisation;
use crate::domain::lanes::Lane;
use crate::domain::role::Role;
use crate::store::{KeyRing, KeysError};
use crate::telemetry::metrics::Refused;

/// How often changed keys are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the last use of keys is written down, in looks.
const WRITE_EVERY: u32 = 60;

/// Keys, limits and trusted proxies of a server.
#[derive(Debug, Default)]
pub(super) struct Access {
    /// `None`: no key is asked for.
    keys: Option<Arc<KeyRing>>,
    rates: Rates,
    proxies: Proxies,
}

/// Who was let in, as handlers see it.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// Where its uploads wait.
    pub(super) lane: Lane,
    /// Id of its key; empty where none is asked for.
    pub(super) owner: Arc<str>,
    /// Whether it may see what others sent.
    pub(super) sees_all: bool,
    /// In whose name it may flag.
    pub(super) flags_as: FlagsAs,
}

/// In whose name a caller may flag.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum FlagsAs {
    /// Of whom it says.
    #[default]
    Anyone,
    /// Only of its key's organisation.
    One(Organisation),
    /// Its key has no organisation.
    Nobody,
}

impl Default for Caller {
    /// Whoever comes where no key is asked for.
    fn default() -> Self {
        Self {
            lane: Lane::default(),
            owner: Arc::from(""),
            sees_all: true,
            flags_as: FlagsAs::Anyone,
        }
    }
}

impl Caller {
    /// Whether it may see what `owner` sent.
    pub(super) fn may_see(&self, owner: &str) -> bool {
        self.sees_all || *self.owner == *owner
    }
}

enum Refusal {
    NoKey,
    WrongKey,
    /// A role that is not the route's.
    Role(&'static str),
    Key(TooOften),
    Address(TooOften),
}

impl Refusal {
    fn reason(&self) -> Refused {
        match self {
            Self::NoKey => Refused::NoKey,
            Self::WrongKey => Refused::WrongKey,
            Self::Role(_) => Refused::Role,
            Self::Key(_) => Refused::KeyRate,
            Self::Address(_) => Refused::AddressRate,
        }
    }
}

impl Access {
    /// The access that `config` asks for; reads the keys in `folder` if keys are `required`.
    pub(super) fn open(
        config: &ServerConfig,
        limits: &LimitsConfig,
        folder: &Path,
        required: bool,
    ) -> Result<Self, KeysError> {
        let keys = required.then(|| KeyRing::open(folder)).transpose()?;
        if keys.as_ref().is_some_and(KeyRing::is_empty) {
            tracing::warn!("there are no API keys yet: `jaga keys create` makes one");
        }
        Ok(Self {
            keys: keys.map(Arc::new),
            rates: Rates::new(limits),
            proxies: Proxies {
                trusted: config.trusted_proxies.clone(),
                header: config.forwarded_header,
            },
        })
    }

    /// Follows changes of the keys and writes their use down until `stop`.
    pub(super) async fn follow(&self, mut stop: watch::Receiver<bool>) {
        let Some(keys) = &self.keys else { return };
        for look in 1_u32.. {
            let ended = tokio::time::timeout(LOOK_EVERY, stopped(&mut stop)).await;
            let write = ended.is_ok() || look % WRITE_EVERY == 0;
            let keys = Arc::clone(keys);
            // The files may be on a slow disk.
            let looked = tokio::task::spawn_blocking(move || look_at(&keys, write)).await;
            if looked.is_err() || ended.is_ok() {
                return;
            }
        }
    }

    fn admit(&self, request: &mut Request) -> Result<(), Refusal> {
        let route = request.extensions().get::<MatchedPath>();
        let rights = Rights::of(route.map(MatchedPath::as_str));
        // Nothing behind here can put a key into a log.
        let lines = request.headers().get_all(AUTHORIZATION).iter().count();
        let mut shown = request.headers_mut().remove(AUTHORIZATION);
        if lines > 1 {
            // Which of them counts would be a matter of taste.
            shown = Some(HeaderValue::from_static(""));
        }
        if rights == Rights::Open {
            return Ok(());
        }
        let client = self.client(request);
        let caller = match &self.keys {
            Some(keys) => {
                let shown = shown.as_ref().map(HeaderValue::as_bytes);
                self.by_key(keys, shown, client, rights)?
            }
            None => self.by_address(client)?,
        };
        request.extensions_mut().insert(caller);
        Ok(())
    }

    fn by_key(
        &self,
        keys: &KeyRing,
        shown: Option<&[u8]>,
        client: IpAddr,
        rights: Rights,
    ) -> Result<Caller, Refusal> {
        let Some(holder) = shown.and_then(bearer).and_then(|text| keys.check(text)) else {
            self.rates.address(client).map_err(Refusal::Address)?;
            return Err(shown.map_or(Refusal::NoKey, |_| Refusal::WrongKey));
        };
        tracing::Span::current().record("key", &holder.id);
        self.rates.key(&holder.id).map_err(Refusal::Key)?;
        if !rights.include(holder.role) {
            return Err(Refusal::Role(holder.role.name()));
        }
        Ok(Caller {
            lane: holder.role.lane(),
            owner: Arc::from(&*holder.id),
            sees_all: matches!(holder.role, Role::Reviewer | Role::Admin),
            flags_as: match (holder.role, holder.organisation) {
                (Role::Admin, _) => FlagsAs::Anyone,
                (Role::Flagger, Some(organisation)) => FlagsAs::One(organisation),
                (Role::Flagger | Role::Client | Role::Reviewer, _) => FlagsAs::Nobody,
            },
        })
    }

    fn by_address(&self, client: IpAddr) -> Result<Caller, Refusal> {
        // Whoever is on this machine can load it in other ways.
        if !client.is_loopback() {
            self.rates.address(client).map_err(Refusal::Address)?;
        }
        Ok(Caller::default())
    }

    fn client(&self, request: &Request) -> IpAddr {
        // A request that came by no connection is a test's.
        let nowhere = Peer(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let Peer(peer) = request.extensions().get().copied().unwrap_or(nowhere);
        self.proxies.client(peer.ip(), request.headers())
    }
}

/// Lets a request in or answers it.
pub(super) async fn guard(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    match state.access().admit(&mut request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            state.metrics().refused(refusal.reason());
            refusal.into_response()
        }
    }
}

fn look_at(keys: &KeyRing, write: bool) {
    if write && let Err(error) = keys.flush() {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "can't write when keys were used"
        );
    }
    match keys.refresh() {
        Ok(true) => tracing::info!(keys = keys.len(), "the API keys have changed"),
        Ok(false) => {}
        Err(error) => tracing::error!(
            error = &error as &dyn std::error::Error,
            "can't read the API keys; those in memory stay valid"
        ),
    }
}

/// The token of `Authorization: Bearer TOKEN`.
fn bearer(value: &[u8]) -> Option<&str> {
    let (scheme, token) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (problem, challenge) = match self {
            Self::NoKey => (error::unauthenticated(), "Bearer realm=\"jaga\""),
            Self::WrongKey => (
                error::unauthenticated(),
                "Bearer realm=\"jaga\", error=\"invalid_token\"",
            ),
            Self::Role(role) => (
                error::forbidden(role),
                "Bearer realm=\"jaga\", error=\"insufficient_scope\"",
            ),
            Self::Key(TooOften(seconds)) => {
                return error::rate_limited("key", seconds).into_response();
            }
            Self::Address(TooOften(seconds)) => {
                return error::rate_limited("address", seconds).into_response();
            }
        };
        let mut response = problem.into_response();
        let challenge = HeaderValue::from_static(challenge);
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        response
    }
}
