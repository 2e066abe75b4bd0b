//! How often one key, and one address, may come.

use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::address::site;
use crate::http::config::LimitsConfig;

/// A token bucket for each of `K`.
#[derive(Debug)]
struct Buckets<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, HashMapStateStore<K>, DefaultClock>,
}

/// Both limits; one that is `None` isn't kept.
#[derive(Debug, Default)]
pub(super) struct Rates {
    keys: Option<Buckets<String>>,
    /// By 16 bits of an address' hash: no flood of addresses takes more than 65,536 buckets. As
    /// the hash is keyed by chance, nobody can choose whose bucket to share.
    addresses: Option<Buckets<u16>>,
    hasher: RandomState,
}

/// Seconds until one more request is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooOften(pub(super) u32);

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn new(per_minute: u32, burst: NonZeroU32) -> Option<Self> {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute)?).allow_burst(burst);
        Some(Self {
            limiter: RateLimiter::hashmap_with_clock(quota, DefaultClock::default()),
        })
    }

    fn take(&self, key: &K) -> Result<(), TooOften> {
        self.limiter.check_key(key).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            TooOften(
                u32::try_from(wait.as_secs())
                    .unwrap_or(u32::MAX)
                    .saturating_add(1),
            )
        })
    }
}

impl Rates {
    pub(super) fn new(config: &LimitsConfig) -> Self {
        Self {
            keys: Buckets::new(config.key_requests_per_minute, config.key_burst),
            addresses: Buckets::new(config.address_requests_per_minute, config.address_burst),
            hasher: RandomState::new(),
        }
    }

    /// One request with a valid key.
    pub(super) fn key(&self, id: &String) -> Result<(), TooOften> {
        self.keys
            .as_ref()
            .map_or(Ok(()), |buckets| buckets.take(id))
    }

    /// One request without.
    pub(super) fn address(&self, address: IpAddr) -> Result<(), TooOften> {
        let Some(buckets) = &self.addresses else {
            return Ok(());
        };
        let [.., low, lowest] = self.hasher.hash_one(site(address)).to_be_bytes();
        buckets.take(&u16::from_be_bytes([low, lowest]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(per_minute: u32) -> Rates {
        let burst = NonZeroU32::new(2).unwrap();
        Rates::new(&LimitsConfig {
            key_requests_per_minute: per_minute,
            key_burst: burst,
            address_requests_per_minute: per_minute,
            address_burst: burst,
        })
    }

    #[test]
    fn a_burst_is_let_in_and_then_it_says_when() {
        let rates = rates(1);
        let (a, b) = ("a".to_owned(), "b".to_owned());
        assert_eq!([rates.key(&a), rates.key(&a)], [Ok(()), Ok(())]);
        let TooOften(seconds) = rates.key(&a).unwrap_err();
        // A busy machine may have taken some of the minute.
        assert!((1..=61).contains(&seconds), "{seconds}");
        assert_eq!(rates.key(&b), Ok(()), "another key has its own");
        let address = "2001:db8::1".parse().unwrap();
        let neighbour = "2001:db8::2".parse().unwrap();
        assert_eq!(
            [rates.address(address), rates.address(neighbour)],
            [Ok(()), Ok(())]
        );
        assert!(rates.address(address).is_err());
    }

    #[test]
    fn none_is_no_limit() {
        let rates = rates(0);
        for _ in 0..1000 {
            assert_eq!(rates.address("1.2.3.4".parse().unwrap()), Ok(()));
        }
    }

    #[test]
    fn a_flood_of_addresses_takes_a_bounded_number_of_buckets() {
        let rates = rates(1);
        for number in 0..200_000_u32 {
            let _ = rates.address(IpAddr::from(number.to_be_bytes()));
        }
        let buckets = rates.addresses.unwrap().limiter.len();
        assert!((60_000..=65_536).contains(&buckets), "{buckets}");
    }
}
