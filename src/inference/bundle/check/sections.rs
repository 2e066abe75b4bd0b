//! `[face]`, `[window]`, `[finder]` and `[scope]`.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::domain::quality::Bounds;
use crate::domain::windows::{Step, WindowPlan};

use super::super::manifest::{FaceSection, FinderDecoder, FinderSection, WindowSection};
use super::{Refusal, some_text, wrong};

/// Largest margin, as a part of a box's longer side.
const MAX_MARGIN: f64 = 2.0;
/// Longest side of a finder's input, in pixels.
const FINDER_SIDES: RangeInclusive<u32> = 32..=4096;
/// What a finder's sides are multiples of.
const MULTIPLES: RangeInclusive<u32> = 1..=256;

pub(super) fn face(section: &FaceSection) -> Result<(), Refusal> {
    some_text("face.finder", &section.finder)?;
    within("face.min_size", section.min_size, 1..=u32::MAX)?;
    if !(0.0..=MAX_MARGIN).contains(&section.margin) {
        let expected = format!("0..={MAX_MARGIN}");
        return wrong("face.margin", expected, section.margin.to_string());
    }
    Ok(())
}

pub(super) fn window(section: &WindowSection) -> Result<WindowPlan, Refusal> {
    let window = WindowPlan {
        count: section.count.get(),
        frames: section.frames.get(),
        step: step(section)?,
    };
    within("window.frames", window.frames, 2..=WindowPlan::MAX_FRAMES)?;
    within("window.count", window.count, 1..=WindowPlan::MAX_COUNT)?;
    Ok(window)
}

fn step(section: &WindowSection) -> Result<Step, Refusal> {
    match (section.stride, section.rate) {
        (Some(stride), None) => {
            within("window.stride", stride.get(), 1..=WindowPlan::MAX_STRIDE)?;
            Ok(Step::Stride(stride.get()))
        }
        (None, Some(rate)) if rate > 0.0 && rate <= WindowPlan::MAX_RATE => Ok(Step::Rate(rate)),
        (None, Some(rate)) => {
            let expected = format!("above 0 and at most {}", WindowPlan::MAX_RATE);
            wrong("window.rate", expected, rate.to_string())
        }
        (Some(_), Some(_)) => wrong("window.rate", "absent where stride is given", "given"),
        (None, None) => wrong("window.stride", "given, or else window.rate", "absent"),
    }
}

pub(super) fn finder(section: &FinderSection) -> Result<(), Refusal> {
    let wanted = match section.decoder {
        FinderDecoder::Centerface => 4,
    };
    let names: BTreeSet<&String> = section.outputs.iter().collect();
    if section.outputs.len() != wanted || names.len() != wanted {
        let expected = format!("{wanted} different outputs of the graph");
        return wrong("finder.outputs", expected, format!("{:?}", section.outputs));
    }
    for (key, value) in [
        ("finder.threshold", section.threshold),
        ("finder.nms_iou", section.nms_iou),
    ] {
        if !(0.0..=1.0).contains(&value) {
            return wrong(key, "0..=1", value.to_string());
        }
    }
    let (side, multiple) = (section.max_side.get(), section.multiple.get());
    within("finder.max_side", side, FINDER_SIDES)?;
    within("finder.multiple", multiple, MULTIPLES)?;
    if multiple > side {
        let expected = format!("at most max_side, {side}");
        return wrong("finder.multiple", expected, multiple.to_string());
    }
    Ok(())
}

pub(super) fn scope(bounds: &Bounds) -> Result<(), Refusal> {
    for (key, bound) in [
        ("scope.min_brightness", bounds.min_brightness),
        ("scope.max_brightness", bounds.max_brightness),
        ("scope.min_contrast", bounds.min_contrast),
        ("scope.min_sharpness", bounds.min_sharpness),
        ("scope.max_blockiness", bounds.max_blockiness),
        ("scope.max_flatness", bounds.max_flatness),
    ] {
        if let Some(value) = bound.filter(|value| !value.is_finite()) {
            return wrong(key, "a finite number", value.to_string());
        }
    }
    if let (Some(min), Some(max)) = (bounds.min_brightness, bounds.max_brightness)
        && min > max
    {
        let expected = format!("at most max_brightness, {max}");
        return wrong("scope.min_brightness", expected, min.to_string());
    }
    Ok(())
}

fn within(key: &str, value: u32, range: RangeInclusive<u32>) -> Result<(), Refusal> {
    if range.contains(&value) {
        return Ok(());
    }
    let (first, last) = (range.start(), range.end());
    let expected = if *last == u32::MAX {
        format!("at least {first}")
    } else {
        format!("{first}..={last}")
    };
    wrong(key, expected, value.to_string())
}
