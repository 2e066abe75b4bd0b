//! `pretrained_cfg` of timm's `config.json` as a bundle's `[input]`. Pure.
//!
//! As `timm.data.resolve_data_config` and `create_transform` make it for evaluation: torchvision on
//! Pillow pictures, `input_size` and not `test_input_size`.

use super::error::ImportError;
use super::json::Object;
use super::numbers::{before_crop, channels, deviations};
use super::preprocessing::{Color, Crop, Filter, Preprocessing, Resize, Rounding};

/// `timm.data.constants`: `IMAGENET_DEFAULT_MEAN`, `IMAGENET_DEFAULT_STD` and `DEFAULT_CROP_PCT`.
const MEAN: [f64; 3] = [0.485, 0.456, 0.406];
const STD: [f64; 3] = [0.229, 0.224, 0.225];
const CROP_PCT: f64 = 0.875;

/// The preprocessing that `pretrained` (`pretrained_cfg`) describes.
pub(super) fn preprocessing(pretrained: &Object<'_>) -> Result<Preprocessing, ImportError> {
    let [width, height] = input_size(pretrained)?;
    let filter = pretrained.read(
        "interpolation",
        "the name of one of Pillow's filters",
        |value| Filter::from_name(value.as_str()?),
    )?;
    let filter = filter.unwrap_or(Filter::Bicubic);
    let part = pretrained.number("crop_pct")?.unwrap_or(CROP_PCT);
    let before = |side| before_crop(pretrained, "crop_pct", side, part);
    let resize = match pretrained.text("crop_mode")?.unwrap_or("center") {
        "squash" => Resize::stretch([before(width)?, before(height)?], filter),
        "center" if width == height => Resize::shortest(before(width)?, filter),
        "center" => {
            let expected = "square with crop_mode center, which rounds otherwise for other inputs";
            return Err(pretrained.wrong("input_size", expected));
        }
        _ => return Err(pretrained.wrong("crop_mode", "\"center\" or \"squash\"")),
    };
    Ok(Preprocessing {
        processor: "timm".to_owned(),
        resize,
        // torchvision's `int(round((side - crop) / 2.0))`.
        crop: Some(Crop::center([width, height], Rounding::HalfEven)),
        color: Color::Rgb,
        scale: 1.0 / 255.0,
        mean: channels(pretrained, "mean")?.unwrap_or(MEAN),
        std: match pretrained.value("std") {
            Some(_) => deviations(pretrained, "std")?,
            None => STD,
        },
        notes: Vec::new(),
    })
}

/// `[channels, height, width]` as width and height.
fn input_size(pretrained: &Object<'_>) -> Result<[u32; 2], ImportError> {
    let size = pretrained.read(
        "input_size",
        "[3, height, width] of 1..=4096 pixels",
        |value| {
            let [channels, height, width] = value.as_array()?.as_slice() else {
                return None;
            };
            let side = |value: &serde_json::Value| {
                let side = u32::try_from(value.as_u64()?).ok()?;
                (1..=4096).contains(&side).then_some(side)
            };
            (channels.as_u64() == Some(3)).then_some([side(width)?, side(height)?])
        },
    )?;
    pretrained.required("input_size", size)
}
