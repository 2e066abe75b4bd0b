//! Faces in a picture, in its own pixels.

use serde::Serialize;

/// A place in a picture, in pixels; (0, 0) is the outer corner of the first pixel, so the centre
/// of that pixel is (0.5, 0.5).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Down.
    pub y: f64,
}

/// An upright box in a picture, in pixels; its sides are never negative.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rect {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// To the right.
    pub width: f64,
    /// Down.
    pub height: f64,
}

impl Rect {
    /// Square pixels.
    pub fn area(self) -> f64 {
        self.width * self.height
    }

    /// The middle.
    pub fn center(self) -> Point {
        Point {
            x: self.x + self.width / 2.0,
            y: self.y + self.height / 2.0,
        }
    }

    /// The shorter side.
    pub fn side(self) -> f64 {
        self.width.min(self.height)
    }

    /// Intersection over union with `other`, 0..=1; 0 when both are empty.
    pub fn iou(self, other: Self) -> f64 {
        let overlap = |a: f64, a_len: f64, b: f64, b_len: f64| {
            ((a + a_len).min(b + b_len) - a.max(b)).max(0.0)
        };
        let shared = overlap(self.x, self.width, other.x, other.width)
            * overlap(self.y, self.height, other.y, other.height);
        let union = self.area() + other.area() - shared;
        if union > 0.0 { shared / union } else { 0.0 }
    }
}

/// A face that a finder found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Face {
    /// Within the picture.
    pub rect: Rect,
    /// Eyes (the left one in the picture first), tip of the nose, corners of the mouth (left
    /// first); may lie outside the picture when the face is cut by its border.
    pub landmarks: Option<[Point; 5]>,
    /// The finder's confidence, 0..=1.
    pub confidence: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_of_boxes() {
        let rect = |x, y, width, height| Rect {
            x,
            y,
            width,
            height,
        };
        let a = rect(0.0, 0.0, 2.0, 2.0);
        assert!((a.iou(rect(1.0, 0.0, 2.0, 2.0)) - 1.0 / 3.0).abs() < 1e-12);
        assert!((a.iou(a) - 1.0).abs() < 1e-12);
        assert!(a.iou(rect(5.0, 5.0, 1.0, 1.0)) < 1e-12);
        assert!(rect(0.0, 0.0, 0.0, 0.0).iou(rect(0.0, 0.0, 0.0, 0.0)) < 1e-12);
    }
}
