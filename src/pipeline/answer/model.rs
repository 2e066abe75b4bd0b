//! One model's part of a report.

use super::Evidence;
use super::tracks::{self, People, tenth};
use super::units::Units;
use crate::domain::calibration::Calibration;
use crate::domain::report::{
    FaceReport, FrameReport, ModelReport, NoAnswer, TrackReport, WindowReport,
};
use crate::domain::score::{Logit, Probability};
use crate::domain::segments::{Scale, ScoredFrame, segments};
use crate::inference::Model;
use crate::inference::bundle::FaceSection;
use crate::pipeline::error::AnalyzeError;
use crate::pipeline::frames::{Outcome, Place};
use crate::pipeline::views::Group;

/// How a model's outputs become scores.
pub(super) struct Said<'a> {
    pub(super) scale: Scale<'a>,
    /// Units of the plan.
    pub(super) planned: u32,
    pub(super) duration_s: f64,
    name: &'a str,
}

impl Said<'_> {
    /// A value as a probability.
    pub(super) fn calibrated(&self, raw: Logit) -> Result<Probability, AnalyzeError> {
        let calibration: &Calibration = self.scale.calibration;
        calibration
            .apply(raw)
            .map_err(|source| AnalyzeError::Calibration {
                model: self.name.to_owned(),
                source,
            })
    }
}

/// What the whole video comes to.
#[derive(Default)]
struct Answer {
    raw: Option<Logit>,
    decisive: Vec<ScoredFrame>,
    tracks: Option<Vec<TrackReport>>,
    tracks_found: Option<u32>,
    reason: Option<NoAnswer>,
}

/// The report of the request's model in `place`, which is in `group`.
pub(in crate::pipeline) fn model_report(
    place: usize,
    model: &Model,
    group: &Group,
    evidence: &Evidence<'_>,
) -> Result<ModelReport, AnalyzeError> {
    let units = Units::of(place, &group.view, evidence);
    let info = model.info();
    let said = Said {
        scale: Scale {
            aggregation: model.aggregation(),
            calibration: model.calibration(),
            thresholds: model.thresholds(),
        },
        planned: units.coverage.planned,
        duration_s: evidence.duration_s,
        name: &info.name,
    };
    let face = model.look().face().zip(group.view.cut.as_ref());
    let face = face.map(|(section, cut)| (section, cut.finder));
    let answer = match face {
        None => whole(&units, &said, evidence),
        Some(face) => of_faces(&units, face, &said, evidence)?,
    };
    let score = answer.raw.map(|raw| said.calibrated(raw)).transpose()?;
    let lists = Lists {
        units: &units,
        said: &said,
        evidence,
        finder: face.map(|(_, finder)| finder),
    };
    let (listed, windowed) = (evidence.frame_scores, units.is_windowed());
    Ok(ModelReport {
        name: info.name.clone(),
        version: info.version.clone(),
        sha256: info.sha256.clone(),
        status: info.status.name(),
        question: info.question.clone(),
        provider: info.provider.name().to_owned(),
        placement: super::placement(&info.placement),
        score,
        verdict: said.scale.thresholds.judge(score),
        reason: answer.reason,
        raw_score: answer.raw.map(Logit::probability),
        calibration: said.scale.calibration.name(),
        aggregation: said.scale.aggregation.name(),
        coverage: units.coverage,
        stopped: evidence.outputs.stopped.get(place).copied().flatten(),
        repeated: evidence
            .outputs
            .repeated
            .get(place)
            .copied()
            .unwrap_or_default(),
        left_out: units.left_out.clone(),
        segments: segments(
            &answer.decisive,
            evidence.duration_s,
            units.coverage.planned,
            &said.scale,
        ),
        tracks: answer.tracks,
        tracks_found: answer.tracks_found,
        frames: (listed && !windowed).then(|| lists.frames()),
        windows: (listed && windowed).then(|| lists.windows()),
    })
}

/// A model that looks at whole pictures: all of them decide together.
fn whole(units: &Units<'_>, said: &Said<'_>, evidence: &Evidence<'_>) -> Answer {
    if !units.coverage.is_enough() {
        return Answer {
            reason: Some(units.reason()),
            ..Answer::default()
        };
    }
    let scored = units.scored().map(|(place, logit)| {
        let [start, end] = units.span_s(place, evidence);
        ScoredFrame {
            time_s: f64::midpoint(start, end),
            logit,
        }
    });
    let decisive: Vec<ScoredFrame> = scored.collect();
    Answer {
        raw: said.scale.aggregate(&decisive),
        decisive,
        ..Answer::default()
    }
}

/// A model that looks at faces: each track is judged by itself.
fn of_faces(
    units: &Units<'_>,
    face: (&FaceSection, usize),
    said: &Said<'_>,
    evidence: &Evidence<'_>,
) -> Result<Answer, AnalyzeError> {
    let judged = tracks::judge(units, face, said, evidence)?;
    let seen_enough = units.coverage.looked_at_enough();
    let reason = if !seen_enough || judged.raw.is_none() {
        Some(if units.scored().next().is_none() {
            units.reason()
        } else if seen_enough {
            NoAnswer::ShortTracks
        } else {
            NoAnswer::LowCoverage
        })
    } else {
        None
    };
    let answered = reason.is_none();
    Ok(Answer {
        raw: judged.raw.filter(|_| answered),
        decisive: if answered {
            judged.decisive
        } else {
            Vec::new()
        },
        tracks: Some(judged.tracks),
        tracks_found: Some(judged.found),
        reason,
    })
}

/// Every input of a model, on request.
struct Lists<'a> {
    units: &'a Units<'a>,
    said: &'a Said<'a>,
    evidence: &'a Evidence<'a>,
    finder: Option<usize>,
}

impl Lists<'_> {
    /// For display, through the calibration of the video's score.
    fn shown(&self, outcome: Outcome) -> Option<Probability> {
        match outcome {
            Outcome::Scored(logit) => self.said.scale.calibration.apply(logit).ok(),
            Outcome::LeftOut(_) | Outcome::Spared | Outcome::Failed => None,
        }
    }

    fn people(&self) -> Option<&People> {
        self.finder
            .and_then(|finder| self.evidence.people.get(finder))
    }

    fn track(&self, place: Place) -> Option<u32> {
        self.people()?.track(place.frame, place.face?)
    }

    fn frames(&self) -> Vec<FrameReport> {
        let stills = self.evidence.outputs.sights.iter().filter(|s| s.still);
        let frame = |sight: &crate::pipeline::sight::Sight| {
            let here = || {
                let samples = self.units.samples.iter();
                samples.filter(|sample| sample.place.frame == sight.index)
            };
            let scores = here().filter_map(|sample| self.shown(sample.outcome));
            let of = here()
                .filter(|sample| matches!(sample.outcome, Outcome::Scored(_)))
                .find_map(|sample| sample.of);
            let times = &self.evidence.outputs.chosen.times_s;
            let faces = self.finder.map(|finder| {
                let seen = sight.faces.get(finder);
                let faces = seen.map_or(&[][..], |seen| seen.faces.as_slice());
                let of = |(place, seen): (usize, &crate::pipeline::faces::SeenFace)| {
                    let own = here().find(|sample| sample.place.face == Some(place));
                    let rect = seen.face.rect;
                    FaceReport {
                        track: self.people().and_then(|p| p.track(sight.index, place)),
                        region: [rect.x, rect.y, rect.width, rect.height].map(tenth),
                        score: own.and_then(|sample| self.shown(sample.outcome)),
                    }
                };
                faces.iter().enumerate().map(of).collect()
            });
            FrameReport {
                time_s: sight.time_s,
                score: scores.reduce(|a, b| if b > a { b } else { a }),
                score_of_s: of.and_then(|frame| times.get(frame).copied()),
                faces,
            }
        };
        stills.map(frame).collect()
    }

    fn windows(&self) -> Vec<WindowReport> {
        let samples = self.units.samples.iter();
        samples
            .map(|sample| {
                let [start_s, end_s] = self.units.span_s(sample.place, self.evidence);
                WindowReport {
                    start_s,
                    end_s,
                    track: self.track(sample.place),
                    score: self.shown(sample.outcome),
                }
            })
            .collect()
    }
}
