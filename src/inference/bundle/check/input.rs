//! `[input]`: of fixed size for a scorer, of any size for a finder.

use super::super::manifest::{
    Crop, Dtype, Filter, InputKind, InputSection, Layout, ResizeMode, Size,
};
use super::super::task::{Encoding, Input, Resize};
use super::{Refusal, wrong};

/// Largest side of a model's input, in pixels.
const MAX_SIDE: u32 = 4096;

/// A scorer's input.
pub(super) fn fixed(section: &InputSection) -> Result<Input, Refusal> {
    let encoding = encoding(section)?;
    let expected: &[Layout] = match section.kind {
        InputKind::Window => &[Layout::Ncthw, Layout::Ntchw],
        InputKind::Frame | InputKind::Face | InputKind::Finder => &[Layout::Nchw, Layout::Nhwc],
    };
    layout(section, expected)?;
    let resize = section.resize;
    let Some(mode) = resize.mode else {
        let expected = "shortest_side, stretch or letterbox";
        return wrong("input.resize.mode", expected, "absent");
    };
    let Some(size) = resize.size else {
        return wrong("input.resize.size", "given", "absent");
    };
    if mode != ResizeMode::ShortestSide && resize.rounding.is_some() {
        let expected = "absent unless mode is shortest_side";
        return wrong("input.resize.rounding", expected, "given");
    }
    let resize = Resize {
        mode,
        size,
        filter: resize.filter,
        rounding: resize.rounding.unwrap_or_default(),
        pad: resize.pad.unwrap_or_default(),
    };
    geometry(resize, section.crop)?;
    Ok(Input {
        encoding,
        resize,
        crop: section.crop,
    })
}

/// A finder's input, whose size follows the picture's, and the filter that scales large ones down.
pub(super) fn open(section: &InputSection) -> Result<(Encoding, Filter), Refusal> {
    let encoding = encoding(section)?;
    layout(section, &[Layout::Nchw])?;
    if section.dtype != Dtype::Float32 {
        let found = format!("{:?}", section.dtype).to_lowercase();
        return wrong("input.dtype", "float32 for a finder", found);
    }
    let absent = "absent for a finder, whose input has no fixed size";
    for (key, given) in [
        ("input.resize.mode", section.resize.mode.is_some()),
        ("input.resize.size", section.resize.size.is_some()),
        ("input.resize.rounding", section.resize.rounding.is_some()),
        ("input.resize.pad", section.resize.pad.is_some()),
        ("input.crop", section.crop.is_some()),
    ] {
        if given {
            return wrong(key, absent, "given");
        }
    }
    Ok((encoding, section.resize.filter))
}

fn layout(section: &InputSection, expected: &[Layout]) -> Result<(), Refusal> {
    if expected.contains(&section.layout) {
        return Ok(());
    }
    let name = |layout: &Layout| format!("{layout:?}").to_uppercase();
    let names: Vec<String> = expected.iter().map(name).collect();
    let kind = section.kind.name();
    wrong(
        "input.layout",
        format!("{} with input.kind {kind:?}", names.join(" or ")),
        name(&section.layout),
    )
}

fn encoding(section: &InputSection) -> Result<Encoding, Refusal> {
    let is = |value: f64, wanted: f64| value.to_bits() == wanted.to_bits();
    let untouched = is(section.scale, 1.0)
        && section.mean.iter().all(|v| is(*v, 0.0))
        && section.std.iter().all(|v| is(*v, 1.0));
    if section.dtype == Dtype::Uint8 && !untouched {
        let expected = "no scale, mean or std with dtype uint8";
        return wrong("input.scale", expected, section.scale.to_string());
    }
    if !section.scale.is_finite() || section.scale == 0.0 {
        let expected = "a finite number other than 0";
        return wrong("input.scale", expected, section.scale.to_string());
    }
    if !section.mean.iter().all(|v| v.is_finite()) {
        let found = format!("{:?}", section.mean);
        return wrong("input.mean", "finite numbers", found);
    }
    if !section.std.iter().all(|v| v.is_finite() && *v > 0.0) {
        let found = format!("{:?}", section.std);
        return wrong("input.std", "positive numbers", found);
    }
    Ok(Encoding {
        name: section.name.clone(),
        layout: section.layout,
        dtype: section.dtype,
        color: section.color,
        scale: section.scale,
        mean: section.mean,
        std: section.std,
    })
}

fn geometry(resize: Resize, crop: Option<Crop>) -> Result<(), Refusal> {
    let resized = sides("input.resize.size", resize.size)?;
    if resize.mode == ResizeMode::ShortestSide {
        if let Size::Two(two) = resize.size {
            let expected = "one number with shortest_side";
            return wrong("input.resize.size", expected, format!("{two:?}"));
        }
        if crop.is_none() {
            let expected = "a crop, as shortest_side gives any width";
            return wrong("input.crop", expected, "none");
        }
    }
    if let Some(crop) = crop {
        let cropped = sides("input.crop.size", crop.size)?;
        if cropped.iter().zip(resized).any(|(crop, side)| *crop > side) {
            let expected = format!("at most the resized {resized:?}");
            return wrong("input.crop.size", expected, format!("{cropped:?}"));
        }
    }
    Ok(())
}

fn sides(key: &str, size: Size) -> Result<[u32; 2], Refusal> {
    let sides = size.sides();
    if sides.iter().all(|side| (1..=MAX_SIDE).contains(side)) {
        return Ok(sides);
    }
    let expected = format!("sides of 1..={MAX_SIDE} pixels");
    wrong(key, expected, format!("{sides:?}"))
}
