//! Faces drawn by hand; `tests/it/inference` compares with Pillow.

use std::num::NonZeroU32;

use super::*;
use crate::domain::face::Point;
use crate::inference::bundle::manifest::FaceScore;

fn section(margin: f64, align: Option<Template>) -> FaceSection {
    FaceSection {
        finder: "f".to_owned(),
        min_size: 20,
        margin,
        align,
        score: FaceScore::MaxTrack,
        min_frames: NonZeroU32::MIN,
    }
}

fn face(rect: [f64; 4], landmarks: Option<[Point; 5]>) -> Face {
    let [x, y, width, height] = rect;
    Face {
        rect: Rect {
            x,
            y,
            width,
            height,
        },
        landmarks,
        confidence: 0.9,
    }
}

/// Red is the column, green the row.
fn places(width: u32, height: u32) -> Picture {
    let byte = |v: u32| u8::try_from(v).unwrap();
    let pixels = (0..width * height).flat_map(|i| [byte(i % width), byte(i / width), 1]);
    Picture::new(width, height, pixels.collect()).unwrap()
}

fn pixel(picture: &Picture, x: u32, y: u32) -> [u8; 3] {
    let (pixels, _) = picture.rgb().as_chunks::<3>();
    pixels[(y * picture.width() + x) as usize]
}

#[test]
fn a_square_with_its_margin() {
    let cropper = Cropper::new(&section(0.25, None), [224, 224]);
    // Longer side 40, so 60 around (100, 80): 70..130, 50..110.
    let crop = cropper
        .crop(&places(200, 200), &face([85.0, 60.0, 30.0, 40.0], None))
        .unwrap();
    assert_eq!([crop.width(), crop.height()], [60, 60]);
    assert_eq!(pixel(&crop, 0, 0), [70, 50, 1]);
    assert_eq!(pixel(&crop, 59, 59), [129, 109, 1]);
}

#[test]
fn black_beyond_the_border() {
    let cropper = Cropper::new(&section(0.5, None), [224, 224]);
    // 40 around (10, 190): −10..30, 170..210 of a picture of 200.
    let crop = cropper
        .crop(&places(200, 200), &face([0.0, 180.0, 20.0, 20.0], None))
        .unwrap();
    assert_eq!([crop.width(), crop.height()], [40, 40]);
    assert_eq!(pixel(&crop, 9, 0), [0; 3]);
    assert_eq!(pixel(&crop, 10, 0), [0, 170, 1]);
    assert_eq!(pixel(&crop, 39, 29), [29, 199, 1]);
    assert_eq!(pixel(&crop, 39, 30), [0; 3]);
}

#[test]
fn edges_go_to_the_even_neighbour() {
    let cropper = Cropper::new(&section(0.0, None), [224, 224]);
    let crop = cropper
        .crop(&places(50, 50), &face([2.5, 3.5, 5.0, 5.0], None))
        .unwrap();
    // 2.5..7.5 becomes 2..8, 3.5..8.5 becomes 4..8.
    assert_eq!([crop.width(), crop.height()], [6, 4]);
    assert_eq!(pixel(&crop, 0, 0), [2, 4, 1]);
    let dot = cropper
        .crop(&places(50, 50), &face([2.6, 3.6, 0.1, 0.1], None))
        .unwrap();
    assert_eq!([dot.width(), dot.height()], [1, 1]);
}

#[test]
fn size_decides_what_is_usable() {
    let cropper = Cropper::new(&section(0.0, None), [224, 224]);
    assert!(cropper.usable(&face([0.0, 0.0, 20.0, 50.0], None)));
    assert!(!cropper.usable(&face([0.0, 0.0, 50.0, 19.9], None)));
}

#[test]
fn what_can_not_be_cut_out_is_named() {
    let aligning = Cropper::new(&section(0.0, Some(Template::Arcface)), [112, 112]);
    let picture = places(50, 50);
    let crop = |cropper: Cropper, face| cropper.crop(&picture, &face).unwrap_err();
    let rect = [10.0, 10.0, 20.0, 20.0];
    assert_eq!(crop(aligning, face(rect, None)), CropError::NoLandmarks);
    let one = Some([Point { x: 3.0, y: 3.0 }; 5]);
    assert_eq!(crop(aligning, face(rect, one)), CropError::Landmarks);
    let wide = Cropper::new(&section(1e6, None), [112, 112]);
    assert_eq!(
        crop(wide, face(rect, None)),
        CropError::TooLarge { side: 40_000_020 }
    );
    let plain = Cropper::new(&section(0.0, None), [112, 112]);
    for bad in [f64::NAN, f64::INFINITY] {
        let error = crop(plain, face([bad, 0.0, 20.0, 20.0], None));
        assert!(matches!(error, CropError::TooLarge { .. }), "{error}");
    }
}

/// A face of five coloured discs on grey, turned by `angle` and scaled; and where they are.
fn drawn(angle: f64, scale: f64) -> (Picture, [Point; 5]) {
    let landmarks = target(Template::Arcface, [112, 112], 0.0).map(|p| {
        let (x, y) = ((p.x - 56.0) * scale, (p.y - 56.0) * scale);
        Point {
            x: 300.0 + angle.cos() * x - angle.sin() * y,
            y: 300.0 + angle.sin() * x + angle.cos() * y,
        }
    });
    let colors = [
        [255, 0, 0],
        [0, 255, 0],
        [0, 0, 255],
        [255, 255, 0],
        [0, 255, 255],
    ];
    let mut rgb = Vec::new();
    for y in 0..600 {
        for x in 0..600 {
            let (x, y) = (f64::from(x) + 0.5, f64::from(y) + 0.5);
            let disc = landmarks
                .iter()
                .position(|p| (p.x - x).hypot(p.y - y) < 5.0 * scale);
            rgb.extend(disc.map_or([90; 3], |index| colors[index]));
        }
    }
    (Picture::new(600, 600, rgb).unwrap(), landmarks)
}

/// Middle of the pixels that are nearer to `color` than to the ground.
fn middle_of(picture: &Picture, color: [u8; 3]) -> Point {
    let (pixels, _) = picture.rgb().as_chunks::<3>();
    let (mut x, mut y, mut count) = (0.0, 0.0, 0.0);
    for (index, pixel) in (0_u32..).zip(pixels) {
        if pixel
            .iter()
            .zip(color)
            .all(|(a, b)| (b == 255) == (*a > 150))
        {
            x += f64::from(index % picture.width()) + 0.5;
            y += f64::from(index / picture.width()) + 0.5;
            count += 1.0;
        }
    }
    Point {
        x: x / count,
        y: y / count,
    }
}

#[test]
fn a_turned_face_comes_out_upright() {
    for (angle, scale, margin) in [
        (0.0, 1.0, 0.0),
        (0.6, 2.0, 0.0),
        (-2.0, 1.3, 0.2),
        (2.9, 4.0, 0.1),
    ] {
        let (picture, landmarks) = drawn(angle, scale);
        let cropper = Cropper::new(&section(margin, Some(Template::Arcface)), [128, 128]);
        let crop = cropper
            .crop(&picture, &face([1.0, 1.0, 9.0, 9.0], Some(landmarks)))
            .unwrap();
        assert_eq!([crop.width(), crop.height()], [128, 128]);
        let want = target(Template::Arcface, [128, 128], margin);
        let colors = [
            [255, 0, 0],
            [0, 255, 0],
            [0, 0, 255],
            [255, 255, 0],
            [0, 255, 255],
        ];
        for (color, want) in colors.into_iter().zip(want) {
            let got = middle_of(&crop, color);
            let off = (got.x - want.x).hypot(got.y - want.y);
            assert!(off < 0.5, "{angle} {scale}: {got:?} for {want:?}");
        }
    }
}
