//! Folds of whole groups.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::error::FitError;

/// A fold for each clip: whole groups, those with the most clips first, each to the fold with the
/// fewest clips of its larger class; `seed` orders groups of equal size. An error where a class has
/// fewer groups than there are folds.
pub fn folds(
    synthetic: &[bool],
    groups: &[String],
    count: usize,
    seed: u64,
) -> Result<Vec<usize>, FitError> {
    let mut sizes: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for (class, group) in synthetic.iter().zip(groups) {
        sizes.entry(group).or_default()[usize::from(*class)] += 1;
    }
    let with = |class: usize| sizes.values().filter(|n| n[class] > 0).count();
    if with(0).min(with(1)) < count || count < 2 {
        let fake = synthetic.iter().filter(|class| **class).count();
        return Err(FitError::TooFew {
            groups: sizes.len(),
            real: synthetic.len().saturating_sub(fake),
            synthetic: fake,
            folds: count,
        });
    }
    let mut order: Vec<(&str, [usize; 2])> = sizes.into_iter().collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    order.sort_by_key(|(_, n)| std::cmp::Reverse(n[0].max(n[1])));
    let mut filled = vec![[0usize; 2]; count];
    let mut fold_of: BTreeMap<&str, usize> = BTreeMap::new();
    for (group, n) in order {
        let class = usize::from(n[1] > n[0]);
        let least = (0..count).min_by_key(|fold| (filled[*fold][class], filled[*fold][1 - class]));
        let fold = least.unwrap_or_default();
        filled[fold][0] += n[0];
        filled[fold][1] += n[1];
        fold_of.insert(group, fold);
    }
    let fold = |group: &String| fold_of.get(group.as_str()).copied().unwrap_or_default();
    Ok(groups.iter().map(fold).collect())
}
