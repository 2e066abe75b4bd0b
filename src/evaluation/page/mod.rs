//! `report.html`: one file that needs nothing else, no network either.

mod figures;
mod plot;
mod robustness;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::figures::Ranked;
use self::plot::{Figure, css_color};
use super::document::{Document, Level, ModelMetrics};
use super::error::EvaluationError;
use super::manifest::Video;
use super::outcome::{Column, Outcome, Results};
use crate::domain::metrics::{Metric, NAMES};

const STYLE: &str = include_str!("page.css");

/// Errors of each kind that are shown of a model.
const WORST: usize = 4;

/// Failures that are listed.
const FAILURES: usize = 200;

/// The page of `document`, which was made of `results`.
pub fn page(document: &Document, results: &Results) -> Result<String, EvaluationError> {
    let columns = results.columns.iter();
    let ranked: Vec<Ranked> = columns.map(|column| Ranked::of(results, column)).collect();
    let shared = [
        ("ROC", figures::roc(&ranked)),
        ("ROC at low false positive rates", figures::roc_log(&ranked)),
        ("Precision and recall", figures::precision_recall(&ranked)),
        ("Reliability", figures::calibration(&ranked)),
    ];
    let mut plots = Vec::new();
    for (title, figure) in &shared {
        plots.push(shown(title, figure)?);
    }
    let mut models = Vec::new();
    for (number, (column, ranked)) in results.columns.iter().zip(&ranked).enumerate() {
        if let Some(metrics) = document.models.get(&column.model) {
            models.push(model(number, column, metrics, ranked, results, document)?);
        }
    }
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Evaluation" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Evaluation" }
                (facts(document))
                h2 { "Videos" }
                (key(results))
                (table(document, results, |m| Some(&m.video)))
                @if document.models.values().any(|m| m.frame.is_some()) {
                    h2 { "Frames" }
                    p.quiet { "Each with its video's label; a source's frames are drawn together." }
                    (table(document, results, |m| m.frame.as_ref()))
                }
                (comparisons(document))
                h2 { "Curves" }
                (key(results))
                div.plots { @for plot in &plots { (plot) } }
                @for model in &models { (model) }
                (failures(document))
                (robustness::failures(document))
            }
        }
    };
    Ok(markup.into_string())
}

fn shown(title: &str, figure: &Figure) -> Result<Markup, EvaluationError> {
    let svg = figure.draw()?;
    Ok(html! { figure { figcaption { (title) } (PreEscaped(svg)) } })
}

/// Which colour is which model.
fn key(results: &Results) -> Markup {
    html! {
        p {
            @for (number, column) in results.columns.iter().enumerate() {
                span.key style={ "background:" (css_color(number)) } {} (column.model) " \u{2003}"
            }
        }
    }
}

fn facts(document: &Document) -> Markup {
    let (data, rules) = (&document.data, &document.rules);
    html! {
        p {
            (data.videos) " videos. " (rules.confidence * 100.0) " % intervals: " (rules.replicates)
            " draws of each " (data.clusters) " (seed " (rules.seed) "). Scores of at least "
            (rules.threshold) " are called synthetic. These are statements about this set of videos; "
            "no score says that a video is authentic."
        }
        div.wide { table {
            tr { th { "computed by" } td { (document.program) } }
            @if let Some(by) = &document.scored_by {
                tr { th { "scored by" } td { (by.program) ", ONNX Runtime " (by.onnxruntime) ", FFmpeg " (by.ffmpeg) } }
                tr { th { "plan" } td { (by.plan) } }
                tr { th { "settings" } td { code { (by.config_blake3) } } }
            }
            tr { th { "table" } td { code { (data.table_blake3) } } }
            @if let Some(hash) = &data.content_blake3 { tr { th { "videos" } td { code { (hash) } } } }
        } }
    }
}

fn table<'a>(
    document: &'a Document,
    results: &Results,
    level: impl Fn(&'a ModelMetrics) -> Option<&'a Level>,
) -> Markup {
    let models = results
        .columns
        .iter()
        .filter_map(|column| Some((&column.model, level(document.models.get(&column.model)?)?)));
    let models: Vec<_> = models.collect();
    html! {
        div.wide { table {
            tr { th {} @for (name, _) in &models { th { (name) } } }
            tr { th { "with a score" } @for (_, level) in &models { td { (coverage(level)) } } }
            @for name in NAMES {
                tr { th { (name) } @for (_, level) in &models { td { (metric(level.metrics.get(name))) } } }
            }
        } }
    }
}

fn coverage(level: &Level) -> Markup {
    let counts = &level.counts;
    html! {
        (counts.scored) " of " (counts.total) " (" (counts.real) " real, " (counts.synthetic) " synthetic)"
        @if counts.inconclusive > 0 { br; small { (counts.inconclusive) " inconclusive" } }
        @if counts.failed > 0 { br; small { (counts.failed) " failed" } }
    }
}

/// With its interval, or why there is none.
fn metric(metric: Option<&Metric>) -> Markup {
    let Some(metric) = metric else {
        return html! { "–" };
    };
    let reason = metric
        .reason
        .and_then(|reason| serde_json::to_value(reason).ok());
    let reason = reason.as_ref().and_then(|reason| reason.as_str());
    html! {
        @if let Some(value) = metric.value { (format!("{value:.3}")) " " }
        @if let (Some(low), Some(high)) = (metric.low, metric.high) {
            small { (format!("{low:.3} to {high:.3}")) }
        }
        @if let Some(reason) = reason { small { (reason.replace('_', " ")) } }
    }
}

fn comparisons(document: &Document) -> Markup {
    html! {
        @if !document.comparisons.is_empty() {
            h2 { "Differences" }
            div.wide { table {
                tr { th { "" } th { "videos" } th { "roc_auc" } th { "average_precision" } th { "eer" } }
                @for pair in &document.comparisons {
                    tr {
                        td { (pair.b) " less " (pair.a) } td { (pair.videos) }
                        @for name in ["roc_auc", "average_precision", "eer"] {
                            td { (metric(pair.difference.get(name))) }
                        }
                    }
                }
            } }
        }
    }
}

fn model(
    number: usize,
    column: &Column,
    metrics: &ModelMetrics,
    ranked: &Ranked,
    results: &Results,
    document: &Document,
) -> Result<Markup, EvaluationError> {
    let mut plots = vec![shown(
        "Scores (blue: real, orange: synthetic)",
        &figures::histogram(ranked),
    )?];
    if let Some(figure) = figures::slices(metrics, number) {
        plots.push(shown("By method and source", &figure)?);
    }
    let robustness = robustness::section(metrics, number, document)?;
    let mut errors = Vec::new();
    for (video, outcome) in worst(results, column, document.rules.threshold) {
        let plot = match outcome.frames() {
            [] => None,
            frames => Some(figures::over_time(frames, number).draw()?),
        };
        errors.push((video, outcome.score().unwrap_or_default(), plot));
    }
    Ok(html! {
        h2 { (column.model) }
        @if let Some(by) = &metrics.provenance {
            p { "Version " (by.version) ", " (by.status) ", on " (by.provider) ". Bundle " code { (by.sha256) } }
        }
        div.plots { @for plot in &plots { (plot) } }
        (robustness)
        @if !errors.is_empty() {
            h3 { "Worst errors" }
            div.plots {
                @for (video, score, plot) in &errors {
                    figure {
                        figcaption {
                            code { (video.path) } br;
                            (if video.synthetic { "synthetic" } else { "real" }) ", score " (format!("{score:.3}"))
                            @if let Some(method) = &video.method { ", " (method) }
                            @if let Some(source) = &video.source { ", " (source) }
                        }
                        @if let Some(svg) = plot { (PreEscaped(svg)) }
                    }
                }
            }
        }
    })
}

/// The real videos with the highest scores and the synthetic ones with the lowest, as far as they
/// are on the wrong side.
fn worst<'a>(
    results: &'a Results,
    column: &'a Column,
    threshold: f64,
) -> Vec<(&'a Video, &'a Outcome)> {
    let answers = results.videos.iter().zip(&column.outcomes);
    let mut wrong: Vec<(f64, &Video, &Outcome)> = answers
        .filter_map(|(video, outcome)| {
            let score = outcome.score()?;
            ((score >= threshold) != video.synthetic).then_some((score, video, outcome))
        })
        .collect();
    wrong.sort_by(|a, b| (b.0 - threshold).abs().total_cmp(&(a.0 - threshold).abs()));
    let of_class = |synthetic: bool| {
        let of_class = wrong
            .iter()
            .filter(move |(_, video, _)| video.synthetic == synthetic);
        of_class
            .take(WORST)
            .map(|(_, video, outcome)| (*video, *outcome))
    };
    of_class(false).chain(of_class(true)).collect()
}

fn failures(document: &Document) -> Markup {
    let (all, shown) = (
        document.failures.len(),
        document.failures.iter().take(FAILURES),
    );
    html! {
        @if all > 0 {
            h2 { (all) " files failed" }
            div.wide { table {
                @for failure in shown {
                    tr { td { code { (failure.path) } } td { (failure.code) } td { (failure.detail) } }
                }
            } }
            @if all > FAILURES { p { "The rest is in metrics.json." } }
        }
    }
}
