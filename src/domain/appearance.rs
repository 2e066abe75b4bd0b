//! What a face and its surroundings look like, to tell people of one shot apart where positions
//! don't. No recognition: light, hair and clothes weigh as much as the face, and the same person in
//! another shot may well be unlike.

use super::face::{Face, Rect};
use super::frame::Picture;
use super::tone::{Layout, Tone};

/// Longest side of the copies that are looked at.
const LONG_SIDE: u32 = 96;

/// Cells a side of the face's layout.
const CELLS: usize = 8;

/// Weight of the colour differences beside luma's.
const COLOUR: f64 = 3.0;

/// Grey levels that count as wholly other colours.
const OTHER: f64 = 60.0;

/// Weights of the face's colours, those around it, and the face's layout; their sum is 1.
const INNER: f64 = 0.4;
const AROUND: f64 = 0.4;
const LAYOUT: f64 = 0.2;

/// One sight of a face, in about half a kilobyte.
#[derive(Debug, Clone)]
pub struct Appearance {
    /// Colours in the middle of the box.
    inner: Option<Tone>,
    /// Colours of hair, clothes and background; `None` when the face fills the picture.
    around: Option<Tone>,
    layout: Layout<CELLS>,
}

impl Appearance {
    /// Looks at `face`, whose box is in pixels of `picture`.
    pub fn of(picture: &Picture, face: &Face) -> Self {
        let rect = face.rect;
        let surroundings = grown(rect, [0.4, 0.4, 0.4, 0.9]);
        let seen = cut(picture, surroundings);
        let core = grown(rect, [-0.2, -0.15, -0.2, -0.15]);
        Self {
            inner: Tone::of(
                seen.pixels()
                    .filter_map(|(p, x, y)| holds(core, x, y).then_some(p)),
            ),
            around: Tone::of(
                seen.pixels()
                    .filter_map(|(p, x, y)| (!holds(rect, x, y)).then_some(p)),
            ),
            layout: Layout::of(&cut(picture, rect).picture),
        }
    }

    /// How unlike both are, 0..=1. Sights of one person in a shot are mostly below 0.3, those of
    /// two people of one shot above 0.38 (`docs/tracks.md`).
    pub fn distance(&self, other: &Self) -> f64 {
        let inner = tone_distance(self.inner.as_ref(), other.inner.as_ref());
        let around = tone_distance(self.around.as_ref(), other.around.as_ref());
        let tones = match (inner, around) {
            (Some(inner), Some(around)) => INNER * inner + AROUND * around,
            // One must stand for both.
            (inner, around) => (INNER + AROUND) * inner.or(around).unwrap_or(0.0),
        };
        tones + LAYOUT * self.layout.distance(&other.layout).min(1.0)
    }
}

fn tone_distance(a: Option<&Tone>, b: Option<&Tone>) -> Option<f64> {
    let (luma, colour) = a?.distances(b?);
    Some(((luma + COLOUR * colour) / OTHER).min(1.0))
}

/// A part of a picture, maybe smaller, with the place that it was cut from.
struct Cut {
    picture: Picture,
    left: f64,
    top: f64,
    /// Pixels of the whole picture a pixel of this one.
    step_x: f64,
    step_y: f64,
}

impl Cut {
    /// Its pixels with their centres in the whole picture.
    fn pixels(&self) -> impl Iterator<Item = (&[u8; 3], f64, f64)> {
        let (pixels, _) = self.picture.rgb().as_chunks::<3>();
        let rows = pixels.chunks_exact(self.picture.width() as usize);
        rows.enumerate().flat_map(move |(y, row)| {
            let y = self.top + (y as f64 + 0.5) * self.step_y;
            let place = move |x: usize| self.left + (x as f64 + 0.5) * self.step_x;
            row.iter().enumerate().map(move |(x, p)| (p, place(x), y))
        })
    }
}

/// What of `rect` lies in the picture, shrunk to at most [`LONG_SIDE`].
fn cut(picture: &Picture, rect: Rect) -> Cut {
    let left = pixel(rect.x).min(picture.width().saturating_sub(1));
    let top = pixel(rect.y).min(picture.height().saturating_sub(1));
    let width = pixel(rect.x + rect.width).saturating_sub(left);
    let height = pixel(rect.y + rect.height).saturating_sub(top);
    let whole = picture.within(left, top, width, height);
    let small = whole.shrunk(LONG_SIDE);
    // The boxes that were averaged are of whole pixels.
    let step = |whole: u32, small: u32| f64::from(whole.checked_div(small).unwrap_or(1));
    Cut {
        left: f64::from(left),
        top: f64::from(top),
        step_x: step(whole.width(), small.width()),
        step_y: step(whole.height(), small.height()),
        picture: small,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and what is outside of the picture is left out"
)]
fn pixel(place: f64) -> u32 {
    place.round() as u32
}

/// `rect` with these parts of its sides added left, above, right and below.
fn grown(rect: Rect, [left, top, right, bottom]: [f64; 4]) -> Rect {
    Rect {
        x: rect.x - left * rect.width,
        y: rect.y - top * rect.height,
        width: rect.width * (1.0 + left + right),
        height: rect.height * (1.0 + top + bottom),
    }
}

fn holds(rect: Rect, x: f64, y: f64) -> bool {
    (rect.x..=rect.x + rect.width).contains(&x) && (rect.y..=rect.y + rect.height).contains(&y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn face(x: f64, y: f64, width: f64, height: f64) -> Face {
        Face {
            rect: Rect {
                x,
                y,
                width,
                height,
            },
            landmarks: None,
            confidence: 0.9,
        }
    }

    /// A person: skin and shirt of these colours before a grey wall, the face at (40, 30).
    fn person(skin: [u8; 3], shirt: [u8; 3], light: u8) -> Picture {
        let mut rgb = Vec::new();
        for y in 0..120u32 {
            for x in 0..120u32 {
                let in_face = (40..80).contains(&x) && (30..80).contains(&y);
                let eyes = in_face && (45..50).contains(&y) && (x / 8) % 2 == 0;
                let colour = match (eyes, in_face, y >= 85) {
                    (true, _, _) => [30, 20, 20],
                    (_, true, _) => skin,
                    (_, _, true) => shirt,
                    _ => [120, 120, 120],
                };
                rgb.extend(colour.map(|v: u8| v.saturating_add(light)));
            }
        }
        Picture::new(120, 120, rgb).unwrap()
    }

    const ANN: ([u8; 3], [u8; 3]) = ([220, 180, 160], [200, 20, 20]);
    const BEN: ([u8; 3], [u8; 3]) = ([120, 80, 60], [20, 60, 180]);

    #[test]
    fn the_same_person_is_alike_and_another_is_not() {
        let sight = |(skin, shirt), light, dx: f64| {
            Appearance::of(
                &person(skin, shirt, light),
                &face(40.0 + dx, 30.0, 40.0, 50.0),
            )
        };
        let ann = sight(ANN, 0, 0.0);
        assert!(ann.distance(&ann) < 1e-12);
        let again = ann.distance(&sight(ANN, 8, 1.0));
        let other = ann.distance(&sight(BEN, 0, 0.0));
        assert!(again < 0.3, "{again}");
        assert!(other > 0.5, "{other}");
    }

    #[test]
    fn clothes_tell_people_with_like_faces_apart() {
        let sight = |shirt| Appearance::of(&person(ANN.0, shirt, 0), &face(40.0, 30.0, 40.0, 50.0));
        assert!(sight(ANN.1).distance(&sight(BEN.1)) > 0.2);
    }

    #[test]
    fn it_is_small() {
        assert!(size_of::<Appearance>() < 1024);
    }

    #[test]
    fn a_face_that_fills_its_picture_has_nothing_around_it() {
        let picture = person(ANN.0, ANN.1, 0).within(45, 52, 30, 20);
        let full = Appearance::of(&picture, &face(0.0, 0.0, 30.0, 20.0));
        assert!(full.around.is_none() && full.inner.is_some());
        assert!(full.distance(&full) < 1e-12);
    }

    proptest! {
        #[test]
        fn any_box_can_be_looked_at(
            x in -50.0f64..200.0, y in -50.0f64..200.0, w in 0.0f64..300.0, h in 0.0f64..300.0
        ) {
            let picture = person(ANN.0, ANN.1, 0);
            let seen = Appearance::of(&picture, &face(x, y, w, h));
            let other = Appearance::of(&picture, &face(40.0, 30.0, 40.0, 50.0));
            let distance = seen.distance(&other);
            prop_assert!((0.0..=1.0 + 1e-12).contains(&distance));
            prop_assert!((distance - other.distance(&seen)).abs() < 1e-12);
        }
    }
}
