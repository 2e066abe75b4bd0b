//! What the page draws of each model.

use super::plot::{Block, Figure, Line};
use crate::domain::metrics::{Curve, Metric, Sample, rank, reliability};
use crate::evaluation::document::{Counts, ModelMetrics};
use crate::evaluation::{Column, Results};

/// The left end of the logarithmic axis, as a decimal logarithm.
const LEAST_FPR: f64 = -3.0;

/// Points of a curve that are drawn at most.
const MAX_POINTS: usize = 600;

/// Bars of a histogram.
const BARS: usize = 20;

/// One model's scored videos, highest score first.
pub(super) struct Ranked {
    samples: Vec<Sample>,
    curve: Curve,
}

impl Ranked {
    pub(super) fn of(results: &Results, column: &Column) -> Self {
        let answers = results.videos.iter().zip(&column.outcomes);
        let mut samples: Vec<Sample> = answers
            .filter_map(|(video, outcome)| Some(Sample::new(video.synthetic, outcome.score()?)))
            .collect();
        rank(&mut samples);
        let curve = Curve::of(&samples);
        Self { samples, curve }
    }

    fn are_probabilities(&self) -> bool {
        self.samples.iter().all(|s| (0.0..=1.0).contains(&s.score))
    }
}

/// Every n-th point and the last, so that a page of 100,000 videos still opens.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let step = points.len().div_ceil(MAX_POINTS).max(1);
    let mut kept: Vec<_> = points.iter().step_by(step).copied().collect();
    kept.extend(points.last().copied());
    kept
}

/// A line of each model that has one.
fn lines(models: &[Ranked], points: impl Fn(&Ranked) -> Option<Vec<(f64, f64)>>) -> Vec<Line> {
    let line = |(color, model): (usize, &Ranked)| {
        Some(Line {
            color,
            points: thinned(&points(model)?),
            dots: false,
        })
    };
    models.iter().enumerate().filter_map(line).collect()
}

pub(super) fn roc(models: &[Ranked]) -> Figure {
    Figure {
        lines: lines(models, |model| model.curve.rates()),
        guides: vec![vec![(0.0, 0.0), (1.0, 1.0)]],
        ..Figure::unit("false positive rate", "true positive rate")
    }
}

pub(super) fn roc_log(models: &[Ranked]) -> Figure {
    let logarithmic = |model: &Ranked| {
        let rates = model.curve.rates()?;
        let place = |(fpr, tpr): (f64, f64)| (fpr.log10().max(LEAST_FPR), tpr);
        Some(rates.into_iter().map(place).collect())
    };
    let diagonal = (0..=30).map(|i| f64::from(i) / 10.0 + LEAST_FPR);
    Figure {
        x: LEAST_FPR..0.0,
        log_x: true,
        lines: lines(models, logarithmic),
        guides: vec![diagonal.map(|x| (x, 10f64.powf(x))).collect()],
        ..Figure::unit("false positive rate (logarithmic)", "true positive rate")
    }
}

pub(super) fn precision_recall(models: &[Ranked]) -> Figure {
    let turned = |model: &Ranked| {
        let points = model.curve.precision_recall()?;
        Some(points.into_iter().map(|(p, r)| (r, p)).collect())
    };
    Figure {
        lines: lines(models, turned),
        ..Figure::unit("recall", "precision")
    }
}

pub(super) fn calibration(models: &[Ranked]) -> Figure {
    let bins = |model: &Ranked| {
        if !model.are_probabilities() {
            return None;
        }
        let bins = reliability(&model.samples).into_iter();
        let filled = bins.filter(|bin| bin.weight > 0.0);
        let points: Vec<_> = filled
            .map(|bin| (bin.scores / bin.weight, bin.synthetic / bin.weight))
            .collect();
        (!points.is_empty()).then_some(points)
    };
    let mut lines = lines(models, bins);
    for line in &mut lines {
        line.dots = true;
    }
    Figure {
        lines,
        guides: vec![vec![(0.0, 0.0), (1.0, 1.0)]],
        ..Figure::unit("mean score", "share that is synthetic")
    }
}

/// Share of each class by score: real in the first colour, synthetic in the second.
pub(super) fn histogram(model: &Ranked) -> Figure {
    let scores = model.samples.iter().map(|sample| sample.score);
    let (low, high) = if model.are_probabilities() {
        (0.0, 1.0)
    } else {
        scores.fold((f64::MAX, f64::MIN), |(l, h), s| (l.min(s), h.max(s)))
    };
    let width = ((high - low) / BARS as f64).max(f64::MIN_POSITIVE);
    let mut blocks = Vec::new();
    for (color, synthetic) in [(0, false), (1, true)] {
        let of_class = model.samples.iter().filter(|s| s.synthetic == synthetic);
        let of_class: Vec<f64> = of_class.map(|s| (s.score - low) / width).collect();
        for bar in 0..BARS {
            let (from, last) = (bar as f64, bar + 1 == BARS);
            let within = |s: &&f64| **s >= from && (**s < from + 1.0 || last);
            let count = of_class.iter().filter(within).count();
            if count > 0 {
                blocks.push(Block {
                    color,
                    from: (from.mul_add(width, low), 0.0),
                    to: (
                        (from + 1.0).mul_add(width, low),
                        count as f64 / of_class.len() as f64,
                    ),
                });
            }
        }
    }
    let top = blocks.iter().map(|b| b.to.1).fold(0.1, f64::max);
    Figure {
        x: low..high.max(low + width),
        y: 0.0..top,
        blocks,
        ..Figure::unit("score", "share of its class")
    }
}

/// AUC of each slice with its interval; `None` where no slice has one.
pub(super) fn slices(model: &ModelMetrics, color: usize) -> Option<Figure> {
    let all = model.slices.iter().flat_map(|(kind, slices)| {
        let values = slices.values.iter();
        values.map(move |(name, slice)| (format!("{kind} {name}"), slice))
    });
    let rows: Vec<(String, f64, &Metric, &Counts)> = all
        .filter_map(|(name, slice)| {
            let metric = slice.metrics.get("roc_auc")?;
            Some((name, metric.value?, metric, &slice.counts))
        })
        .collect();
    let count = rows.len();
    if count == 0 {
        return None;
    }
    let mut figure = Figure {
        size: (
            420,
            70 + 34 * u32::try_from(count).unwrap_or(u32::MAX).min(100),
        ),
        y: 0.0..count as f64,
        ..Figure::unit("roc_auc", "")
    };
    for (place, (name, value, metric, counts)) in rows.iter().enumerate() {
        let bottom = (count - 1 - place) as f64;
        figure.blocks.push(Block {
            color,
            from: (0.0, bottom + 0.1),
            to: (*value, bottom + 0.5),
        });
        if let (Some(low), Some(high)) = (metric.low, metric.high) {
            figure
                .guides
                .push(vec![(low, bottom + 0.3), (high, bottom + 0.3)]);
            for end in [low, high] {
                figure
                    .guides
                    .push(vec![(end, bottom + 0.2), (end, bottom + 0.4)]);
            }
        }
        let name: String = name.chars().take(30).collect();
        let text = format!("{name}: {value:.3}, {} of {}", counts.scored, counts.total);
        figure.labels.push((0.01, bottom + 0.95, text));
    }
    Some(figure)
}

/// A video's scores over its time, with a thin line at the threshold and at each of `marks`.
pub(super) fn over_time(
    frames: &[(f64, f64)],
    (threshold, marks): (f64, &[f64]),
    color: usize,
) -> Figure {
    let last = frames.iter().map(|(time, _)| *time).fold(0.0, f64::max);
    let last = if last > 0.0 { last } else { 1.0 };
    let mut guides = vec![vec![(0.0, threshold), (last, threshold)]];
    guides.extend(marks.iter().map(|at| vec![(*at, 0.0), (*at, 1.0)]));
    Figure {
        size: (420, 160),
        x: 0.0..last,
        lines: vec![Line {
            color,
            points: frames.to_vec(),
            dots: true,
        }],
        guides: marks
            .iter()
            .map(|at| vec![(*at, 0.0), (*at, 1.0)])
            .collect(),
        ..Figure::unit("seconds", "score")
    }
}
