//! Intervals by resampling clusters of videos.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Who belongs together: videos of one source are drawn together or not at all, since they are
/// alike. Clusters are drawn from those with the same classes in them (a stratified cluster
/// bootstrap; Davison, Hinkley 1997, section 3.8), so that every draw has as many of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clusters {
    /// By sample.
    of: Vec<usize>,
    /// Clusters with real samples only, with synthetic ones only, and with both.
    strata: [Vec<usize>; 3],
    count: usize,
}

impl Clusters {
    /// From each sample's class (true for synthetic) and the name of its cluster.
    pub fn of<'a>(samples: impl IntoIterator<Item = (bool, &'a str)>) -> Self {
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        let (mut of, mut classes) = (Vec::new(), Vec::new());
        for (synthetic, name) in samples {
            let next = names.len();
            let cluster = *names.entry(name).or_insert(next);
            if cluster == classes.len() {
                classes.push((false, false));
            }
            if let Some((real, fake)) = classes.get_mut(cluster) {
                *real |= !synthetic;
                *fake |= synthetic;
            }
            of.push(cluster);
        }
        let mut strata: [Vec<usize>; 3] = Default::default();
        let [real, fake, both] = &mut strata;
        for (cluster, has) in classes.iter().enumerate() {
            match has {
                (true, true) => both.push(cluster),
                (false, true) => fake.push(cluster),
                (true | false, false) => real.push(cluster),
            }
        }
        Self {
            of,
            strata,
            count: classes.len(),
        }
    }

    /// Clusters with a real sample and clusters with a synthetic one.
    pub fn counts(&self) -> (usize, usize) {
        let [real, fake, both] = &self.strata;
        (
            real.len().saturating_add(both.len()),
            fake.len().saturating_add(both.len()),
        )
    }

    /// How often each sample counts in one draw.
    fn draw(&self, random: &mut ChaCha8Rng) -> Vec<f64> {
        let mut counts = vec![0.0; self.count];
        for stratum in &self.strata {
            for _ in stratum {
                let drawn = stratum.get(random.random_range(0..stratum.len()));
                if let Some(count) = drawn.and_then(|cluster| counts.get_mut(*cluster)) {
                    *count += 1.0;
                }
            }
        }
        let weight = |cluster: &usize| counts.get(*cluster).copied().unwrap_or(0.0);
        self.of.iter().map(weight).collect()
    }

    /// `statistic` of `replicates` draws: it is given the weight of each sample. The same seed
    /// gives the same draws.
    pub fn replicate<T>(
        &self,
        replicates: usize,
        seed: u64,
        mut statistic: impl FnMut(&[f64]) -> T,
    ) -> Vec<T> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        (0..replicates)
            .map(|_| statistic(&self.draw(&mut random)))
            .collect()
    }
}

/// The `level` quantile of `values` with numpy's linear interpolation; `None` of none. They are
/// finite.
pub fn quantile(values: &mut [f64], level: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let place = level.clamp(0.0, 1.0) * last as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0..=last"
    )]
    let below = place.floor() as usize;
    let (low, high) = (
        values.get(below)?,
        values.get(below.saturating_add(1).min(last))?,
    );
    Some((high - low).mul_add(place - below as f64, *low))
}
