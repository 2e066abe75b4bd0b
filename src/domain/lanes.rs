//! Lanes: the queue classes of requests, and whose turn it is where they share something.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The queue class of a request; rules of a policy can differ by it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// Trusted reporters.
    Flagger,
    /// A platform's ordinary uploads.
    #[default]
    Live,
    /// Rescoring of a catalogue.
    Backfill,
}

impl Lane {
    /// All of them; of two whose turn it is, the earlier goes first.
    pub const ALL: [Self; 3] = [Self::Flagger, Self::Live, Self::Backfill];

    /// Its name in configuration and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flagger => "flagger",
            Self::Live => "live",
            Self::Backfill => "backfill",
        }
    }
}

/// One value a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ByLane<T> {
    /// Of [`Lane::Flagger`].
    pub flagger: T,
    /// Of [`Lane::Live`].
    pub live: T,
    /// Of [`Lane::Backfill`].
    pub backfill: T,
}

impl<T> ByLane<T> {
    /// What `make` gives for each lane.
    pub fn of(mut make: impl FnMut(Lane) -> T) -> Self {
        Self {
            flagger: make(Lane::Flagger),
            live: make(Lane::Live),
            backfill: make(Lane::Backfill),
        }
    }

    /// The value of `lane`.
    pub fn at(&self, lane: Lane) -> &T {
        match lane {
            Lane::Flagger => &self.flagger,
            Lane::Live => &self.live,
            Lane::Backfill => &self.backfill,
        }
    }

    /// The value of `lane`, to change.
    pub fn at_mut(&mut self, lane: Lane) -> &mut T {
        match lane {
            Lane::Flagger => &mut self.flagger,
            Lane::Live => &mut self.live,
            Lane::Backfill => &mut self.backfill,
        }
    }
}

/// Turns that each lane gets where all wait, in proportion to those of the others; 1..=1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shares {
    /// Of trusted reporters.
    pub flagger: u32,
    /// Of ordinary uploads.
    pub live: u32,
    /// Of the catalogue.
    pub backfill: u32,
}

impl Default for Shares {
    fn default() -> Self {
        Self {
            flagger: 16,
            live: 4,
            backfill: 1,
        }
    }
}

impl Shares {
    /// The share of `lane`.
    pub fn of(&self, lane: Lane) -> u32 {
        match lane {
            Lane::Flagger => self.flagger,
            Lane::Live => self.live,
            Lane::Backfill => self.backfill,
        }
    }

    /// The first share that is out of its range.
    pub fn out_of_range(&self) -> Option<(Lane, u32)> {
        let shares = Lane::ALL.map(|lane| (lane, self.of(lane)));
        shares
            .into_iter()
            .find(|(_, share)| !(1..=1000).contains(share))
    }
}

/// Whose turn it is: each waiting lane gets turns in proportion to its share, whatever the others
/// do, and one that did not wait saves up nothing.
///
/// Stride scheduling, C. A. Waldspurger and W. E. Weihl, 1995 (MIT/LCS/TM-528).
#[derive(Debug, Clone)]
pub struct Turns {
    strides: ByLane<u64>,
    passes: ByLane<u64>,
    now: u64,
}

/// The stride of a lane with a share of 1.
const UNIT: u64 = 1 << 20;

impl Turns {
    /// With these shares; one of 0 counts as 1.
    pub fn new(shares: Shares) -> Self {
        let stride = |lane| {
            UNIT.checked_div(u64::from(shares.of(lane)))
                .unwrap_or(UNIT)
                .max(1)
        };
        Self {
            strides: ByLane::of(stride),
            passes: ByLane::default(),
            now: 0,
        }
    }

    /// The next lane among those that wait; `None` where none does.
    pub fn next(&mut self, waits: impl Fn(Lane) -> bool) -> Option<Lane> {
        let mut chosen: Option<(u64, Lane)> = None;
        for lane in Lane::ALL {
            let pass = self.passes.at_mut(lane);
            if !waits(lane) {
                *pass = self.now.max(*pass);
            } else if chosen.is_none_or(|(least, _)| *pass < least) {
                chosen = Some((*pass, lane));
            }
        }
        let (pass, lane) = chosen?;
        self.now = pass;
        *self.passes.at_mut(lane) = pass.saturating_add(*self.strides.at(lane));
        Some(lane)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(turns: &mut Turns, count: usize, waiting: &[Lane]) -> ByLane<usize> {
        let mut taken = ByLane::default();
        for _ in 0..count {
            let lane = turns.next(|lane| waiting.contains(&lane)).unwrap();
            *taken.at_mut(lane) += 1;
        }
        taken
    }

    #[test]
    fn turns_are_in_proportion_to_the_shares() {
        let mut all = Turns::new(Shares::default());
        let taken = turns(&mut all, 2100, &Lane::ALL);
        assert_eq!(
            (taken.flagger, taken.live, taken.backfill),
            (1600, 400, 100)
        );
        let taken = turns(&mut all, 500, &[Lane::Live, Lane::Backfill]);
        assert!(taken.live.abs_diff(400) <= 1 && taken.backfill.abs_diff(100) <= 1);
        assert_eq!(all.next(|_| false), None);
    }

    #[test]
    fn who_comes_after_a_rest_is_next_and_has_saved_nothing_up() {
        let mut some = Turns::new(Shares::default());
        turns(&mut some, 1000, &[Lane::Backfill]);
        assert_eq!(some.next(|_| true), Some(Lane::Flagger));
        let taken = turns(&mut some, 210, &Lane::ALL);
        assert!(taken.backfill >= 9, "{taken:?}");
    }
}
