//! Non-maximum suppression. Pure.

use crate::domain::face::Face;

/// Thins out `candidates`: of two whose boxes overlap by `iou` or more, the one with the lower
/// confidence goes, unless the other went before. Greedy, as usual; boxes without area go too.
/// What stays comes in order of area, largest first (ties: confidence, then position from the top
/// left), which no order of the candidates moves.
///
/// Quadratic in the candidates: the caller bounds them, see [`super::decode::MAX_CANDIDATES`].
pub fn suppress(mut candidates: Vec<Face>, iou: f64) -> Vec<Face> {
    candidates.retain(|face| face.rect.area() > 0.0);
    candidates.sort_by(|a, b| {
        b.confidence
            .total_cmp(&a.confidence)
            .then_with(|| by_size(a, b))
    });
    let mut kept: Vec<Face> = Vec::new();
    for face in candidates {
        if kept.iter().all(|other| other.rect.iou(face.rect) < iou) {
            kept.push(face);
        }
    }
    kept.sort_by(by_size);
    kept
}

/// Largest first, then most confident, then uppermost, then leftmost.
fn by_size(a: &Face, b: &Face) -> std::cmp::Ordering {
    (b.rect.area().total_cmp(&a.rect.area()))
        .then(b.confidence.total_cmp(&a.confidence))
        .then(a.rect.y.total_cmp(&b.rect.y))
        .then(a.rect.x.total_cmp(&b.rect.x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::face::Rect;

    fn face(x: f64, side: f64, confidence: f64) -> Face {
        let rect = Rect {
            x,
            y: 0.0,
            width: side,
            height: side,
        };
        Face {
            rect,
            landmarks: None,
            confidence,
        }
    }

    #[test]
    fn of_overlapping_boxes_the_surest_stays() {
        let faces = [
            face(0.0, 10.0, 0.8),
            face(2.0, 10.0, 0.9),
            face(30.0, 20.0, 0.6),
        ];
        let kept = suppress(faces.to_vec(), 0.3);
        assert_eq!(kept, [faces[2], faces[1]]);
    }

    #[test]
    fn a_box_that_went_takes_none_with_it() {
        // The middle one overlaps both others, which don't overlap each other.
        let faces = [
            face(0.0, 10.0, 0.7),
            face(6.0, 10.0, 0.8),
            face(12.0, 10.0, 0.9),
        ];
        let kept = suppress(faces.to_vec(), 0.25);
        assert_eq!(kept, [faces[2], faces[0]]);
    }

    #[test]
    fn the_very_overlap_asked_for_is_enough() {
        // IoU of boxes shifted by half is 1/3.
        let faces = [face(0.0, 2.0, 0.9), face(1.0, 2.0, 0.8)];
        assert_eq!(suppress(faces.to_vec(), 1.0 / 3.0).len(), 1);
        assert_eq!(suppress(faces.to_vec(), 0.34).len(), 2);
    }

    #[test]
    fn order_does_not_matter() {
        let mut faces: Vec<Face> = (0..40_u8)
            .map(|i| {
                face(
                    f64::from(i % 8 * 5),
                    8.0 + f64::from(i % 3),
                    0.5 + f64::from(i % 4) / 10.0,
                )
            })
            .collect();
        let want = suppress(faces.clone(), 0.4);
        for _ in 0..7 {
            faces.rotate_left(11);
            assert_eq!(suppress(faces.clone(), 0.4), want);
        }
        assert!(want.len() > 2 && want.len() < 40);
    }

    #[test]
    fn nothing_stays_of_empty_boxes() {
        assert!(suppress(vec![face(1.0, 0.0, 0.9)], 0.5).is_empty());
    }
}
