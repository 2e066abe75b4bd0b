//! The outputs of `CenterFace` (Xu, Yan, Yang and others 2019, arXiv:1911.03599).
//!
//! A face is a peak of a heat map with a cell every 4 pixels; the other maps say at that cell how
//! large its box is, where in the cell its middle lies, and where its landmarks are.

use ndarray::{ArrayView3, ArrayViewD, Axis, Ix3};

use crate::domain::face::{Face, Point, Rect};

use super::decode::{Decode, DecodeError, peaks};
use super::fit::cut;

/// Input pixels a cell, in both directions.
const STRIDE: f64 = 4.0;

/// Decoder of heat map, scale, offset and landmarks, in this order: `[1, C, rows, columns]` with 1,
/// 2, 2 and 10 channels. Channel pairs are (y, x).
#[derive(Debug, Clone, Copy)]
pub struct CenterFace;

/// One picture's outputs, without the batch axis.
struct Maps<'a> {
    scale: ArrayView3<'a, f32>,
    offset: ArrayView3<'a, f32>,
    landmarks: ArrayView3<'a, f32>,
}

impl Decode for CenterFace {
    fn faces(
        &self,
        outputs: &[ArrayViewD<'_, f32>],
        input: [u32; 2],
        threshold: f64,
    ) -> Result<Vec<Face>, DecodeError> {
        let [heat, scale, offset, landmarks] = outputs else {
            return Err(DecodeError::Shape {
                expected: "4 outputs: heat map, scale, offset, landmarks",
                found: vec![outputs.len()],
            });
        };
        let cells = input.map(|side| (side / 4) as usize);
        let heat = map(heat, 1, cells, "[1, 1, height/4, width/4] for the heat map")?;
        let maps = Maps {
            scale: map(scale, 2, cells, "[1, 2, height/4, width/4] for the scale")?,
            offset: map(offset, 2, cells, "[1, 2, height/4, width/4] for the offset")?,
            landmarks: map(
                landmarks,
                10,
                cells,
                "[1, 10, height/4, width/4] for the landmarks",
            )?,
        };
        let columns = cells[0].max(1);
        peaks(heat.iter().copied(), threshold)?
            .into_iter()
            .map(|(index, confidence)| {
                maps.face([index / columns, index % columns], confidence, input)
            })
            .collect()
    }
}

impl Maps<'_> {
    /// The face at a cell (row, column).
    ///
    /// The box is cut to the input after its landmarks are placed. `CenterFace`'s own code first
    /// moves a box that begins left of or above the picture into it, landmarks and all, which puts
    /// both beside the face.
    fn face(
        &self,
        cell: [usize; 2],
        confidence: f64,
        input: [u32; 2],
    ) -> Result<Face, DecodeError> {
        let [width, height] = input.map(f64::from);
        let side = |channel, limit: f64| {
            let log = value(&self.scale, channel, cell)?;
            // A box of twice the input covers it from anywhere; more is a number run wild.
            Ok((log.exp() * STRIDE).min(limit * 2.0))
        };
        let middle = |channel, at: usize| {
            Ok((at as f64 + value(&self.offset, channel, cell)? + 0.5) * STRIDE)
        };
        let (box_height, box_width) = (side(0, height)?, side(1, width)?);
        let (y, x) = (middle(0, cell[0])?, middle(1, cell[1])?);
        let rect = Rect {
            x: x - box_width / 2.0,
            y: y - box_height / 2.0,
            width: box_width,
            height: box_height,
        };
        let mut landmarks = [Point { x: 0.0, y: 0.0 }; 5];
        for (index, point) in landmarks.iter_mut().enumerate() {
            let [dy, dx] = [index * 2, index * 2 + 1].map(|c| value(&self.landmarks, c, cell));
            *point = Point {
                x: (rect.x + dx? * box_width).clamp(-width, width * 2.0),
                y: (rect.y + dy? * box_height).clamp(-height, height * 2.0),
            };
        }
        Ok(Face {
            rect: cut(rect, input),
            landmarks: Some(landmarks),
            confidence,
        })
    }
}

/// One picture's map of `channels` over `cells` (columns, rows).
fn map<'a>(
    output: &'a ArrayViewD<'_, f32>,
    channels: usize,
    cells: [usize; 2],
    expected: &'static str,
) -> Result<ArrayView3<'a, f32>, DecodeError> {
    let [columns, rows] = cells;
    if output.shape() == [1, channels, rows, columns]
        && let Ok(map) = output.index_axis(Axis(0), 0).into_dimensionality::<Ix3>()
    {
        return Ok(map);
    }
    Err(DecodeError::Shape {
        expected,
        found: output.shape().to_vec(),
    })
}

/// A finite value of a map.
fn value(
    map: &ArrayView3<'_, f32>,
    channel: usize,
    [row, column]: [usize; 2],
) -> Result<f64, DecodeError> {
    let value = map
        .get([channel, row, column])
        .copied()
        .map_or(f64::NAN, f64::from);
    if value.is_finite() {
        Ok(value)
    } else {
        Err(DecodeError::NoNumber(value))
    }
}

#[cfg(test)]
mod tests;
