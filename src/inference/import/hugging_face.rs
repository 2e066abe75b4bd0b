//! `preprocessor_config.json` of Hugging Face's transformers as a bundle's `[input]`. Pure.
//!
//! Exactly or not at all: what a bundle can't say is an error that names the key.

use super::error::ImportError;
use super::families::{self, CropRule, Extra, Family, SizeRule};
use super::json::Object;
use super::numbers::{Pixels, before_crop, channels, deviations, pixels};
use super::preprocessing::{Color, Crop, Filter, Preprocessing, Resize, Rounding};

/// Keys that begin with `do_` and are read here, or change nothing for a classifier's RGB picture.
const KNOWN_STEPS: [&str; 7] = [
    "do_resize",
    "do_center_crop",
    "do_rescale",
    "do_normalize",
    "do_convert_rgb",
    "do_reduce_labels",
    "do_flip_channel_order",
];

/// From this size on, in pixels, `ConvNextImageProcessor` doesn't crop.
const CONVNEXT_WHOLE: u32 = 384;

/// The preprocessing of `processor` for a model of `config`, the folder's `config.json`.
pub(super) fn preprocessing(
    processor: &Object<'_>,
    config: &Object<'_>,
) -> Result<Preprocessing, ImportError> {
    let (class, family) = family(processor, config)?;
    refuse_other_steps(processor, family)?;
    if processor.flag("do_resize")? == Some(false) {
        return Err(processor.wrong("do_resize", "true: a bundle's input has one size"));
    }
    let filter = processor.read(
        "resample",
        "0..=5, PIL.Image.Resampling's number",
        |value| value.as_u64().and_then(Filter::from_code),
    )?;
    let filter = processor.required("resample", filter)?;
    let torchvision = class.ends_with("Fast") || is_version_5(config);
    if torchvision && filter == Filter::Lanczos {
        let expected =
            "another filter: torchvision's processors take this one or bicubic by version";
        return Err(processor.wrong("resample", expected));
    }
    let (resize, crop) = geometry(processor, family, filter)?;
    let (scale, mean, std) = values(processor, family)?;
    let flips = family.extra == Extra::MobileVit
        && processor.flag("do_flip_channel_order")?.unwrap_or(true);
    Ok(Preprocessing {
        processor: class,
        resize,
        crop,
        color: if flips { Color::Bgr } else { Color::Rgb },
        scale,
        mean,
        std,
        notes: if torchvision {
            vec![TORCHVISION.to_owned()]
        } else {
            Vec::new()
        },
    })
}

/// Told wherever a processor may have resampled with torchvision's tensor code.
const TORCHVISION: &str = "pictures are resampled as Pillow does it; this processor can also \
                           resample with torchvision, whose results are rounded differently";

/// The class that is named, or that the model's type stands for.
fn family(processor: &Object<'_>, config: &Object<'_>) -> Result<(String, Family), ImportError> {
    if processor.value("auto_map").is_some() {
        let expected = "absent: preprocessing by code of the folder's is not imported";
        return Err(processor.wrong("auto_map", expected));
    }
    for key in ["image_processor_type", "feature_extractor_type"] {
        if let Some(class) = processor.text(key)? {
            let family = families::by_class(class)
                .ok_or_else(|| processor.wrong(key, &format!("one of {}", families::known())))?;
            return Ok((class.to_owned(), family));
        }
    }
    let model_type = config.text("model_type")?.unwrap_or_default();
    let family = families::by_model_type(model_type).ok_or_else(|| {
        processor.wrong(
            "image_processor_type",
            &format!("one of {}", families::known()),
        )
    })?;
    Ok((format!("{}ImageProcessor", family.name), family))
}

/// Whether it was saved by a version whose processors resample with torchvision by default.
fn is_version_5(config: &Object<'_>) -> bool {
    let major = |text: &str| text.split('.').next()?.parse::<u32>().ok();
    config
        .value("transformers_version")
        .and_then(|version| version.as_str())
        .and_then(major)
        .is_some_and(|major| major >= 5)
}

fn refuse_other_steps(processor: &Object<'_>, family: Family) -> Result<(), ImportError> {
    for (key, _) in processor.entries() {
        let flips = key == "do_flip_channel_order" && family.extra != Extra::MobileVit;
        let known = KNOWN_STEPS.contains(&key) && !flips;
        if key.starts_with("do_") && !known && processor.flag(key)? == Some(true) {
            return Err(processor.wrong(key, "false: a bundle has no such step"));
        }
    }
    Ok(())
}

fn geometry(
    processor: &Object<'_>,
    family: Family,
    filter: Filter,
) -> Result<(Resize, Option<Crop>), ImportError> {
    let size = pixels(processor, "size")?;
    if family.extra == Extra::ConvNext {
        refuse_crop(processor)?;
        return convnext(processor, size, filter);
    }
    let resize = match (family.size, size) {
        (SizeRule::Square, Pixels::Number(edge)) => Resize::stretch([edge, edge], filter),
        (SizeRule::Shortest, Pixels::Number(edge) | Pixels::Shortest(edge)) => {
            Resize::shortest(edge, filter)
        }
        (_, Pixels::Sides(sides)) => Resize::stretch(sides, filter),
        (SizeRule::Square | SizeRule::Sides, _) => {
            return Err(processor.wrong("size", "{height, width} for this processor"));
        }
    };
    let crop = if crops(processor, family)? {
        Some(crop(processor, resize)?)
    } else if matches!(size, Pixels::Sides(_)) || family.size == SizeRule::Square {
        None
    } else {
        let expected = "{height, width} without a crop: a bundle's input has one size";
        return Err(processor.wrong("size", expected));
    };
    Ok((resize, crop))
}

fn crops(processor: &Object<'_>, family: Family) -> Result<bool, ImportError> {
    let stated = processor.flag("do_center_crop")?;
    match family.crop {
        CropRule::Never => refuse_crop(processor).map(|()| false),
        CropRule::Default(default) => Ok(stated.unwrap_or(default)),
        CropRule::Stated => processor.required("do_center_crop", stated),
    }
}

/// Slow processors of some families ignore the key, fast ones don't.
fn refuse_crop(processor: &Object<'_>) -> Result<(), ImportError> {
    if processor.flag("do_center_crop")? == Some(true) {
        let expected = "false: not every version of this processor heeds it";
        return Err(processor.wrong("do_center_crop", expected));
    }
    Ok(())
}

fn crop(processor: &Object<'_>, resize: Resize) -> Result<Crop, ImportError> {
    let size = match pixels(processor, "crop_size")? {
        Pixels::Number(side) => [side, side],
        Pixels::Sides(sides) => sides,
        Pixels::Shortest(_) => {
            return Err(processor.wrong("crop_size", "a number or {height, width}"));
        }
    };
    let least = resize.least();
    if size.iter().zip(least).any(|(crop, side)| *crop > side) {
        let expected = format!(
            "at most size, which leaves {}x{}: no bars are added",
            least[0], least[1]
        );
        return Err(processor.wrong("crop_size", &expected));
    }
    // `(side - crop) // 2`, in both kinds of processors.
    Ok(Crop::center(size, Rounding::Down))
}

/// Below 384 pixels: the shortest edge to `size / crop_pct`, then the middle; else the whole picture.
fn convnext(
    processor: &Object<'_>,
    size: Pixels,
    filter: Filter,
) -> Result<(Resize, Option<Crop>), ImportError> {
    let (Pixels::Number(edge) | Pixels::Shortest(edge)) = size else {
        return Err(processor.wrong("size", "a number or {shortest_edge} for this processor"));
    };
    if edge >= CONVNEXT_WHOLE {
        return Ok((Resize::stretch([edge, edge], filter), None));
    }
    let part = processor.number("crop_pct")?.unwrap_or(224.0 / 256.0);
    let before = before_crop(processor, "crop_pct", edge, part)?;
    let crop = Crop::center([edge, edge], Rounding::Down);
    Ok((Resize::shortest(before, filter), Some(crop)))
}

/// Scale, mean and deviation: `(pixel · scale − mean) / deviation`.
fn values(
    processor: &Object<'_>,
    family: Family,
) -> Result<(f64, [f64; 3], [f64; 3]), ImportError> {
    let rescales = processor.flag("do_rescale")?.unwrap_or(true);
    let scale = if rescales {
        processor.number("rescale_factor")?.unwrap_or(1.0 / 255.0)
    } else {
        1.0
    };
    if scale == 0.0 {
        return Err(processor.wrong("rescale_factor", "other than 0"));
    }
    let default = family.extra != Extra::MobileVit;
    let normalizes = processor.flag("do_normalize")?.unwrap_or(default);
    if normalizes && family.extra == Extra::MobileVit {
        let expected = "false: not every version of this processor heeds it";
        return Err(processor.wrong("do_normalize", expected));
    }
    let (mut mean, mut std) = ([0.0; 3], [1.0; 3]);
    if normalizes {
        mean = processor.required("image_mean", channels(processor, "image_mean")?)?;
        std = deviations(processor, "image_std")?;
    }
    if family.extra == Extra::EfficientNet {
        if rescales && processor.flag("rescale_offset")? == Some(true) {
            // pixel · scale − 1, before the mean is subtracted.
            mean = mean.map(|value| value + 1.0);
        }
        if processor.flag("include_top")?.unwrap_or(true) {
            // Divided by the deviation once more.
            let again = deviations(processor, "image_std")?;
            std = [std[0] * again[0], std[1] * again[1], std[2] * again[2]];
        }
    }
    Ok((scale, mean, std))
}
