//! `scores.csv`, as jaga writes it and as other tools do, and `frames.csv`.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use super::error::EvaluationError;
use super::manifest::{Rows, Video, read};
use super::outcome::{Column, Outcome, Results};
use super::rows;

/// Columns of `scores.csv`. Only `path`, `label` and `score` have to be there when it is read.
pub const SCORES: [&str; 10] = [
    "path", "label", "source", "method", "model", "score", "coverage", "reason", "failure",
    "blake3",
];

/// Columns of `frames.csv`.
pub const FRAMES: [&str; 7] = [
    "path", "label", "source", "method", "model", "time_s", "score",
];

/// The model's name where the table has none.
const UNNAMED: &str = "scores";

/// Scores from a table `path,label,score[,source][,method][,model]`; an empty score is an
/// inconclusive answer, or a failure where the column `failure` has a code. A model has no answer
/// to a video that only others have: that counts as inconclusive (`missing`). Also gives the
/// BLAKE3 of the table's bytes.
pub fn read_scores(path: &Path) -> Result<(Results, String), EvaluationError> {
    let bytes = read(path)?;
    let mut rows = Rows::new(path, &bytes, &["path", "label", "score"])?;
    let mut results = Results {
        videos: Vec::new(),
        contents: Vec::new(),
        columns: Vec::new(),
    };
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut models: HashMap<String, usize> = HashMap::new();
    let mut answers: Vec<HashMap<usize, Outcome>> = Vec::new();
    while let Some(row) = rows.next()? {
        let video = row.video()?;
        let name = row.text("model").unwrap_or(UNNAMED).to_owned();
        let place = match places.get(&video.path) {
            Some(place) => *place,
            None => add(&mut results, &mut places, &video, row.text("blake3")),
        };
        if results
            .videos
            .get(place)
            .is_some_and(|v| v.synthetic != video.synthetic)
        {
            return Err(row.wrong("label", "that of the same video above"));
        }
        let column = *models.entry(name.clone()).or_insert_with(|| {
            results.columns.push(Column {
                model: name,
                provenance: None,
                outcomes: Vec::new(),
            });
            answers.push(HashMap::new());
            answers.len() - 1
        });
        let coverage = row.number("coverage")?;
        let outcome = match (row.number("score")?, row.text("failure")) {
            (Some(score), _) => Outcome::Scored {
                score,
                coverage,
                frames: Vec::new(),
            },
            (None, Some(code)) => Outcome::Failed {
                code: code.to_owned(),
                detail: row.text("reason").unwrap_or_default().to_owned(),
            },
            (None, None) => Outcome::Inconclusive {
                reason: row.text("reason").map(str::to_owned),
                coverage,
            },
        };
        if answers[column].insert(place, outcome).is_some() {
            return Err(row.twice(&video.path));
        }
    }
    if results.videos.is_empty() {
        return Err(EvaluationError::Empty {
            path: path.to_owned(),
            split: None,
        });
    }
    fill(&mut results, answers);
    Ok((results, blake3::hash(&bytes).to_hex().to_string()))
}

fn add(
    results: &mut Results,
    places: &mut HashMap<String, usize>,
    video: &Video,
    content: Option<&str>,
) -> usize {
    let place = results.videos.len();
    places.insert(video.path.clone(), place);
    results.videos.push(video.clone());
    results.contents.push(content.map(str::to_owned));
    place
}

fn fill(results: &mut Results, answers: Vec<HashMap<usize, Outcome>>) {
    let videos = results.videos.len();
    for (column, mut answers) in results.columns.iter_mut().zip(answers) {
        let missing = || Outcome::Inconclusive {
            reason: Some("missing".to_owned()),
            coverage: None,
        };
        let outcome = |place| answers.remove(&place).unwrap_or_else(missing);
        column.outcomes = (0..videos).map(outcome).collect();
    }
}

/// A number with the fewest digits that give it back, or nothing.
pub(super) fn text(number: Option<f64>) -> String {
    number.map(|n| n.to_string()).unwrap_or_default()
}

pub(super) fn label(video: &Video) -> &'static str {
    if video.synthetic { "1" } else { "0" }
}

/// Writes a line for each video and model: every file is there, whatever came of it.
pub fn write_scores(results: &Results, out: impl Write) -> Result<(), csv::Error> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(SCORES)?;
    for row in rows::scores(results) {
        writer.write_record([
            &row.video.path,
            label(row.video),
            row.video.source.as_deref().unwrap_or_default(),
            row.video.method.as_deref().unwrap_or_default(),
            row.model,
            &text(row.outcome.score()),
            &text(row.outcome.coverage()),
            row.reason().unwrap_or_default(),
            row.failure().unwrap_or_default(),
            row.content.unwrap_or_default(),
        ])?;
    }
    writer.flush()?;
    Ok(())
}

/// Writes a line for each frame, or window, that has a score.
pub fn write_frames(results: &Results, out: impl Write) -> Result<(), csv::Error> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(FRAMES)?;
    for row in rows::frames(results) {
        writer.write_record([
            &row.video.path,
            label(row.video),
            row.video.source.as_deref().unwrap_or_default(),
            row.video.method.as_deref().unwrap_or_default(),
            row.model,
            &row.time_s.to_string(),
            &row.score.to_string(),
        ])?;
    }
    writer.flush()?;
    Ok(())
}
