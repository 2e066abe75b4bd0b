//! The faces of one frame: found once for each finder, cut out once for each way of cutting.

use std::sync::Arc;
use std::time::Instant;

use super::error::AnalyzeError;
use super::sight::{Part, Terms};
use super::spent::Spent;
use super::views::{Cut, Group, Role};
use crate::domain::appearance::Appearance;
use crate::domain::face::{Face, Point, Rect};
use crate::domain::frame::Picture;
use crate::domain::lanes::Lane;
use crate::domain::letterbox::Bars;
use crate::domain::quality::{LeftOut, Measures};
use crate::domain::tracks::Sighted;
use crate::inference::preprocess::shrunk;
use crate::inference::{Finder, InferenceError};

/// What one finder saw in one frame.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// False for a frame that it was not asked about.
    pub(super) looked: bool,
    /// The largest first, at most as many as are allowed.
    pub(super) faces: Vec<SeenFace>,
    /// Smaller faces beyond that number.
    pub(super) over_limit: u32,
}

impl Seen {
    /// The faces as the joining of tracks takes them.
    pub(super) fn sighted(&self) -> Vec<Sighted> {
        let faces = self.faces.iter();
        faces
            .map(|seen| Sighted {
                face: seen.face,
                appearance: seen.appearance.clone(),
            })
            .collect()
    }
}

/// One face of one frame.
#[derive(Debug)]
pub(super) struct SeenFace {
    /// In pixels of the decoded frame.
    pub(super) face: Face,
    /// For telling people apart.
    pub(super) appearance: Appearance,
    /// Of what is in its box.
    pub(super) measures: Measures,
}

/// Faces by finder, and what the groups get of them.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) seen: Vec<Seen>,
    pub(super) parts: Vec<Part>,
    pub(super) spent: Spent,
}

/// Finds and cuts the faces that a frame's role asks for. `bars` were cut off `picture`.
pub(super) async fn find(
    picture: Arc<Picture>,
    bars: Bars,
    role: &Role,
    terms: &Terms,
) -> Result<Found, AnalyzeError> {
    let finders = &terms.views.finders;
    let mut found = Found {
        seen: finders.iter().map(|_| Seen::default()).collect(),
        ..Found::default()
    };
    let wanted = terms.views.finders_for(role);
    if wanted.is_empty() {
        return Ok(found);
    }
    let begin = Instant::now();
    let longest = terms.config.faces.max_side;
    let scaled = tokio::task::spawn_blocking(move || Scaled::of(&picture, longest, bars)).await?;
    let scaled = Arc::new(scaled);
    found.spent.preprocess = begin.elapsed();
    for (place, finder) in finders.iter().enumerate() {
        if !wanted.contains(&place) {
            continue;
        }
        let cutter = Cutter {
            scaled: Arc::clone(&scaled),
            finder: place,
            role: role.clone(),
            terms: terms.clone(),
        };
        let begin = Instant::now();
        let faces = look(finder, &scaled, terms.lane).await?;
        found.spent.faces = found.spent.faces.saturating_add(begin.elapsed());
        let begin = Instant::now();
        let cut = move || match faces {
            Some(faces) => cutter.cut(&faces),
            None => cutter.failed(),
        };
        let (seen, parts) = tokio::task::spawn_blocking(cut).await?;
        if let Some(slot) = found.seen.get_mut(place) {
            *slot = seen;
        }
        found.parts.extend(parts);
        found.spent.preprocess = found.spent.preprocess.saturating_add(begin.elapsed());
    }
    Ok(found)
}

/// The parts of a frame in which no faces are looked for.
pub(super) fn nowhere(role: &Role, terms: &Terms, reason: LeftOut) -> Vec<Part> {
    let groups = terms.views.groups.iter().enumerate();
    groups
        .filter(|(_, group)| group.view.cut.is_some() && role.wants(&group.view))
        .map(|(place, group)| Part::none(place, group, reason))
        .collect()
}

/// The finder's faces in `scaled`; none where it has no usable answer, which fails the frame. Any
/// other fault is the server's and fails the request.
async fn look(
    finder: &Arc<Finder>,
    scaled: &Arc<Scaled>,
    lane: Lane,
) -> Result<Option<Vec<Face>>, AnalyzeError> {
    let (own, picture) = (Arc::clone(finder), Arc::clone(scaled));
    let input = tokio::task::spawn_blocking(move || own.prepare(&picture.picture)).await??;
    match finder.find(input, lane).await {
        Ok(found) => Ok(Some(found.faces)),
        Err(error @ InferenceError::NoScore { .. }) => {
            tracing::warn!(%error, "no faces looked for in a frame");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// A picture in which faces are looked for and from which they are cut, and the way back to the
/// decoded frame.
struct Scaled {
    picture: Picture,
    scale: [f64; 2],
    origin: Point,
}

impl Scaled {
    fn of(picture: &Picture, longest: u32, bars: Bars) -> Self {
        let small = shrunk(picture, longest);
        let factor = |whole: u32, part: u32| f64::from(whole) / f64::from(part.max(1));
        Self {
            scale: [
                factor(picture.width(), small.width()),
                factor(picture.height(), small.height()),
            ],
            origin: Point {
                x: f64::from(bars.left),
                y: f64::from(bars.top),
            },
            picture: small.into_owned(),
        }
    }

    fn point(&self, point: Point) -> Point {
        let [x, y] = self.scale;
        Point {
            x: point.x * x + self.origin.x,
            y: point.y * y + self.origin.y,
        }
    }

    /// The same face in the decoded frame.
    fn in_frame(&self, face: &Face) -> Face {
        let [width, height] = self.scale;
        let corner = self.point(Point {
            x: face.rect.x,
            y: face.rect.y,
        });
        Face {
            rect: Rect {
                x: corner.x,
                y: corner.y,
                width: face.rect.width * width,
                height: face.rect.height * height,
            },
            landmarks: face.landmarks.map(|points| points.map(|p| self.point(p))),
            confidence: face.confidence,
        }
    }
}

/// Cuts one finder's faces out of one frame.
struct Cutter {
    scaled: Arc<Scaled>,
    finder: usize,
    role: Role,
    terms: Terms,
}

impl Cutter {
    /// What was seen, and every group's parts. Computes.
    fn cut(&self, faces: &[Face]) -> (Seen, Vec<Part>) {
        let limit = self.terms.config.faces.max_per_frame;
        let (kept, over) = faces.split_at(faces.len().min(limit));
        let measures: Vec<Measures> = kept.iter().map(|face| self.measure(face)).collect();
        let parts = self.groups().flat_map(|(place, group, cut)| {
            let of = |(index, face): (usize, &Face)| {
                let part = self.part((place, group, cut), face, measures.get(index)?);
                Some(Part {
                    face: Some(index),
                    ..part
                })
            };
            let mut parts: Vec<Part> = kept.iter().enumerate().filter_map(of).collect();
            if parts.is_empty() {
                parts.push(Part::none(place, group, LeftOut::NoFace));
            }
            parts
        });
        let parts = parts.collect();
        let faces = kept.iter().zip(measures).map(|(face, measures)| SeenFace {
            face: self.scaled.in_frame(face),
            appearance: Appearance::of(&self.scaled.picture, face),
            measures,
        });
        let seen = Seen {
            looked: true,
            faces: faces.collect(),
            over_limit: u32::try_from(over.len()).unwrap_or(u32::MAX),
        };
        (seen, parts)
    }

    /// The same for a frame in which the finder has no answer.
    fn failed(&self) -> (Seen, Vec<Part>) {
        let parts = self
            .groups()
            .map(|(place, group, _)| Part::failed(place, group));
        (Seen::default(), parts.collect())
    }

    fn groups(&self) -> impl Iterator<Item = (usize, &Group, &Cut)> {
        let groups = self.terms.views.groups.iter().enumerate();
        groups.filter_map(|(place, group)| {
            let cut = group.view.cut.as_ref()?;
            (cut.finder == self.finder && self.role.wants(&group.view))
                .then_some((place, group, cut))
        })
    }

    /// Of what is in the face's box.
    fn measure(&self, face: &Face) -> Measures {
        let picture = &self.scaled.picture;
        let [left, top, right, bottom] = pixels(face.rect, [picture.width(), picture.height()]);
        let (width, height) = (right.saturating_sub(left), bottom.saturating_sub(top));
        Measures::of(&picture.within(left, top, width, height))
    }

    fn part(
        &self,
        (place, group, cut): (usize, &Group, &Cut),
        face: &Face,
        measures: &Measures,
    ) -> Part {
        if !cut.cropper.usable(face) {
            return Part::none(place, group, LeftOut::FaceTooSmall);
        }
        let left_out = self.terms.left_out(group, measures, None);
        let asked = left_out.iter().any(Option::is_none);
        let pixels = || match cut.cropper.crop(&self.scaled.picture, face) {
            Ok(picture) => Some(group.backbone.preprocessor().pixels(&picture)),
            Err(error) => {
                tracing::warn!(%error, "face not cut out");
                None
            }
        };
        Part {
            group: place,
            face: None,
            pixels: if asked { pixels() } else { None },
            left_out,
        }
    }
}

/// The whole pixels that a box touches: left, top, right, bottom, within a picture of `sides`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the picture before"
)]
fn pixels(rect: Rect, sides: [u32; 2]) -> [u32; 4] {
    let [width, height] = sides.map(f64::from);
    let pixel = |value: f64, side: f64| value.clamp(0.0, side) as u32;
    [
        pixel(rect.x.floor(), width),
        pixel(rect.y.floor(), height),
        pixel((rect.x + rect.width).ceil(), width),
        pixel((rect.y + rect.height).ceil(), height),
    ]
}
