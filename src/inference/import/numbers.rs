//! Sides, means and deviations as processors write them. Pure.

use serde_json::Value;

use super::error::ImportError;
use super::json::Object;

/// Largest side that a bundle may have, in pixels.
const MAX_SIDE: u32 = 4096;

/// A size as Hugging Face writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pixels {
    /// One number, which means this or that by processor.
    Number(u32),
    /// `{"shortest_edge": …}`
    Shortest(u32),
    /// `{"height": …, "width": …}` or `[height, width]`, here as width and height.
    Sides([u32; 2]),
}

/// Reads a size; it must be there and of a known form.
pub(super) fn pixels(of: &Object<'_>, key: &str) -> Result<Pixels, ImportError> {
    let value = of.required(key, of.value(key))?;
    let form = "a number of 1..=4096, [height, width], {height, width} or {shortest_edge}";
    let found = if value.is_object() {
        of.object(key)?.and_then(|size| sides_of(&size))
    } else if let Some(sides) = value.as_array() {
        match sides.as_slice() {
            [height, width] => side(width)
                .zip(side(height))
                .map(|(w, h)| Pixels::Sides([w, h])),
            _ => None,
        }
    } else {
        side(value).map(Pixels::Number)
    };
    found.ok_or_else(|| of.wrong(key, form))
}

/// `None` for keys that are neither of the two forms: other ones change what the size means.
fn sides_of(size: &Object<'_>) -> Option<Pixels> {
    let entries: Vec<(&str, &Value)> = size.entries().collect();
    match entries.as_slice() {
        [("height", height), ("width", width)] | [("width", width), ("height", height)] => {
            Some(Pixels::Sides([side(width)?, side(height)?]))
        }
        [("shortest_edge", edge)] => side(edge).map(Pixels::Shortest),
        _ => None,
    }
}

fn side(value: &Value) -> Option<u32> {
    let side = u32::try_from(value.as_u64()?).ok()?;
    (1..=MAX_SIDE).contains(&side).then_some(side)
}

/// `side / part`, whole: the size before a crop of `part` of it. An error with `key` beyond the
/// limits.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to lie in 1..=MAX_SIDE"
)]
pub(super) fn before_crop(
    of: &Object<'_>,
    key: &str,
    side: u32,
    part: f64,
) -> Result<u32, ImportError> {
    // Python's int() and math.floor(), of the same division.
    let before = (f64::from(side) / part).floor();
    if part > 0.0 && part <= 1.0 && before <= f64::from(MAX_SIDE) {
        Ok(before as u32)
    } else {
        let expected = format!("above 0, at most 1, and leave sides of at most {MAX_SIDE} pixels");
        Err(of.wrong(key, &expected))
    }
}

/// Three numbers, or one for all channels; `None` when the key is absent.
pub(super) fn channels(of: &Object<'_>, key: &str) -> Result<Option<[f64; 3]>, ImportError> {
    of.read(key, "a number or a list of 3", |value| {
        let Some(items) = value.as_array() else {
            return value.as_f64().map(|number| [number; 3]);
        };
        match items.as_slice() {
            [a, b, c] => Some([a.as_f64()?, b.as_f64()?, c.as_f64()?]),
            _ => None,
        }
    })
}

/// The same for deviations: above 0, and there.
pub(super) fn deviations(of: &Object<'_>, key: &str) -> Result<[f64; 3], ImportError> {
    let found = of.required(key, channels(of, key)?)?;
    if found.iter().all(|value| *value > 0.0) {
        Ok(found)
    } else {
        Err(of.wrong(key, "above 0"))
    }
}
