//! Values that can be told without a reference; `tests/it/inference` compares with Pillow.

use super::*;
use crate::inference::bundle::manifest::{
    Color, Crop, CropMode, Dtype, Layout, ResizeMode, Rounding, Size,
};
use crate::inference::bundle::task::{Encoding, Resize};

fn input(dtype: Dtype, layout: Layout, color: Color) -> Input {
    Input {
        encoding: Encoding {
            name: "x".to_owned(),
            layout,
            dtype,
            color,
            scale: 1.0,
            mean: [0.0; 3],
            std: [1.0; 3],
        },
        resize: Resize {
            rounding: Rounding::HalfEven,
            mode: ResizeMode::Stretch,
            size: Size::Two([2, 1]),
            filter: Filter::Box,
            pad: 0,
        },
        crop: None,
    }
}

fn two_pixels() -> Picture {
    Picture::new(2, 1, vec![10, 20, 30, 40, 50, 60]).unwrap()
}

fn bytes(tensor: Tensor) -> Vec<u8> {
    match tensor {
        Tensor::Uint8(array) => array.into_iter().collect(),
        other @ (Tensor::Float32(_) | Tensor::Float16(_)) => panic!("{other:?}"),
    }
}

#[test]
fn layouts_and_colours() {
    for (layout, color, want) in [
        (Layout::Nchw, Color::Rgb, [10, 40, 20, 50, 30, 60]),
        (Layout::Nhwc, Color::Rgb, [10, 20, 30, 40, 50, 60]),
        (Layout::Nchw, Color::Bgr, [30, 60, 20, 50, 10, 40]),
        (Layout::Nhwc, Color::Bgr, [30, 20, 10, 60, 50, 40]),
    ] {
        let p = Preprocessor::new(&input(Dtype::Uint8, layout, color), 1);
        assert_eq!(
            bytes(p.prepare(&two_pixels()).unwrap()),
            want,
            "{layout:?} {color:?}"
        );
    }
}

#[test]
fn values_are_normalised_a_channel() {
    let mut input = input(Dtype::Float32, Layout::Nhwc, Color::Bgr);
    input.encoding.scale = 0.1;
    input.encoding.mean = [1.0, 2.0, 3.0];
    input.encoding.std = [2.0, 4.0, 5.0];
    let p = Preprocessor::new(&input, 1);
    assert_eq!(p.shape(), [1, 1, 2, 3]);
    let Tensor::Float32(array) = p.prepare(&two_pixels()).unwrap() else {
        panic!("uint8");
    };
    let want = [1.0, 0.0, -0.4, 2.5, 0.75, 0.2];
    for (got, want) in array.iter().zip(want) {
        assert!((got - want).abs() < 1e-6, "{array:?}");
    }
}

#[test]
fn a_very_long_picture_costs_no_more_than_its_middle() {
    let mut input = input(Dtype::Uint8, Layout::Nchw, Color::Rgb);
    input.resize = Resize {
        rounding: Rounding::HalfEven,
        mode: ResizeMode::ShortestSide,
        size: Size::One(224),
        filter: Filter::Bicubic,
        pad: 0,
    };
    input.crop = Some(Crop {
        rounding: Rounding::Down,
        mode: CropMode::Center,
        size: Size::One(224),
    });
    let p = Preprocessor::new(&input, 1);
    let line = Picture::new(8192, 1, vec![99; 8192 * 3]).unwrap();
    assert!(bytes(p.prepare(&line).unwrap()).iter().all(|v| *v == 99));
}

/// Two pictures of two pixels each, in every layout with time.
#[test]
fn windows_keep_the_order_of_time() {
    let later = Picture::new(2, 1, vec![1, 2, 3, 4, 5, 6]).unwrap();
    for (layout, shape, want) in [
        (
            Layout::Ncthw,
            [1, 3, 2, 1, 2],
            [10, 40, 1, 4, 20, 50, 2, 5, 30, 60, 3, 6],
        ),
        (
            Layout::Ntchw,
            [1, 2, 3, 1, 2],
            [10, 40, 20, 50, 30, 60, 1, 4, 2, 5, 3, 6],
        ),
    ] {
        let p = Preprocessor::new(&input(Dtype::Uint8, layout, Color::Rgb), 2);
        let (first, second) = (p.pixels(&two_pixels()), p.pixels(&later));
        let tensor = p.tensor(&[&first, &second]).unwrap();
        assert_eq!(tensor.shape(), shape);
        assert_eq!(p.shape(), shape);
        assert_eq!(bytes(tensor), want, "{layout:?}");
        for wrong in [&[&first][..], &[&first, &second, &first]] {
            let error = p.tensor(wrong).unwrap_err();
            assert!(
                matches!(error, InferenceError::PictureCount { expected: 2, found } if found == wrong.len()),
                "{error}"
            );
        }
        assert!(p.prepare(&later).is_err());
    }
}

#[test]
fn pixels_of_another_size_are_refused() {
    let p = Preprocessor::new(&input(Dtype::Uint8, Layout::Nchw, Color::Rgb), 1);
    let mut larger = input(Dtype::Uint8, Layout::Nchw, Color::Rgb);
    larger.resize.size = Size::Two([2, 2]);
    let pixels = Preprocessor::new(&larger, 1).pixels(&two_pixels());
    let error = p.tensor(&[&pixels]).unwrap_err();
    assert!(error.to_string().contains("2x1"), "{error}");
}

#[test]
fn half_precision_is_rounded_once() {
    let mut input = input(Dtype::Float16, Layout::Nhwc, Color::Rgb);
    // 32 · (1 + 2⁻¹¹ + 2⁻³⁰) lies just above the middle of two halves; float32 in between would
    // put it on the middle and then down.
    input.encoding.scale = 1.0 + 0.5_f64.powi(11) + 0.5_f64.powi(30);
    let p = Preprocessor::new(&input, 1);
    let picture = Picture::new(2, 1, vec![32, 64, 128, 40, 50, 255]).unwrap();
    let Tensor::Float16(array) = p.prepare(&picture).unwrap() else {
        panic!("another type");
    };
    for (got, value) in array.iter().zip(picture.rgb()) {
        let want = f64::from(*value) * input.encoding.scale;
        let step = 2.0_f64.powf(want.log2().floor() - 10.0);
        assert!(
            (got.to_f64() - want).abs() <= step / 2.0,
            "{got} for {want}"
        );
    }
}

#[test]
fn resizing_alone_is_what_a_stretched_input_gets() {
    let picture = Picture::new(3, 2, (0..18).map(|v| v * 14).collect()).unwrap();
    let mut input = input(Dtype::Uint8, Layout::Nhwc, Color::Rgb);
    input.resize.filter = Filter::Bicubic;
    input.resize.size = Size::Two([5, 4]);
    let pixels = Preprocessor::new(&input, 1).pixels(&picture);
    assert_eq!(resize(&picture, [5, 4], Filter::Bicubic), pixels.rgb());
}
