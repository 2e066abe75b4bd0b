//! L2 logistic regression by L-BFGS (`argmin`), as scikit-learn's `LogisticRegression` defines it.

use std::cell::RefCell;

use argmin::core::{CostFunction, Error, Executor, Gradient};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use ndarray::{Array1, ArrayView1, ArrayView2};

use super::error::FitError;

/// Pairs of steps that L-BFGS remembers.
const MEMORY: usize = 20;

/// Visits after which a fit is given up.
const MAX_VISITS: usize = 5000;

/// Visits in which the gradient has to halve; else rounding is all that is left.
const PATIENCE: usize = 150;

/// A gradient that rounding stops is good enough up to so many tolerances.
const STALLED: f64 = 1000.0;

/// A linear function of an embedding.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// A weight a dimension.
    pub weights: Vec<f64>,
    /// Added.
    pub bias: f64,
}

impl Linear {
    /// All zeros.
    pub fn zero(dim: usize) -> Self {
        Self {
            weights: vec![0.0; dim],
            bias: 0.0,
        }
    }

    /// Log-odds of an embedding of as many dimensions.
    pub fn logit(&self, row: &ArrayView1<'_, f64>) -> f64 {
        row.dot(&ArrayView1::from(&self.weights)) + self.bias
    }

    /// The sum of both: the log-odds of two heads that were trained on different sets, added, with
    /// `share` of the second. They have the same dimensions.
    #[must_use]
    pub fn plus(&self, other: &Self, share: f64) -> Self {
        let pairs = self.weights.iter().zip(&other.weights);
        Self {
            weights: pairs.map(|(a, b)| share.mul_add(*b, *a)).collect(),
            bias: share.mul_add(other.bias, self.bias),
        }
    }
}

/// Labelled embeddings with what each counts; slices and rows go by clip.
#[derive(Debug, Clone, Copy)]
pub struct Data<'a> {
    /// [clips, dimensions], rows contiguous.
    pub rows: &'a ArrayView2<'a, f64>,
    /// By clip.
    pub synthetic: &'a [bool],
    /// The sᵢ: how much each counts, ≥ 0; a clip that counts nothing is left out.
    pub weights: &'a [f64],
}

/// Mean and deviation of each dimension, by which it is standardised while it is fitted.
#[derive(Debug, Clone)]
pub struct Scale {
    mean: Array1<f64>,
    inverse: Array1<f64>,
}

impl Scale {
    /// Of `data`, each clip by its weight, as `StandardScaler` with `sample_weight`; a deviation of
    /// 0 counts as 1.
    pub fn of(data: &Data<'_>) -> Self {
        let counted = || data.rows.rows().into_iter().zip(data.weights);
        let counted = || counted().filter(|(_, weight)| **weight > 0.0);
        let total: f64 = data.weights.iter().sum();
        let mut mean = Array1::zeros(data.rows.ncols());
        for (row, weight) in counted() {
            mean.scaled_add(weight / total, &row);
        }
        let mut variance = Array1::<f64>::zeros(data.rows.ncols());
        for (row, weight) in counted() {
            for ((sum, value), mean) in variance.iter_mut().zip(row).zip(&mean) {
                *sum += weight / total * (value - mean) * (value - mean);
            }
        }
        let inverse = variance.mapv(|v| if v > 0.0 { v.sqrt().recip() } else { 1.0 });
        Self { mean, inverse }
    }

    /// That changes nothing.
    pub fn none(dim: usize) -> Self {
        Self {
            mean: Array1::zeros(dim),
            inverse: Array1::ones(dim),
        }
    }

    /// The same function of embeddings that aren't standardised.
    pub fn undo(&self, head: &Linear) -> Linear {
        let weights = &ArrayView1::from(&head.weights) * &self.inverse;
        Linear {
            bias: head.bias - weights.dot(&self.mean),
            weights: weights.to_vec(),
        }
    }
}

/// What is minimised: ½‖w‖² + `strength` · Σ sᵢ ln(1 + e^(−yᵢ zᵢ)), the bias not being punished.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// C: how much the data counts against small weights; positive.
    pub strength: f64,
    /// The fit ends where the gradient of the mean loss is no longer than this.
    pub tolerance: f64,
}

/// What is known of the loss so far.
#[derive(Default)]
struct Known {
    /// The last point, with the loss and its gradient there.
    at: Vec<f64>,
    loss: f64,
    gradient: Vec<f64>,
    /// Length of the least gradient, and where it is.
    least: Option<(f64, Vec<f64>)>,
    visits: usize,
    /// Visits when the least gradient was twice as long.
    halved_at: usize,
    half: f64,
}

/// The mean loss, which has its minimum where that of [`Terms`] has it.
struct Problem<'a, 'b> {
    data: &'b Data<'a>,
    scale: &'b Scale,
    total: f64,
    l2: f64,
    tolerance: f64,
    /// The line search asks for the gradient where it asked for the loss.
    known: &'b RefCell<Known>,
}

/// Ends the search: the end is reached, or none will be. `argmin`'s line search has no limit of its
/// own, and close to the minimum the loss has no digits left to tell one point from another.
#[derive(Debug, thiserror::Error)]
#[error("the search is over")]
struct Over;

impl Problem<'_, '_> {
    /// Reads each row once for both the loss and the gradient, and leaves the rows as they are: with
    /// tens of megabytes of them, memory is what takes the time.
    fn visit(&self, at: &[f64]) -> Result<(), Over> {
        if self.known.borrow().at == at {
            return Ok(());
        }
        let (weights, bias) = at.split_at(at.len().saturating_sub(1));
        let standard = Linear {
            weights: weights.to_vec(),
            bias: bias.iter().sum(),
        };
        let raw = self.scale.undo(&standard);
        let direction = ArrayView1::from(&raw.weights);
        let (mut loss, mut pulled) = (0.0, 0.0);
        let mut gradient = Array1::<f64>::zeros(weights.len());
        let clips = self.data.synthetic.iter().zip(self.data.weights);
        for (row, (synthetic, weight)) in self.data.rows.rows().into_iter().zip(clips) {
            if *weight <= 0.0 {
                continue;
            }
            let (sign, share) = (if *synthetic { 1.0 } else { -1.0 }, weight / self.total);
            let margin = sign * (row.dot(&direction) + raw.bias);
            loss = share.mul_add(softplus(-margin), loss);
            let pull = -sign * share / (1.0 + margin.exp());
            pulled += pull;
            gradient.scaled_add(pull, &row);
        }
        gradient.scaled_add(-pulled, &self.scale.mean);
        gradient *= &self.scale.inverse;
        let weights = ArrayView1::from(weights);
        gradient.scaled_add(self.l2, &weights);
        let mut gradient = gradient.to_vec();
        gradient.push(pulled);
        let mut known = self.known.borrow_mut();
        known.at = at.to_vec();
        known.loss = (0.5 * self.l2).mul_add(weights.dot(&weights), loss);
        known.gradient = gradient;
        known.judge(self.tolerance)
    }
}

impl Known {
    /// Whether to go on.
    fn judge(&mut self, tolerance: f64) -> Result<(), Over> {
        let length = self.gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        self.visits = self.visits.saturating_add(1);
        if self.least.as_ref().is_none_or(|(least, _)| length < *least) {
            self.least = Some((length, self.at.clone()));
        }
        if length <= self.half / 2.0 || self.visits == 1 {
            (self.half, self.halved_at) = (length, self.visits);
        }
        let stalled = self.visits.saturating_sub(self.halved_at) > PATIENCE;
        if length <= tolerance || stalled || self.visits >= MAX_VISITS || !length.is_finite() {
            return Err(Over);
        }
        Ok(())
    }
}

/// ln(1 + e^x) without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

impl CostFunction for Problem<'_, '_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, at: &Vec<f64>) -> Result<f64, Error> {
        self.visit(at)?;
        Ok(self.known.borrow().loss)
    }
}

impl Gradient for Problem<'_, '_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, at: &Vec<f64>) -> Result<Vec<f64>, Error> {
        self.visit(at)?;
        Ok(self.known.borrow().gradient.clone())
    }
}

/// The minimum of [`Terms`] for standardised embeddings, from `start`: a head for embeddings on
/// `scale`, which [`Scale::undo`] turns into one for embeddings as they are.
pub fn logistic(
    data: &Data<'_>,
    scale: &Scale,
    terms: Terms,
    start: &Linear,
) -> Result<Linear, FitError> {
    let total = data.weights.iter().sum();
    let known = RefCell::default();
    let problem = Problem {
        data,
        scale,
        total,
        l2: (terms.strength * total).recip(),
        tolerance: terms.tolerance,
        known: &known,
    };
    let mut at = start.weights.clone();
    at.push(start.bias);
    let solver = LBFGS::new(MoreThuenteLineSearch::new(), MEMORY);
    let search = Executor::new(problem, solver).configure(|state| state.param(at));
    // However it ended, the least gradient tells whether it is the end.
    let ended = search.run().map(drop);
    let (length, mut weights) = known.take().least.unwrap_or_default();
    if weights.is_empty() || length > STALLED * terms.tolerance {
        let reason = ended
            .err()
            .map_or_else(String::new, |error| format!(": {error}"));
        return Err(FitError::Solver(format!(
            "no minimum, gradient {length:e}{reason}"
        )));
    }
    let bias = weights.pop().unwrap_or_default();
    Ok(Linear { weights, bias })
}
