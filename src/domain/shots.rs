//! Shot cuts between sampled pictures, which may be seconds apart.
//!
//! A cut changes both the colours and where they lie. Motion within a shot changes the places and
//! hardly the colours, light changes the colours and hardly the places, and a pan moves the places
//! together; so the two differences are multiplied. `docs/tracks.md` has the distances observed.

use super::frame::Picture;
use super::tone::{Layout, Tone};

/// Longest side of the copy that is looked at.
const LONG_SIDE: u32 = 128;

/// Cells a side of the layout.
const CELLS: usize = 16;

/// Cells by which a layout may have moved within a shot, and the step in which that is tried.
const REACH: usize = 6;
const STEP: usize = 2;

/// Weight of the colour differences beside luma's: light changes luma, a cut mostly both.
const COLOUR: f64 = 3.0;

/// Grey levels that count as wholly other colours.
const OTHER: f64 = 100.0;

/// Brightness below which that many levels are too much to ask, and the least part of them: dark
/// pictures differ by little.
const DARK: f64 = 60.0;
const DARK_PART: f64 = 0.5;

/// What one picture looks like, in about a kilobyte.
#[derive(Debug, Clone)]
pub struct Look {
    tone: Option<Tone>,
    layout: Layout<CELLS>,
}

impl Look {
    /// From this [`Look::distance`] on there is a cut. Of 507 pairs of neighbours within shots,
    /// sampled 16 a clip, the farthest were 0.36 apart; of 934 across cuts the nearest 0.41.
    pub const CUT: f64 = 0.38;

    /// Looks at a small copy of `picture`.
    pub fn of(picture: &Picture) -> Self {
        let small = picture.shrunk(LONG_SIDE);
        Self {
            tone: Tone::of(small.rgb().as_chunks::<3>().0.iter()),
            layout: Layout::of(&small),
        }
    }

    /// How unlike both pictures are, 0..=1: the geometric mean of the distance of their colours and
    /// of their layouts.
    pub fn distance(&self, other: &Self) -> f64 {
        let tones = self.tone.as_ref().zip(other.tone.as_ref());
        let tone = tones.map_or(0.0, |(a, b)| {
            let (luma, colour) = a.distances(b);
            let brightness = a.brightness().max(b.brightness());
            let levels = OTHER * (brightness / DARK).clamp(DARK_PART, 1.0);
            ((luma + COLOUR * colour) / levels).min(1.0)
        });
        let layout = self.layout.distance_moved(&other.layout, REACH, STEP);
        (tone * layout.min(1.0)).sqrt()
    }

    /// Whether there is a cut between `before` and this picture.
    pub fn cut(&self, before: &Self) -> bool {
        self.distance(before) >= Self::CUT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(pixel: impl Fn(u32, u32) -> [u8; 3]) -> Picture {
        let places = (0..90).flat_map(|y| (0..160).map(move |x| (x, y)));
        let rgb = places.flat_map(|(x, y)| pixel(x, y)).collect();
        Picture::new(160, 90, rgb).unwrap()
    }

    fn byte(value: u32) -> u8 {
        u8::try_from(value.min(255)).unwrap()
    }

    /// Hills under a sky, `moved` pixels to the right, lighter by `light`.
    fn hills(moved: u32, light: u32) -> Picture {
        picture(|x, y| {
            let height = (x + moved) * 13 % 40 + (x + moved) / 7 % 20;
            if y < height {
                [byte(90 + light), byte(140 + light), byte(220 + light)]
            } else {
                [byte(40 + light), byte(110 + light), byte(50 + light)]
            }
        })
    }

    /// A dark room with a lamp.
    fn room() -> Picture {
        picture(|x, y| {
            let far = x.abs_diff(120) + y.abs_diff(20);
            [byte(200u32.saturating_sub(far * 2)), byte(60), byte(30)]
        })
    }

    #[test]
    fn motion_and_light_are_no_cut_and_another_scene_is() {
        let before = Look::of(&hills(0, 0));
        assert!(before.distance(&before) < 1e-6);
        for (name, after) in [
            ("pan", hills(40, 0)),
            ("light", hills(0, 30)),
            ("size", hills(0, 0).shrunk(80)),
        ] {
            let after = Look::of(&after);
            assert!(!after.cut(&before), "{name}: {}", after.distance(&before));
        }
        let other = Look::of(&room());
        assert!(other.cut(&before), "{}", other.distance(&before));
        assert!((other.distance(&before) - before.distance(&other)).abs() < 1e-9);
    }

    #[test]
    fn a_picture_of_one_pixel_has_a_look() {
        let dot = Look::of(&Picture::new(1, 1, vec![9, 9, 9]).unwrap());
        assert!(dot.distance(&Look::of(&room())) <= 1.0);
        assert!(!dot.cut(&dot));
    }
}
