//! Clips of people who are easy to find: a "person" is a square of one colour with a red middle,
//! which the tiny finder of `tests/models` takes for a face. Nothing else has much red.

use std::path::PathBuf;

use crate::media_files::{ffmpeg, made};

pub(crate) const WIDTH: u32 = 384;
pub(crate) const HEIGHT: u32 = 192;

/// Side of the box that the tiny finder draws around a red middle; colours that pass through a
/// codec can make it one more.
pub(crate) const SIDE: u32 = 32;

/// Side of a person, who is larger than that.
const BODY: u32 = 40;

/// Side of the red middle: one cell of the finder.
const MARK: u32 = 4;

/// A person in one frame; the middle is at `x`, `y`, each 2 more than a multiple of 4.
#[derive(Debug, Clone, Copy, Hash)]
pub(crate) struct Person {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) rgb: [u8; 3],
}

/// What the tiny face model scores high, and what it scores low.
pub(crate) const FAKE: [u8; 3] = [90, 120, 255];
pub(crate) const REAL: [u8; 3] = [120, 120, 20];
/// As real, and told from the other by its colour.
pub(crate) const OTHER: [u8; 3] = [30, 160, 30];

/// One frame: who is in it, and the brightness of its background, which tells shots apart.
#[derive(Debug, Clone, Hash)]
pub(crate) struct Scene {
    pub(crate) people: Vec<Person>,
    pub(crate) background: u8,
}

impl Scene {
    /// People before a grey background.
    pub(crate) fn of(people: &[(u32, u32, [u8; 3])]) -> Self {
        let person = |(x, y, rgb): &(u32, u32, [u8; 3])| Person {
            x: *x,
            y: *y,
            rgb: *rgb,
        };
        Self {
            people: people.iter().map(person).collect(),
            background: 100,
        }
    }
}

/// A clip of these frames at 25 frames a second, each a keyframe, without loss.
pub(crate) fn clip(name: &str, frames: &[Scene]) -> PathBuf {
    sized(name, frames, (WIDTH, HEIGHT), 0)
}

/// The same of another size, between black bars of `bar` pixels above and below.
pub(crate) fn sized(name: &str, frames: &[Scene], size: (u32, u32), bar: u32) -> PathBuf {
    made(name, "mkv", &(frames, size, bar, 4), |path| {
        let pictures: Vec<u8> = frames
            .iter()
            .flat_map(|scene| draw(scene, size, bar))
            .collect();
        let sides = format!("{}x{}", size.0, size.1 + 2 * bar);
        let arguments = [
            "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", &sides, "-r", "25", "-i", "-", "-c:v",
            "libx264", "-qp", "0", "-g", "1", "-pix_fmt", "yuv444p",
        ];
        ffmpeg(&arguments, &pictures, path);
    })
}

fn draw(scene: &Scene, (width, height): (u32, u32), bar: u32) -> Vec<u8> {
    let pixels = (0..height + 2 * bar).flat_map(|y| (0..width).map(move |x| (x, y)));
    let shown = |y: u32| (bar..height + bar).contains(&y);
    pixels
        .flat_map(|(x, y)| {
            if shown(y) {
                color(scene, x, y - bar)
            } else {
                [0; 3]
            }
        })
        .collect()
}

fn color(scene: &Scene, x: u32, y: u32) -> [u8; 3] {
    let within = |person: &Person, side: u32| {
        let inside = |at: u32, middle: u32| at + side / 2 >= middle && at < middle + side / 2;
        inside(x, person.x) && inside(y, person.y)
    };
    match scene.people.iter().find(|person| within(person, BODY)) {
        Some(person) if within(person, MARK) => [255, u8::try_from(SIDE).unwrap(), 0],
        Some(person) => person.rgb,
        // Some texture, so that the picture is none of one colour.
        None => {
            let value = scene.background + u8::try_from((x / 8 + y / 8) % 4 * 12).unwrap();
            [60, value, value]
        }
    }
}
