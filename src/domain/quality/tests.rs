use super::*;
use crate::domain::frame::Picture;
use proptest::prelude::*;

fn grey(width: u32, height: u32, value: impl Fn(u32, u32) -> u8) -> Picture {
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let rgb = pixels.flat_map(|(x, y)| [value(x, y); 3]).collect();
    Picture::new(width, height, rgb).unwrap()
}

/// A texture without a grid, from a hash of the place.
fn noise(x: u32, y: u32) -> u8 {
    let h = (x.wrapping_mul(0x9E37_79B1) ^ y.wrapping_mul(0x85EB_CA77)).wrapping_mul(0xC2B2_AE3D);
    u8::try_from(h >> 24).unwrap()
}

#[test]
fn measures_with_known_answers() {
    let board = Measures::of(&grey(64, 32, |x, y| if (x + y) % 2 == 0 { 0 } else { 200 }));
    assert_eq!(board.side, 32);
    assert!((board.brightness - 100.0).abs() < 1e-9);
    assert!((board.contrast - 100.0).abs() < 1e-9);
    // The Laplacian is ±4·200 at every pixel.
    assert!((board.sharpness - 800.0 * 800.0).abs() < 1e-6);
    assert!(board.flatness.abs() < 1e-9 && board.blockiness < 1e-9);

    let one_colour = Measures::of(&grey(40, 40, |_, _| 77));
    assert!((one_colour.flatness - 1.0).abs() < 1e-9);
    assert!(one_colour.sharpness.abs() < 1e-9 && one_colour.contrast.abs() < 1e-9);
    assert!(one_colour.blockiness.abs() < 1e-9);
}

#[test]
fn blocks_show_wherever_their_grid_lies() {
    for shift in 0..8 {
        let blocks = Measures::of(&grey(160, 120, |x, y| {
            noise((x + shift) / 8, (y + shift) / 8) / 16 + 100
        }));
        assert!(blocks.blockiness > 3.0, "{shift}: {blocks:?}");
    }
    let texture = Measures::of(&grey(160, 120, |x, y| noise(x, y) / 2 + 64));
    assert!(texture.blockiness < 0.1, "{texture:?}");
    let line = Measures::of(&grey(160, 120, |x, _| if x < 1 { 255 } else { 0 }));
    assert!(line.blockiness < 1.0, "{line:?}");
}

#[test]
fn a_picture_says_about_the_same_at_twice_its_size() {
    let blurred = |x: u32, y: u32| noise(x / 6, y / 6);
    let small = Measures::of(&grey(300, 200, blurred));
    let large = Measures::of(&grey(600, 400, |x, y| blurred(x / 2, y / 2)));
    assert!((small.sharpness / large.sharpness - 1.0).abs() < 0.01);
    assert!((small.flatness - large.flatness).abs() < 0.01);
}

#[test]
fn the_default_gate_refuses_what_shows_nothing() {
    let judged = |picture: &Picture| Bounds::DEFAULT_GATE.judge(&Measures::of(picture));
    let texture = |x, y| noise(x / 3, y / 3);
    assert_eq!(judged(&grey(64, 64, texture)), None);
    assert_eq!(judged(&grey(16, 16, texture)), Some(LeftOut::TooSmall));
    assert_eq!(judged(&grey(64, 64, |_, _| 0)), Some(LeftOut::TooDark));
    assert_eq!(judged(&grey(64, 64, |_, _| 255)), Some(LeftOut::TooBright));
    assert_eq!(judged(&grey(64, 64, |_, _| 90)), Some(LeftOut::LowContrast));
    assert_eq!(
        judged(&grey(64, 64, |x, y| texture(x, y) / 32)),
        Some(LeftOut::TooDark)
    );
    let ramp = |x: u32, _| u8::try_from(x * 4).unwrap();
    assert_eq!(judged(&grey(60, 60, ramp)), Some(LeftOut::Blurred));
}

#[test]
fn bounds_are_judged_in_their_order_and_include_their_value() {
    let measures = Measures::of(&grey(16, 16, |_, _| 0));
    let all = Bounds {
        max_flatness: Some(0.5),
        ..Bounds::DEFAULT_GATE
    };
    assert_eq!(all.judge(&measures), Some(LeftOut::TooSmall));
    let flat_only = Bounds {
        max_flatness: Some(0.5),
        ..Bounds::default()
    };
    assert_eq!(flat_only.judge(&measures), Some(LeftOut::Flat));
    let equal = Bounds {
        min_side: Some(16),
        min_brightness: Some(0.0),
        max_flatness: Some(1.0),
        ..Bounds::default()
    };
    assert_eq!(equal.judge(&measures), None);
}

#[test]
fn bounds_that_cannot_be_met_are_refused() {
    assert_eq!(Bounds::DEFAULT_GATE.validate(), Ok(()));
    assert_eq!(Bounds::default().validate(), Ok(()));
    let error = |bounds: Bounds| bounds.validate().unwrap_err().to_string();
    let nan = error(Bounds {
        min_contrast: Some(f64::NAN),
        ..Bounds::default()
    });
    assert!(nan.contains("min_contrast"), "{nan}");
    let large = error(Bounds {
        max_flatness: Some(1.5),
        ..Bounds::default()
    });
    assert_eq!(large, "max_flatness is 1.5, and must be in 0..=1");
    let crossed = error(Bounds {
        min_brightness: Some(200.0),
        max_brightness: Some(100.0),
        ..Bounds::default()
    });
    assert!(crossed.contains("above"), "{crossed}");
}

#[test]
fn a_reason_is_named_as_it_is_written() {
    for reason in [
        LeftOut::NoFace,
        LeftOut::FaceTooSmall,
        LeftOut::TooSmall,
        LeftOut::TooDark,
        LeftOut::TooBright,
        LeftOut::LowContrast,
        LeftOut::Blurred,
        LeftOut::Blocky,
        LeftOut::Flat,
    ] {
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.name());
        assert_eq!(reason.to_string(), reason.name());
    }
}

fn some_bounds() -> impl Strategy<Value = Bounds> {
    let bound = |high: f64| prop::option::of(0.0..=high);
    (
        prop::option::of(0u32..300),
        bound(255.0),
        bound(255.0),
        bound(127.5),
        bound(4000.0),
        bound(5.0),
        bound(1.0),
    )
        .prop_map(
            |(side, dark, bright, contrast, sharp, blocky, flat)| Bounds {
                min_side: side,
                min_brightness: dark,
                max_brightness: bright,
                min_contrast: contrast,
                min_sharpness: sharp,
                max_blockiness: blocky,
                max_flatness: flat,
            },
        )
}

proptest! {
    #[test]
    fn the_stricter_bounds_refuse_what_either_refuses(
        a in some_bounds(), b in some_bounds(), side in 1u32..300,
        brightness in 0.0f64..=255.0, sharpness in 0.0f64..4000.0, part in 0.0f64..=1.0,
    ) {
        let measures = Measures {
            side, brightness, sharpness,
            contrast: part * 127.0,
            blockiness: part * 5.0,
            flatness: part,
        };
        let either = a.judge(&measures).is_some() || b.judge(&measures).is_some();
        prop_assert_eq!(a.stricter(b).judge(&measures).is_some(), either);
        prop_assert_eq!(a.stricter(b), b.stricter(a));
    }

    #[test]
    fn any_picture_can_be_measured(width in 1u32..20, height in 1u32..20, seed in any::<u32>()) {
        let m = Measures::of(&grey(width, height, |x, y| noise(x ^ seed, y)));
        prop_assert!((0.0..=255.0).contains(&m.brightness));
        prop_assert!((0.0..=127.5).contains(&m.contrast));
        prop_assert!((0.0..=MAX_SHARPNESS).contains(&m.sharpness));
        prop_assert!((0.0..=1.0).contains(&m.flatness));
        prop_assert!(m.blockiness >= 0.0 && m.blockiness.is_finite());
    }
}
