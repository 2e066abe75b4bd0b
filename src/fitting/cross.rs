//! What is chosen by grouped cross-validation, and log-odds of clips that a head never saw.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::balance::{Balance, by_class};
use super::calibrate::{Kind, apply, calibrate};
use super::clips::Clips;
use super::error::FitError;
use super::folds::folds;
use super::limits::Limits;
use super::solver::{Data, Linear, Scale, Terms, logistic};
use crate::domain::calibration::Calibration;

/// Strengths C that are tried: how much the data counts against small weights.
pub const STRENGTHS: [f64; 5] = [0.001, 0.003, 0.01, 0.03, 0.1];

/// Good enough to compare; the head itself is fitted further.
const ROUGH: f64 = 1e-5;
const FINE: f64 = 1e-8;

/// What is tried, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Folds of whole groups, at least 3.
    pub folds: usize,
    /// Orders groups of equal size.
    pub seed: u64,
    /// What counts the same.
    pub balance: Balance,
    /// Values of C, ascending, at least one.
    pub strengths: Vec<f64>,
    /// How much of the head of a second set is added; `[0.0]` without one.
    pub shares: Vec<f64>,
    /// The calibration.
    pub kind: Kind,
    /// Share of the real clips that may reach `substantial_evidence`.
    pub max_fpr: f64,
}

/// One of the combinations that are tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// Which array of the clips.
    pub array: usize,
    /// The C of the clips' head.
    pub strength: f64,
    /// How much of the second set's head is added.
    pub share: f64,
}

/// What came of choosing and calibrating on some folds, by clips that the heads didn't see.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// What won.
    pub choice: Choice,
    /// Fitted to the winner's log-odds; both classes weigh the same, and clips within a class.
    pub calibration: Calibration,
    /// Where verdicts begin.
    pub limits: Limits,
}

/// A head and what is known of it.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// On the embeddings as they are.
    pub head: Linear,
    /// By all clips.
    pub settled: Settled,
    /// All that was tried, with its loss on held-out groups (log loss after the best Platt map).
    pub tried: Vec<(Choice, f64)>,
    /// By clip, the scores that `settled` was found by: of a head without the clip's fold.
    pub seen: Vec<f64>,
    /// For each fold, what was settled inside of the others.
    pub inner: Vec<Settled>,
    /// By clip, the score of a head that was fitted, chosen and calibrated without the clip's fold.
    pub unseen: Vec<f64>,
    /// The same head's log-odds after the Platt map by which it was chosen, which brings heads of
    /// different folds to one scale.
    pub unseen_order: Vec<f64>,
    /// The C of the second set's head, of [`Plan::strengths`].
    pub second_strength: Option<f64>,
    /// Fold of each clip.
    pub fold: Vec<usize>,
}

/// Fits a head to `clips`, with a part of one that is fitted to `second` added to it. What is
/// chosen and calibrated is so by folds of whole groups, and for the scores of unseen clips inside
/// of the other folds: heads without folds i and j tell what to choose for fold i by their log-odds
/// of j, and the other way round. Clips of `second` in groups of a fold that is left out are left
/// out too.
pub fn fit(clips: &Clips, second: Option<&Clips>, plan: &Plan) -> Result<Fitted, FitError> {
    let fold = folds(&clips.synthetic, &clips.groups, plan.folds, plan.seed)?;
    let second = second.map(|set| Second::new(set, plan)).transpose()?;
    let stage = Stage {
        clips,
        plan,
        weights: clips.weights(plan.balance),
        fold,
        second,
    };
    let folds = 0..plan.folds;
    let ones: Vec<Vec<usize>> = folds.clone().map(|i| vec![i]).collect();
    let pairs = folds.clone().flat_map(|i| (0..i).map(move |j| vec![j, i]));
    let pairs: Vec<Vec<usize>> = pairs.collect();
    let (ones, pairs) = (stage.all(&ones)?, stage.all(&pairs)?);
    let choices = stage.choices();
    let mut inner = Vec::new();
    let mut unseen = vec![0.0; clips.synthetic.len()];
    let mut unseen_order = unseen.clone();
    for (held, own) in ones.iter().enumerate() {
        let of_pairs = pairs.iter().filter(|pair| pair.folds.contains(&held));
        let parts = of_pairs.flat_map(|pair| {
            let others = pair.folds.iter().filter(move |fold| **fold != held);
            others.map(move |other| (pair, *other))
        });
        let parts: Vec<_> = parts.collect();
        let found = stage.settle(&parts, &choices)?;
        for clip in stage.members(held) {
            let logit = own.logits[found.best][clip];
            unseen[clip] = apply(&found.settled.calibration, logit)?;
            unseen_order[clip] = found.scale.0.mul_add(logit, found.scale.1);
        }
        inner.push(found.settled);
    }
    let parts: Vec<_> = ones.iter().enumerate().map(|(i, held)| (held, i)).collect();
    let found = stage.settle(&parts, &choices)?;
    let mut seen = vec![0.0; unseen.len()];
    for (clip, score) in found.scores {
        seen[clip] = score;
    }
    Ok(Fitted {
        head: stage.head(found.settled.choice)?,
        settled: found.settled,
        tried: choices.into_iter().zip(found.losses).collect(),
        seen,
        inner,
        unseen,
        unseen_order,
        second_strength: stage.second.as_ref().map(|second| second.strength),
        fold: stage.fold,
    })
}

/// [`Settled`], and by what.
struct Found {
    settled: Settled,
    /// Place of the choice.
    best: usize,
    /// Slope and offset of the Platt map of its loss.
    scale: (f64, f64),
    /// By choice.
    losses: Vec<f64>,
    /// Clips and their calibrated scores.
    scores: Vec<(usize, f64)>,
}

/// The place of the least.
fn best(losses: &[f64]) -> usize {
    let places = losses.iter().enumerate();
    let least = places.min_by(|a, b| a.1.total_cmp(b.1));
    least.map_or(0, |(place, _)| place)
}

/// Log-odds of heads that some folds were left out of.
struct HeldOut {
    folds: Vec<usize>,
    /// By choice, then by clip; 0 for clips that were not left out.
    logits: Vec<Vec<f64>>,
}

struct Stage<'a> {
    clips: &'a Clips,
    plan: &'a Plan,
    weights: Vec<f64>,
    fold: Vec<usize>,
    second: Option<Second<'a>>,
}

impl Stage<'_> {
    /// Array by array, strength by strength, share by share.
    fn choices(&self) -> Vec<Choice> {
        let arrays = 0..self.clips.arrays.len();
        let strengths =
            arrays.flat_map(|array| self.plan.strengths.iter().map(move |c| (array, *c)));
        let shares = strengths.flat_map(|(array, strength)| {
            self.plan.shares.iter().map(move |share| Choice {
                array,
                strength,
                share: *share,
            })
        });
        shares.collect()
    }

    fn members(&self, fold: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.fold.len()).filter(move |clip| self.fold[*clip] == fold)
    }

    /// For each set of folds, the log-odds of its clips by heads fitted to the rest.
    fn all(&self, left_out: &[Vec<usize>]) -> Result<Vec<HeldOut>, FitError> {
        let found = in_parallel(left_out.len(), |place| {
            left_out.get(place).map(|folds| self.held_out(folds))
        });
        found.into_iter().flatten().collect()
    }

    fn held_out(&self, folds: &[usize]) -> Result<HeldOut, FitError> {
        let mut logits = Vec::new();
        for array in 0..self.clips.arrays.len() {
            let heads = self.path(array, folds)?;
            let added = self.added(array, folds)?;
            for head in heads {
                for share in &self.plan.shares {
                    let sum = added
                        .as_ref()
                        .map_or(head.clone(), |a| head.plus(a, *share));
                    logits.push(self.logits(array, folds, &sum));
                }
            }
        }
        Ok(HeldOut {
            folds: folds.to_vec(),
            logits,
        })
    }

    fn logits(&self, array: usize, folds: &[usize], head: &Linear) -> Vec<f64> {
        let rows = self.clips.arrays[array].rows();
        let of = |(row, fold): (ndarray::ArrayView1<'_, f64>, &usize)| {
            if folds.contains(fold) {
                head.logit(&row)
            } else {
                0.0
            }
        };
        rows.into_iter().zip(&self.fold).map(of).collect()
    }

    /// Heads fitted to all but `folds`, one a strength, each from where the one before ended.
    fn path(&self, array: usize, folds: &[usize]) -> Result<Vec<Linear>, FitError> {
        let kept =
            |(weight, fold): (&f64, &usize)| if folds.contains(fold) { 0.0 } else { *weight };
        let weights: Vec<f64> = self.weights.iter().zip(&self.fold).map(kept).collect();
        let rows = self.clips.arrays[array].view();
        let data = Data {
            rows: &rows,
            synthetic: &self.clips.synthetic,
            weights: &weights,
        };
        path(&data, &self.plan.strengths)
    }

    /// The second set's head for this array, fitted to none of the groups of `folds`.
    fn added(&self, array: usize, folds: &[usize]) -> Result<Option<Linear>, FitError> {
        let Some(second) = &self.second else {
            return Ok(None);
        };
        let groups = self.clips.groups.iter().zip(&self.fold);
        let left_out: std::collections::BTreeSet<&String> = groups
            .filter(|(_, fold)| folds.contains(fold))
            .map(|(group, _)| group)
            .collect();
        second
            .head(array, |group| left_out.contains(group))
            .map(Some)
    }

    /// Chooses and calibrates by these folds, whose log-odds are of heads that saw nothing of them.
    fn settle(&self, parts: &[(&HeldOut, usize)], choices: &[Choice]) -> Result<Found, FitError> {
        let losses = self.losses(parts, choices)?;
        let best = best(&losses);
        let choice = choices.get(best).copied();
        let choice = choice.ok_or_else(|| FitError::Usage("nothing to try".to_owned()))?;
        let held = self.held(parts, best);
        let (kind, even) = (self.plan.kind, by_class(&held.synthetic));
        let calibration = calibrate(kind, &held.logits, &held.synthetic, &even)?;
        let scale = calibrate(Kind::Platt, &held.logits, &held.synthetic, &held.weights)?;
        let (mut scores, mut by_class) = (Vec::new(), [Vec::new(), Vec::new()]);
        for (place, clip) in held.clips.iter().enumerate() {
            let score = apply(&calibration, held.logits[place])?;
            scores.push((*clip, score));
            by_class[usize::from(held.synthetic[place])].push(score);
        }
        let settled = Settled {
            choice,
            limits: Limits::of(by_class, self.plan.max_fpr),
            calibration,
        };
        Ok(Found {
            settled,
            best,
            scale: scale.line().unwrap_or((1.0, 0.0)),
            losses,
            scores,
        })
    }

    /// What a choice said of these folds.
    fn held(&self, parts: &[(&HeldOut, usize)], place: usize) -> Held {
        let mut held = Held::default();
        for (found, fold) in parts {
            for clip in self.members(*fold) {
                held.clips.push(clip);
                held.logits.push(found.logits[place][clip]);
                held.synthetic.push(self.clips.synthetic[clip]);
                held.weights.push(self.weights[clip]);
            }
        }
        held
    }

    /// By choice.
    fn losses(
        &self,
        parts: &[(&HeldOut, usize)],
        choices: &[Choice],
    ) -> Result<Vec<f64>, FitError> {
        let loss = |place| calibrated_loss(&self.held(parts, place));
        (0..choices.len()).map(loss).collect()
    }

    /// The head of `choice`, fitted to all clips.
    fn head(&self, choice: Choice) -> Result<Linear, FitError> {
        let rows = self.clips.arrays[choice.array].view();
        let data = Data {
            rows: &rows,
            synthetic: &self.clips.synthetic,
            weights: &self.weights,
        };
        let head = exact(&data, choice.strength)?;
        let second = self
            .second
            .as_ref()
            .map(|second| second.exact(choice.array));
        Ok(match second.transpose()? {
            Some(added) => head.plus(&added, choice.share),
            None => head,
        })
    }
}

/// Heads for embeddings as they are, one a strength, each from where the one before ended.
fn path(data: &Data<'_>, strengths: &[f64]) -> Result<Vec<Linear>, FitError> {
    let scale = Scale::of(data);
    let mut at = Linear::zero(data.rows.ncols());
    let mut heads = Vec::new();
    for strength in strengths {
        let terms = Terms {
            strength: *strength,
            tolerance: ROUGH,
        };
        at = logistic(data, &scale, terms, &at)?;
        heads.push(scale.undo(&at));
    }
    Ok(heads)
}

fn exact(data: &Data<'_>, strength: f64) -> Result<Linear, FitError> {
    let scale = Scale::of(data);
    let terms = Terms {
        strength,
        tolerance: FINE,
    };
    let start = Linear::zero(data.rows.ncols());
    Ok(scale.undo(&logistic(data, &scale, terms, &start)?))
}

/// Clips with log-odds of heads that didn't see them.
#[derive(Default)]
struct Held {
    clips: Vec<usize>,
    logits: Vec<f64>,
    synthetic: Vec<bool>,
    weights: Vec<f64>,
}

/// Mean log loss, by weight, after the Platt map that makes it least: what a head is worth once it
/// is calibrated. Infinite where higher log-odds mean real.
fn calibrated_loss(held: &Held) -> Result<f64, FitError> {
    let map = match calibrate(Kind::Platt, &held.logits, &held.synthetic, &held.weights) {
        Ok(map) => map,
        Err(FitError::Upside) => return Ok(f64::INFINITY),
        Err(error) => return Err(error),
    };
    let (mut sum, mut total) = (0.0, 0.0);
    for (place, logit) in held.logits.iter().enumerate() {
        let score = apply(&map, *logit)?;
        let right = if held.synthetic[place] {
            score
        } else {
            1.0 - score
        };
        sum -= held.weights[place] * right.max(f64::MIN_POSITIVE).ln();
        total += held.weights[place];
    }
    Ok(sum / total)
}

/// A set whose head is added to that of the clips.
struct Second<'a> {
    clips: &'a Clips,
    balance: Balance,
    strength: f64,
    /// One an array, fitted to the whole set.
    heads: Vec<Linear>,
}

impl<'a> Second<'a> {
    /// Its own grouped folds choose its C, by the first array.
    fn new(clips: &'a Clips, plan: &Plan) -> Result<Self, FitError> {
        let own = Stage {
            clips,
            plan: &Plan {
                shares: vec![0.0],
                ..plan.clone()
            },
            weights: clips.weights(plan.balance),
            fold: folds(&clips.synthetic, &clips.groups, plan.folds, plan.seed)?,
            second: None,
        };
        let sets: Vec<Vec<usize>> = (0..plan.folds).map(|i| vec![i]).collect();
        let found = own.all(&sets)?;
        let parts: Vec<_> = found
            .iter()
            .enumerate()
            .map(|(i, held)| (held, i))
            .collect();
        let choices = own.choices();
        let losses = own.losses(&parts, &choices)?;
        let mut second = Self {
            clips,
            balance: plan.balance,
            strength: choices[best(&losses)].strength,
            heads: Vec::new(),
        };
        for array in 0..clips.arrays.len() {
            second.heads.push(second.exact(array)?);
        }
        Ok(second)
    }

    fn exact(&self, array: usize) -> Result<Linear, FitError> {
        self.fitted(array, &|_| false)
    }

    /// Fitted to the set without the groups that are `left_out`.
    fn head(&self, array: usize, left_out: impl Fn(&String) -> bool) -> Result<Linear, FitError> {
        match self.heads.get(array) {
            Some(head) if !self.clips.groups.iter().any(&left_out) => Ok(head.clone()),
            Some(_) | None => self.fitted(array, &left_out),
        }
    }

    fn fitted(&self, array: usize, left_out: &dyn Fn(&String) -> bool) -> Result<Linear, FitError> {
        let clips = self.clips;
        let mut weights = clips.weights(self.balance);
        for (weight, group) in weights.iter_mut().zip(&clips.groups) {
            if left_out(group) {
                *weight = 0.0;
            }
        }
        let rows = clips.arrays[array].view();
        let data = Data {
            rows: &rows,
            synthetic: &clips.synthetic,
            weights: &weights,
        };
        exact(&data, self.strength)
    }
}

/// `work` of 0..count on as many threads as there are cores; the answers in order.
fn in_parallel<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let found: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.min(count) {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    if place >= count {
                        break;
                    }
                    let answer = work(place);
                    let mut found = found
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner);
                    found.push((place, answer));
                }
            });
        }
    });
    let mut found = found
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, answer)| answer).collect()
}
