//! Pictures whose values are known at every place.

use super::super::super::bundle::manifest::Template;
use super::super::align::target;
use super::*;

/// Red is the column, green the row, blue one value: at a place (x, y) red is x − ½, green y − ½.
fn slopes(width: u32, height: u32) -> Picture {
    let byte = |v: u32| u8::try_from(v).unwrap();
    let pixels = (0..width * height).flat_map(|i| [byte(i % width), byte(i / width), 77]);
    Picture::new(width, height, pixels.collect()).unwrap()
}

/// Turned by `angle`, `scale` pixels of the source a pixel, with `middle` of the source in the
/// middle of a picture of `size`.
fn turned(angle: f64, scale: f64, middle: Point, size: f64) -> Similarity {
    let to = target(Template::Arcface, [112, 112], 0.0);
    let from = to.map(|p| {
        let (x, y) = (p.x - size / 2.0, p.y - size / 2.0);
        Point {
            x: middle.x + scale * (angle.cos() * x - angle.sin() * y),
            y: middle.y + scale * (angle.sin() * x + angle.cos() * y),
        }
    });
    Similarity::between(&to, &from).unwrap()
}

/// Largest difference of red and green from what they are at the place where a pixel looks.
fn largest_error(picture: &Picture, to_source: Similarity) -> f64 {
    let (pixels, _) = picture.rgb().as_chunks::<3>();
    let mut largest = 0.0_f64;
    for (index, pixel) in (0_u32..).zip(pixels) {
        let (x, y) = (index % picture.width(), index / picture.width());
        let at = to_source.apply(Point {
            x: f64::from(x) + 0.5,
            y: f64::from(y) + 0.5,
        });
        for (value, want) in [(pixel[0], at.x - 0.5), (pixel[1], at.y - 0.5)] {
            largest = largest.max((f64::from(value) - want).abs());
        }
        assert_eq!(pixel[2], 77);
    }
    largest
}

#[test]
fn nothing_moves_in_the_identity() {
    let source = slopes(40, 30);
    let same = turned(0.0, 1.0, Point { x: 20.0, y: 20.0 }, 40.0);
    let out = warp(&source, same, [40, 30]).unwrap();
    assert_eq!(out.rgb(), source.rgb());
}

#[test]
fn a_slope_keeps_its_values_under_any_turn_and_scale() {
    let source = slopes(250, 240);
    let middle = Point { x: 121.3, y: 118.6 };
    for (angle, scale) in [(0.0, 0.37), (0.3, 1.0), (1.2, 1.9), (-2.0, 0.9), (3.0, 1.5)] {
        let map = turned(angle, scale, middle, 48.0);
        let error = largest_error(&warp(&source, map, [48, 48]).unwrap(), map);
        // Rounded to 8 bits once.
        assert!(error <= 0.5 + 1e-9, "{angle} {scale}: {error}");
    }
}

#[test]
fn a_slope_keeps_its_values_when_it_is_scaled_down_first() {
    let source = slopes(256, 250);
    let middle = Point { x: 126.1, y: 124.7 };
    for (angle, scale) in [(0.0, 4.0), (0.4, 5.3), (2.2, 3.3), (-1.0, 2.01)] {
        let map = turned(angle, scale, middle, 30.0);
        let error = largest_error(&warp(&source, map, [30, 30]).unwrap(), map);
        // Rounded to 8 bits twice, by the resampler and here.
        assert!(error <= 1.0, "{angle} {scale}: {error}");
    }
}

#[test]
fn fine_patterns_become_grey_when_it_shrinks() {
    let rgb =
        (0..400_u32 * 400).flat_map(|i| [if (i % 400 + i / 400) % 2 == 0 { 255 } else { 0 }; 3]);
    let source = Picture::new(400, 400, rgb.collect()).unwrap();
    let map = turned(0.2, 5.0, Point { x: 200.0, y: 200.0 }, 40.0);
    let out = warp(&source, map, [40, 40]).unwrap();
    let range = |of: fn(u8, u8) -> u8, start| out.rgb().iter().fold(start, |a, b| of(a, *b));
    assert!(
        range(u8::min, 255) > 115 && range(u8::max, 0) < 140,
        "a moiré pattern"
    );
}

#[test]
fn outside_it_is_black() {
    let source = slopes(100, 100);
    for scale in [1.0, 5.0] {
        let map = turned(0.0, scale, Point { x: 0.0, y: 50.0 }, 40.0);
        let out = warp(&source, map, [40, 40]).unwrap();
        let (pixels, _) = out.rgb().as_chunks::<3>();
        let row = &pixels[20 * 40..21 * 40];
        assert!(row[..19].iter().all(|p| *p == [0; 3]), "{scale}: {row:?}");
        assert!(row[21..].iter().all(|p| p[2] == 77), "{scale}: {row:?}");
    }
    let away = turned(0.0, 5.0, Point { x: -900.0, y: 50.0 }, 40.0);
    assert!(
        warp(&source, away, [40, 40])
            .unwrap()
            .rgb()
            .iter()
            .all(|v| *v == 0)
    );
}
