//! The worst errors of a model: what was scored, its score over time, and how it looks.

use maud::{Markup, PreEscaped, html};

use super::figures;
use crate::evaluation::error::EvaluationError;
use crate::evaluation::outcome::{Column, Results};
use crate::evaluation::thumbnails::{Thumbnail, Thumbnails};
use crate::evaluation::worst::{Error, telling, worst};

/// A picture and the score of its frame.
struct Shown<'a> {
    picture: &'a Thumbnail,
    score: f64,
}

/// The worst errors of the model whose answers are `column`, the `number`th of the page.
pub(super) fn errors(
    number: usize,
    column: &Column,
    results: &Results,
    (threshold, thumbnails): (f64, &Thumbnails),
) -> Result<Markup, EvaluationError> {
    let mut shown = Vec::new();
    for error in worst(results, column, threshold) {
        shown.push(figure(number, &error, (threshold, thumbnails))?);
    }
    Ok(html! {
        @if !shown.is_empty() {
            h3 { "Worst errors" }
            p.quiet {
                "The real videos with the highest scores and the synthetic ones with the lowest, of those on the wrong side of "
                (threshold) ". "
                @match thumbnails {
                    Thumbnails::Absent(reason) => { (reason) }
                    Thumbnails::Made(_) => {
                        "The pictures are footage: the frames with the highest and the lowest scores, marked in the plot."
                    }
                }
            }
            div.plots { @for figure in &shown { (figure) } }
        }
    })
}

fn figure(
    number: usize,
    error: &Error<'_>,
    (threshold, thumbnails): (f64, &Thumbnails),
) -> Result<Markup, EvaluationError> {
    let (video, frames) = (error.video, error.outcome.frames());
    let (pictures, reason) = pictures(error, thumbnails);
    let marks: Vec<f64> = pictures.iter().map(|shown| shown.picture.time_s).collect();
    let plot = match frames {
        [] => None,
        frames => Some(figures::over_time(frames, (threshold, &marks), number).draw()?),
    };
    Ok(html! {
        figure.error {
            figcaption {
                code { (video.path) } br;
                (if video.synthetic { "synthetic" } else { "real" }) ", score " (format!("{:.3}", error.score))
                @if let Some(method) = &video.method { ", " (method) }
                @if let Some(source) = &video.source { ", " (source) }
            }
            @if let Some(svg) = plot { (PreEscaped(svg)) }
            @if !pictures.is_empty() {
                div.frames { @for shown in &pictures { (picture(shown)) } }
            }
            @if let Some(reason) = reason { p.quiet { small { "No thumbnails: " (reason) "." } } }
        }
    })
}

fn picture(shown: &Shown<'_>) -> Markup {
    let Thumbnail {
        time_s,
        width,
        height,
        jpeg,
    } = shown.picture;
    let text = format!("{time_s:.1} s, {:.2}", shown.score);
    html! {
        span {
            img src={ "data:image/jpeg;base64," (jpeg) } width=(width) height=(height) alt={ "Frame at " (text) };
            small { (text) }
        }
    }
}

/// The pictures of the frames that tell most, or why there are none. Of a window it is the frame
/// nearest to its begin.
fn pictures<'a>(
    error: &Error<'_>,
    thumbnails: &'a Thumbnails,
) -> (Vec<Shown<'a>>, Option<&'a str>) {
    let Thumbnails::Made(made) = thumbnails else {
        return (Vec::new(), None);
    };
    let made = match made.get(&error.place) {
        None => return (Vec::new(), Some("no score of a single frame is known")),
        Some(Err(reason)) => return (Vec::new(), Some(reason)),
        Some(Ok(made)) => made,
    };
    let mut found: Vec<Shown<'a>> = Vec::new();
    for (time_s, score) in telling(error.outcome.frames()) {
        let far = |picture: &Thumbnail| (picture.time_s - time_s).abs();
        let nearest = made.iter().min_by(|a, b| far(a).total_cmp(&far(b)));
        let is_new =
            |picture: &&Thumbnail| found.iter().all(|s| !std::ptr::eq(s.picture, *picture));
        if let Some(picture) = nearest.filter(is_new) {
            found.push(Shown { picture, score });
        }
    }
    let reason = found
        .is_empty()
        .then_some("no frame came out of the decoder");
    (found, reason)
}
