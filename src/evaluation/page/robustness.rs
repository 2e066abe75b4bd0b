//! What compression and handling do to a model: curves over strength, and the figures.

use maud::{Markup, html};

use super::plot::{Figure, Line};
use super::{FAILURES, metric, shown};
use crate::domain::metrics::Metric;
use crate::domain::perturbation::Kind;
use crate::evaluation::document::{Document, ModelMetrics};
use crate::evaluation::error::EvaluationError;
use crate::evaluation::perturb::{ModelRobustness, Point};

/// Colours of the classes, as in the histogram.
const REAL: usize = 0;
const SYNTHETIC: usize = 1;

/// Half the width of an interval's ends.
const END: f64 = 0.06;

/// Least extent of the axis of drift, so that noise doesn't fill it.
const LEAST_DRIFT: f64 = 0.1;

/// One model's part; nothing without a sweep.
pub(super) fn section(
    model: &ModelMetrics,
    color: usize,
    document: &Document,
) -> Result<Markup, EvaluationError> {
    let (Some(robustness), Some(facts)) = (&model.robustness, &document.robustness) else {
        return Ok(html! {});
    };
    let mut plots = Vec::new();
    for kind in Kind::ALL {
        let Some(points) = robustness.kinds.get(kind.name()) else {
            continue;
        };
        let figure = areas(kind, robustness, points, color);
        plots.push(shown(&format!("{}: ROC AUC", kind.name()), &figure)?);
        let title = format!(
            "{}: change of score (blue: real, orange: synthetic)",
            kind.name()
        );
        plots.push(shown(&title, &drifts(kind, points))?);
    }
    Ok(html! {
        h3 { "Robustness" }
        p {
            "The first " (facts.seconds) " s of each video, changed and encoded again, beside the same "
            "seconds unchanged (none): ROC AUC " (metric(Some(&robustness.baseline.roc_auc))) " of "
            (robustness.baseline.reach.n) " videos. A curve has no point where the videos carry no figure."
        }
        div.plots { @for plot in &plots { (plot) } }
        (table(robustness))
    })
}

fn table(robustness: &ModelRobustness) -> Markup {
    html! {
        div.wide { table {
            tr {
                th { "kind" } th { "strength" } th { "videos" } th { "roc_auc" } th { "difference" }
                th { "drift, real" } th { "drift, synthetic" } th { "verdict flips" }
            }
            @for kind in Kind::ALL {
                @for point in robustness.kinds.get(kind.name()).into_iter().flatten() {
                    tr {
                        td { (kind.name()) } td { (point.strength) }
                        td {
                            (point.reach.n)
                            @if point.reach.inconclusive > 0 { br; small { (point.reach.inconclusive) " inconclusive" } }
                            @if point.reach.failures > 0 { br; small { (point.reach.failures) " failed" } }
                        }
                        td { (metric(Some(&point.shift.roc_auc))) }
                        td { (metric(Some(&point.shift.roc_auc_difference))) }
                        td { (metric(Some(&point.shift.score_drift_real))) }
                        td { (metric(Some(&point.shift.score_drift_synthetic))) }
                        td { (metric(Some(&point.shift.verdict_flips))) }
                    }
                }
            }
        } }
    }
}

/// Axes with a place for nothing done and one for each strength.
fn strengths(kind: Kind, points: &[Point], y_name: &'static str) -> Figure {
    let names = points.iter().map(|point| point.strength.to_string());
    Figure {
        x: -0.4..points.len() as f64 + 0.4,
        ticks: std::iter::once("none".to_owned()).chain(names).collect(),
        ..Figure::unit(kind.unit(), y_name)
    }
}

/// A line through the metrics that have a value, at these places, with their intervals.
fn draw(figure: &mut Figure, color: usize, metrics: &[(f64, Metric)]) {
    let valued = metrics.iter().filter_map(|(x, m)| Some((*x, m.value?)));
    figure.lines.push(Line {
        color,
        points: valued.collect(),
        dots: true,
    });
    for (x, metric) in metrics {
        if let (Some(low), Some(high)) = (metric.low, metric.high) {
            figure.guides.push(vec![(*x, low), (*x, high)]);
            for end in [low, high] {
                figure.guides.push(vec![(x - END, end), (x + END, end)]);
            }
        }
    }
}

fn areas(kind: Kind, robustness: &ModelRobustness, points: &[Point], color: usize) -> Figure {
    let mut figure = strengths(kind, points, "roc_auc");
    let baseline = (0.0, robustness.baseline.roc_auc);
    let places = (1_u32..).zip(points);
    let rest = places.map(|(place, point)| (f64::from(place), point.shift.roc_auc));
    let metrics: Vec<_> = std::iter::once(baseline).chain(rest).collect();
    draw(&mut figure, color, &metrics);
    figure
}

fn drifts(kind: Kind, points: &[Point]) -> Figure {
    let mut figure = strengths(kind, points, "change of score");
    // Next to each other, so that neither interval hides the other.
    let of = |metric: fn(&Point) -> Metric, aside: f64| -> Vec<(f64, Metric)> {
        let places = (1_u32..).zip(points);
        places
            .map(|(place, point)| (f64::from(place) + aside, metric(point)))
            .collect()
    };
    let real = of(|point| point.shift.score_drift_real, -END);
    let synthetic = of(|point| point.shift.score_drift_synthetic, END);
    let all = real.iter().chain(&synthetic);
    let ends = all.flat_map(|(_, m)| [m.value, m.low, m.high]).flatten();
    let extent = ends.map(f64::abs).fold(LEAST_DRIFT, f64::max) * 1.1;
    figure.y = -extent..extent;
    figure
        .guides
        .push(vec![(figure.x.start, 0.0), (figure.x.end, 0.0)]);
    draw(&mut figure, REAL, &real);
    draw(&mut figure, SYNTHETIC, &synthetic);
    figure
}

/// What could not be made or scored.
pub(super) fn failures(document: &Document) -> Markup {
    let Some(facts) = &document.robustness else {
        return html! {};
    };
    let all = facts.failures.len();
    html! {
        @if all > 0 {
            h2 { (all) " perturbed videos failed" }
            div.wide { table {
                @for failure in facts.failures.iter().take(FAILURES) {
                    tr {
                        td { code { (failure.path) } }
                        td { (failure.kind) @if let Some(strength) = &failure.strength { "=" (strength) } }
                        td { (failure.code) } td { (failure.detail) }
                    }
                }
            } }
            @if all > FAILURES { p { "The rest is in metrics.json." } }
        }
    }
}
