//! Who is who over a request's frames, and what a model says of each.

use std::collections::BTreeMap;

use super::model::Said;
use super::units::Units;
use super::{Evidence, count};
use crate::domain::report::{FaceQuality, TrackReport};
use crate::domain::score::Logit;
use crate::domain::segments::{Scale, ScoredFrame, segments};
use crate::domain::tracks::{FrameFaces, Track, join};
use crate::inference::bundle::{FaceScore, FaceSection};
use crate::pipeline::error::AnalyzeError;
use crate::pipeline::faces::SeenFace;
use crate::pipeline::frames::Outputs;

/// Tracks that a report lists for one model: those with the most frames.
const LISTED: usize = 64;

/// The faces of one finder, joined over the frames in which it looked.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct People {
    tracks: Vec<Track>,
    /// Places, among the request's sights, of the frames that were joined.
    sights: Vec<usize>,
    /// The track of a frame's face, by index of the frame and place of the face.
    of: BTreeMap<(usize, usize), u32>,
}

impl People {
    /// Of the finder in this place.
    pub(in crate::pipeline) fn of(outputs: &Outputs, finder: usize) -> Self {
        let mut frames: Vec<FrameFaces> = Vec::new();
        let (mut sights, mut before) = (Vec::new(), None);
        for (place, sight) in outputs.sights.iter().enumerate() {
            let Some(seen) = sight.faces.get(finder).filter(|seen| seen.looked) else {
                continue;
            };
            frames.push(FrameFaces {
                time_s: sight.time_s,
                cut_before: before.is_some_and(|before| sight.look.cut(before)),
                faces: seen.sighted(),
            });
            sights.push(place);
            before = Some(&sight.look);
        }
        let tracks = join(&frames);
        let mut of = BTreeMap::new();
        for track in &tracks {
            for member in &track.members {
                let sight = sights
                    .get(member.frame)
                    .and_then(|s| outputs.sights.get(*s));
                if let Some(sight) = sight {
                    of.insert((sight.index, member.face), track.id);
                }
            }
        }
        Self { tracks, sights, of }
    }

    /// The track of a frame's face.
    pub(super) fn track(&self, frame: usize, face: usize) -> Option<u32> {
        self.of.get(&(frame, face)).copied()
    }

    /// A track's faces with their times.
    fn faces<'a>(
        &'a self,
        track: &'a Track,
        finder: usize,
        outputs: &'a Outputs,
    ) -> Vec<Shown<'a>> {
        let shown = track.members.iter().filter_map(|member| {
            let sight = outputs.sights.get(*self.sights.get(member.frame)?)?;
            let face = sight.faces.get(finder)?.faces.get(member.face)?;
            Some(Shown {
                time_s: sight.time_s,
                face,
            })
        });
        shown.collect()
    }
}

/// A face of a track.
struct Shown<'a> {
    time_s: f64,
    face: &'a SeenFace,
}

/// What a model says of the faces of one finder.
pub(super) struct Judged {
    /// Of the whole video.
    pub(super) raw: Option<Logit>,
    /// The scored inputs of the track that decided; none for a mean.
    pub(super) decisive: Vec<ScoredFrame>,
    /// To be listed.
    pub(super) tracks: Vec<TrackReport>,
    /// How many there are.
    pub(super) found: u32,
}

/// One track with what a model said of it.
struct Opinion {
    raw: Option<Logit>,
    area: f64,
    counts: bool,
    inputs: Vec<ScoredFrame>,
    report: TrackReport,
}

/// Joins a model's samples by track, and the tracks to one value as its bundle says.
pub(super) fn judge(
    units: &Units<'_>,
    (section, finder): (&FaceSection, usize),
    said: &Said<'_>,
    evidence: &Evidence<'_>,
) -> Result<Judged, AnalyzeError> {
    let Some(people) = evidence.people.get(finder) else {
        return Ok(Judged {
            raw: None,
            decisive: Vec::new(),
            tracks: Vec::new(),
            found: 0,
        });
    };
    let mut by_track: BTreeMap<u32, Vec<ScoredFrame>> = BTreeMap::new();
    for (place, logit) in units.scored() {
        let track = place.face.and_then(|face| people.track(place.frame, face));
        if let Some(track) = track {
            let [start, end] = units.span_s(place, evidence);
            by_track.entry(track).or_default().push(ScoredFrame {
                time_s: f64::midpoint(start, end),
                logit,
            });
        }
    }
    let needed = needed(units, section);
    let mut opinions = Vec::with_capacity(people.tracks.len());
    for track in &people.tracks {
        let inputs = by_track.remove(&track.id).unwrap_or_default();
        let shown = people.faces(track, finder, evidence.outputs);
        opinions.push(opinion(track.id, &shown, inputs, needed, said)?);
    }
    let (raw, decisive) = joined(section.score, &opinions);
    Ok(Judged {
        raw,
        decisive,
        found: count(opinions.len()),
        tracks: listed(opinions),
    })
}

/// Scored inputs that a track needs to count: as many frames as the bundle says, or all of a
/// shorter plan; one window is enough.
fn needed(units: &Units<'_>, section: &FaceSection) -> usize {
    if units.is_windowed() {
        return 1;
    }
    let wanted = section.min_frames.get().min(units.coverage.planned.max(1));
    usize::try_from(wanted).unwrap_or(usize::MAX)
}

fn opinion(
    id: u32,
    shown: &[Shown<'_>],
    inputs: Vec<ScoredFrame>,
    needed: usize,
    said: &Said<'_>,
) -> Result<Opinion, AnalyzeError> {
    let raw = said.scale.aggregate(&inputs);
    let score = raw.map(|raw| said.calibrated(raw)).transpose()?;
    let mean = |of: &dyn Fn(&Shown<'_>) -> f64| {
        shown.iter().map(of).sum::<f64>() / shown.len().max(1) as f64
    };
    let area = mean(&|s| s.face.face.rect.area());
    let scale: &Scale<'_> = &said.scale;
    Ok(Opinion {
        raw,
        area,
        counts: !inputs.is_empty() && inputs.len() >= needed,
        report: TrackReport {
            id,
            frames: count(shown.len()),
            scored: count(inputs.len()),
            start_s: shown.first().map_or(0.0, |s| s.time_s),
            end_s: shown.last().map_or(0.0, |s| s.time_s),
            mean_box: [
                mean(&|s| s.face.face.rect.x),
                mean(&|s| s.face.face.rect.y),
                mean(&|s| s.face.face.rect.width),
                mean(&|s| s.face.face.rect.height),
            ]
            .map(tenth),
            score,
            verdict: scale.thresholds.judge(score),
            counts: !inputs.is_empty() && inputs.len() >= needed,
            quality: FaceQuality {
                confidence: thousandth(mean(&|s| s.face.face.confidence)),
                brightness: tenth(mean(&|s| s.face.measures.brightness)),
                sharpness: tenth(mean(&|s| s.face.measures.sharpness)),
                blockiness: thousandth(mean(&|s| s.face.measures.blockiness)),
            },
            segments: segments(&inputs, said.duration_s, said.planned, scale),
        },
        inputs,
    })
}

/// The video's value, and the inputs of the track that it is from.
fn joined(how: FaceScore, opinions: &[Opinion]) -> (Option<Logit>, Vec<ScoredFrame>) {
    let counting = || opinions.iter().filter(|o| o.counts && o.raw.is_some());
    let one = match how {
        FaceScore::MaxTrack => counting().reduce(|a, b| if b.raw > a.raw { b } else { a }),
        FaceScore::LargestFace => counting().reduce(|a, b| if b.area > a.area { b } else { a }),
        FaceScore::Mean => {
            let raws: Vec<f64> = counting().filter_map(|o| o.raw).map(Logit::get).collect();
            let mean = raws.iter().sum::<f64>() / raws.len() as f64;
            return (Logit::new(mean).ok(), Vec::new());
        }
    };
    one.map_or((None, Vec::new()), |o| (o.raw, o.inputs.clone()))
}

/// Those with the most frames, in order of their ids.
fn listed(opinions: Vec<Opinion>) -> Vec<TrackReport> {
    let mut tracks: Vec<TrackReport> = opinions.into_iter().map(|o| o.report).collect();
    tracks.sort_by_key(|track| (std::cmp::Reverse(track.frames), track.id));
    tracks.truncate(LISTED);
    tracks.sort_by_key(|track| track.id);
    tracks
}

/// To a tenth: a box is no better known than that.
pub(super) fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

pub(super) fn thousandth(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
