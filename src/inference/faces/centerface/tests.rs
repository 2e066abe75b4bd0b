//! Maps made by hand.

use ndarray::{Array4, ArrayD};

use super::super::decode::MAX_CANDIDATES;
use super::super::suppress::suppress;
use super::*;

/// Maps for an input of 96×64 pixels without a face: 24 columns, 16 rows.
struct Drawn {
    heat: Array4<f32>,
    scale: Array4<f32>,
    offset: Array4<f32>,
    landmarks: Array4<f32>,
}

const INPUT: [u32; 2] = [96, 64];

impl Drawn {
    fn empty() -> Self {
        let map = |channels| Array4::zeros((1, channels, 16, 24));
        Self {
            heat: map(1),
            scale: map(2),
            offset: map(2),
            landmarks: map(10),
        }
    }

    /// A face of `height`×`width` pixels at a cell, its middle in the cell's own, with the
    /// landmarks at (0.1, 0.2), (0.3, 0.4) and so on of its box, as (y, x).
    fn face(mut self, cell: [usize; 2], [height, width]: [f32; 2], confidence: f32) -> Self {
        let [row, column] = cell;
        self.heat[[0, 0, row, column]] = confidence;
        self.scale[[0, 0, row, column]] = (height / 4.0).ln();
        self.scale[[0, 1, row, column]] = (width / 4.0).ln();
        for (channel, part) in (0..10).zip(1_u8..) {
            self.landmarks[[0, channel, row, column]] = f32::from(part) / 10.0;
        }
        self
    }

    fn decoded(&self) -> Result<Vec<Face>, DecodeError> {
        let outputs: [ArrayD<f32>; 4] = [
            self.heat.clone().into_dyn(),
            self.scale.clone().into_dyn(),
            self.offset.clone().into_dyn(),
            self.landmarks.clone().into_dyn(),
        ];
        CenterFace.faces(&outputs.each_ref().map(|o| o.view()), INPUT, 0.5)
    }
}

fn near(got: f64, want: f64) -> bool {
    (got - want).abs() < 1e-4
}

fn is_rect(rect: Rect, [x, y, width, height]: [f64; 4]) -> bool {
    near(rect.x, x) && near(rect.y, y) && near(rect.width, width) && near(rect.height, height)
}

#[test]
fn one_face() {
    let mut drawn = Drawn::empty().face([8, 10], [32.0, 20.0], 0.9);
    drawn.offset[[0, 0, 8, 10]] = 0.25;
    drawn.offset[[0, 1, 8, 10]] = -0.25;
    let faces = drawn.decoded().unwrap();
    let [face] = faces.as_slice() else {
        panic!("{faces:?}");
    };
    // Middle: x (10 − 0.25 + 0.5)·4 = 41, y (8 + 0.25 + 0.5)·4 = 35.
    assert!(is_rect(face.rect, [31.0, 19.0, 20.0, 32.0]), "{face:?}");
    assert!(near(face.confidence, 0.9));
    let [left_eye, .., right_mouth] = face.landmarks.unwrap();
    assert!(near(left_eye.x, 31.0 + 0.2 * 20.0) && near(left_eye.y, 19.0 + 0.1 * 32.0));
    assert!(near(right_mouth.x, 31.0 + 20.0) && near(right_mouth.y, 19.0 + 0.9 * 32.0));
}

#[test]
fn no_face() {
    assert_eq!(Drawn::empty().decoded().unwrap(), []);
    let below = Drawn::empty().face([8, 10], [32.0, 20.0], 0.5);
    assert_eq!(below.decoded().unwrap(), []);
}

#[test]
fn two_peaks_on_one_face_become_one() {
    let drawn = Drawn::empty()
        .face([8, 10], [32.0, 32.0], 0.8)
        .face([8, 11], [32.0, 32.0], 0.9)
        .face([8, 20], [16.0, 16.0], 0.7);
    let faces = drawn.decoded().unwrap();
    assert_eq!(faces.len(), 3);
    let kept: Vec<f64> = suppress(faces, 0.3).iter().map(|f| f.confidence).collect();
    assert!(
        kept.len() == 2 && near(kept[0], 0.9) && near(kept[1], 0.7),
        "{kept:?}"
    );
}

#[test]
fn a_face_at_the_border_is_cut_and_keeps_its_landmarks() {
    let faces = Drawn::empty()
        .face([0, 23], [24.0, 24.0], 0.9)
        .decoded()
        .unwrap();
    // Middle (94, 2): 82..106 by −10..14, of which 82..96 by 0..14 is in the picture.
    assert!(is_rect(faces[0].rect, [82.0, 0.0, 14.0, 14.0]), "{faces:?}");
    let [left_eye, .., right_mouth] = faces[0].landmarks.unwrap();
    assert!(near(left_eye.x, 82.0 + 0.2 * 24.0) && near(left_eye.y, -10.0 + 0.1 * 24.0));
    assert!(near(right_mouth.x, 106.0));
}

#[test]
fn what_is_no_number_is_an_error() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let face = || Drawn::empty().face([8, 10], [32.0, 20.0], 0.9);
        let mut all = [face(), face(), face(), face()];
        // Far from any peak: a map with NaN anywhere is worth nothing.
        all[0].heat[[0, 0, 0, 0]] = bad;
        all[1].scale[[0, 1, 8, 10]] = bad;
        all[2].offset[[0, 0, 8, 10]] = bad;
        all[3].landmarks[[0, 9, 8, 10]] = bad;
        for drawn in all {
            let error = drawn.decoded().unwrap_err();
            assert!(matches!(error, DecodeError::NoNumber(_)), "{error}");
        }
    }
}

#[test]
fn absurd_sizes_are_cut_to_the_picture() {
    let mut drawn = Drawn::empty().face([8, 10], [32.0, 20.0], 0.9);
    for (map, value) in [(&mut drawn.scale, 3e38), (&mut drawn.landmarks, -3e38)] {
        map.map_inplace(|v| *v = value);
    }
    let faces = drawn.decoded().unwrap();
    assert!(is_rect(faces[0].rect, [0.0, 0.0, 96.0, 64.0]), "{faces:?}");
    for point in faces[0].landmarks.unwrap() {
        assert!(near(point.x, -96.0) && near(point.y, -64.0), "{point:?}");
    }
    let mut drawn = Drawn::empty().face([8, 10], [32.0, 20.0], 0.9);
    drawn.offset.fill(-3e38);
    assert_eq!(suppress(drawn.decoded().unwrap(), 0.3), []);
}

#[test]
fn a_map_that_is_hot_all_over_gives_a_bounded_number() {
    let input = [1280, 640];
    let map = |channels, value: f32| Array4::from_elem((1, channels, 160, 320), value).into_dyn();
    let outputs = [map(1, 0.9), map(2, 0.0), map(2, 0.0), map(10, 0.0)];
    let views = outputs.each_ref().map(|o: &ArrayD<f32>| o.view());
    let faces = CenterFace.faces(&views, input, 0.5).unwrap();
    assert_eq!(faces.len(), MAX_CANDIDATES);
    // Boxes of 4 pixels side by side: none suppresses another.
    assert_eq!(suppress(faces, 0.3).len(), MAX_CANDIDATES);
}

#[test]
fn other_outputs_are_named() {
    let map = |channels| Array4::<f32>::zeros((1, channels, 16, 24)).into_dyn();
    let wrong = [map(1), map(2), map(2), map(9)];
    let views = wrong.each_ref().map(|o: &ArrayD<f32>| o.view());
    let error = CenterFace
        .faces(&views, INPUT, 0.5)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("[1, 9, 16, 24]") && error.contains("landmarks"),
        "{error}"
    );
    assert!(CenterFace.faces(&views[..3], INPUT, 0.5).is_err());
}
