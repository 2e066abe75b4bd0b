//! Values that can be told without a reference; `tests/it/inference` compares with Pillow.

use super::*;
use crate::inference::bundle::manifest::InputSection;

fn input(dtype: &str, layout: &str, color: &str, rest: &str) -> InputSection {
    toml::from_str(&format!(
        "kind = \"frame\"\nname = \"x\"\nlayout = \"{layout}\"\ndtype = \"{dtype}\"\n\
         color = \"{color}\"\nresize = {{ mode = \"stretch\", size = [2, 1], filter = \"box\" }}\n\
         {rest}"
    ))
    .unwrap()
}

fn two_pixels() -> Picture {
    Picture::new(2, 1, vec![10, 20, 30, 40, 50, 60]).unwrap()
}

fn bytes(tensor: Tensor) -> Vec<u8> {
    match tensor {
        Tensor::Uint8(array) => array.into_iter().collect(),
        Tensor::Float32(_) => panic!("float32"),
    }
}

#[test]
fn layouts_and_colours() {
    for (layout, color, want) in [
        ("NCHW", "RGB", [10, 40, 20, 50, 30, 60]),
        ("NHWC", "RGB", [10, 20, 30, 40, 50, 60]),
        ("NCHW", "BGR", [30, 60, 20, 50, 10, 40]),
        ("NHWC", "BGR", [30, 20, 10, 60, 50, 40]),
    ] {
        let p = Preprocessor::new(&input("uint8", layout, color, ""));
        assert_eq!(
            bytes(p.prepare(&two_pixels()).unwrap()),
            want,
            "{layout} {color}"
        );
    }
}

#[test]
fn values_are_normalised_a_channel() {
    let rest = "scale = 0.1\nmean = [1.0, 2.0, 3.0]\nstd = [2.0, 4.0, 5.0]";
    let p = Preprocessor::new(&input("float32", "NHWC", "BGR", rest));
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
    let text = "kind = \"frame\"\nname = \"x\"\nlayout = \"NCHW\"\ndtype = \"uint8\"\n\
        color = \"RGB\"\n\
        resize = { mode = \"shortest_side\", size = 224, filter = \"bicubic\" }\n\
        crop = { mode = \"center\", size = [224, 224] }";
    let p = Preprocessor::new(&toml::from_str(text).unwrap());
    let line = Picture::new(8192, 1, vec![99; 8192 * 3]).unwrap();
    assert!(bytes(p.prepare(&line).unwrap()).iter().all(|v| *v == 99));
}
