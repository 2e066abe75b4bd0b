//! `report.html`: one file that needs nothing else, no network either.

mod errors;
mod figures;
mod plot;
mod robustness;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::figures::Ranked;
use self::plot::{Figure, css_color};
use super::document::{Counts, Document, Level, ModelMetrics};
use super::error::EvaluationError;
use super::outcome::{Column, Results};
use super::thumbnails::Thumbnails;
use crate::domain::metrics::{Metric, NAMES};

const STYLE: &str = include_str!("page.css");

/// What the table of slices shows.
const OF_SLICES: [&str; 4] = ["roc_auc", "average_precision", "eer", "recall"];

/// Failures that are listed.
const FAILURES: usize = 200;

/// What a browser may load for the page: nothing but what is in it.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/// The page of `document`, which was made of `results`.
pub fn page(
    document: &Document,
    results: &Results,
    thumbnails: &Thumbnails,
) -> Result<String, EvaluationError> {
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
            let threshold = document.rules.threshold;
            let errors = errors::errors(number, column, results, (threshold, thumbnails))?;
            let robustness = robustness::section(metrics, number, document)?;
            let after = html! { (robustness) (errors) };
            models.push(model(number, column, metrics, ranked, &after)?);
        }
    }
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
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
            tr { th { "with a score" } @for (_, level) in &models { td { (coverage(&level.counts)) } } }
            @for name in NAMES {
                tr { th { (name) } @for (_, level) in &models { td { (metric(level.metrics.get(name))) } } }
            }
        } }
    }
}

fn coverage(counts: &Counts) -> Markup {
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
    after: &Markup,
) -> Result<Markup, EvaluationError> {
    let mut plots = vec![shown(
        "Scores (blue: real, orange: synthetic)",
        &figures::histogram(ranked),
    )?];
    if let Some(figure) = figures::slices(metrics, number) {
        let title = "roc_auc by method and source, and videos with a score";
        plots.push(shown(title, &figure)?);
    }
    Ok(html! {
        h2 { (column.model) }
        @if let Some(by) = &metrics.provenance {
            p { "Version " (by.version) ", " (by.status) ", on " (by.provider) ". Bundle " code { (by.sha256) } }
        }
        div.plots { @for plot in &plots { (plot) } }
        (slices(metrics))
        (after)
    })
}

/// Every slice, those without a number too.
fn slices(metrics: &ModelMetrics) -> Markup {
    let of_kinds = || {
        metrics
            .slices
            .iter()
            .filter(|(_, of)| !of.values.is_empty())
    };
    html! {
        @if of_kinds().next().is_some() {
            details {
                summary { "All slices" }
                div.wide { table {
                    tr { th {} th { "with a score" } @for name in OF_SLICES { th { (name) } } th { "against" } }
                    @for (kind, of) in of_kinds() {
                        @for (name, slice) in &of.values {
                            tr {
                                td { (kind) " " (name) }
                                td { (coverage(&slice.counts)) }
                                @for name in OF_SLICES { td { (metric(slice.metrics.get(name))) } }
                                td { (slice.against.unwrap_or_default().replace('_', " ")) }
                            }
                        }
                        @if of.left_out > 0 {
                            tr { td { (of.left_out) " more by " (kind) } td { "left out" } }
                        }
                    }
                } }
            }
        }
    }
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
