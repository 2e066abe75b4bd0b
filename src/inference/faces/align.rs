//! The similarity that lays a face's landmarks on a template. Pure.

use crate::domain::face::Point;

use super::super::bundle::manifest::Template;

/// A similarity transform without reflection: z ↦ a·z + b over the complex numbers, x + iy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Similarity {
    a: [f64; 2],
    b: [f64; 2],
}

impl Similarity {
    /// The one that brings `from` closest to `to` in the sum of squared distances (Umeyama 1991).
    /// In the plane that has a closed form without a singular value decomposition: with both sets
    /// around their means, a = Σ conj(from)·to / Σ |from|², and no such map is a reflection. `None`
    /// when there is none, as for landmarks that all lie in one place.
    pub(super) fn between(from: &[Point; 5], to: &[Point; 5]) -> Option<Self> {
        let (m, n) = (mean(from), mean(to));
        let (mut re, mut im, mut spread) = (0.0, 0.0, 0.0);
        for (p, q) in from.iter().zip(to) {
            let (px, py, qx, qy) = (p.x - m.x, p.y - m.y, q.x - n.x, q.y - n.y);
            re += px * qx + py * qy;
            im += px * qy - py * qx;
            spread += px * px + py * py;
        }
        let a = [re / spread, im / spread];
        let b = [
            n.x - (a[0] * m.x - a[1] * m.y),
            n.y - (a[1] * m.x + a[0] * m.y),
        ];
        let usable = a[0].hypot(a[1]) > f64::EPSILON && a.iter().chain(&b).all(|v| v.is_finite());
        usable.then_some(Self { a, b })
    }

    /// Where `p` comes to lie.
    pub(super) fn apply(self, p: Point) -> Point {
        let ([re, im], [x, y]) = (self.a, self.b);
        Point {
            x: re * p.x - im * p.y + x,
            y: im * p.x + re * p.y + y,
        }
    }

    /// The way back.
    pub(super) fn inverse(self) -> Self {
        let [re, im] = self.a;
        let square = re * re + im * im;
        let a = [re / square, -im / square];
        let [x, y] = self.b;
        Self {
            a,
            b: [-(a[0] * x - a[1] * y), -(a[1] * x + a[0] * y)],
        }
    }

    /// By how much it enlarges.
    pub(super) fn scale(self) -> f64 {
        self.a[0].hypot(self.a[1])
    }
}

fn mean(points: &[Point; 5]) -> Point {
    let sum = |of: fn(&Point) -> f64| points.iter().map(of).sum::<f64>() / 5.0;
    Point {
        x: sum(|p| p.x),
        y: sum(|p| p.y),
    }
}

/// Side of the square that the template's points are given in, and the points.
fn points(template: Template) -> (f64, [[f64; 2]; 5]) {
    match template {
        // InsightFace's `arcface_dst` for 112×112, from ArcFace's authors (Deng and others 2019).
        Template::Arcface => (
            112.0,
            [
                [38.2946, 51.6963],
                [73.5318, 51.5014],
                [56.0252, 71.7366],
                [41.5493, 92.3655],
                [70.7299, 92.2041],
            ],
        ),
        // facexlib's `face_template` for 512×512: mean landmarks of faces cut as FFHQ's are.
        Template::Ffhq => (
            512.0,
            [
                [192.98138, 239.94708],
                [318.90277, 240.1936],
                [256.63416, 314.01935],
                [201.26117, 371.41043],
                [313.08905, 371.15118],
            ],
        ),
    }
}

/// The template in a picture of `size` (width, height): scaled to the shorter side, in the middle,
/// and shrunk towards it by 1 + 2·`margin`.
pub(super) fn target(template: Template, size: [u32; 2], margin: f64) -> [Point; 5] {
    let (base, points) = points(template);
    let [width, height] = size.map(f64::from);
    let scale = width.min(height) / base / (1.0 + 2.0 * margin);
    points.map(|[x, y]| Point {
        x: (x - base / 2.0).mul_add(scale, width / 2.0),
        y: (y - base / 2.0).mul_add(scale, height / 2.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: Point, b: Point, slack: f64) -> bool {
        (a.x - b.x).hypot(a.y - b.y) < slack
    }

    #[test]
    fn a_turned_scaled_and_moved_template_comes_back() {
        let to = target(Template::Arcface, [112, 112], 0.0);
        for (angle, scale) in [(0.0_f64, 1.0), (0.5, 3.0), (-2.8, 0.1), (1.6, 40.0)] {
            let turned = to.map(|p| Point {
                x: scale * (angle.cos() * p.x - angle.sin() * p.y) + 300.0,
                y: scale * (angle.sin() * p.x + angle.cos() * p.y) - 70.0,
            });
            let map = Similarity::between(&turned, &to).unwrap();
            assert!((map.scale() * scale - 1.0).abs() < 1e-9);
            for (from, to) in turned.iter().zip(to) {
                assert!(near(map.apply(*from), to, 1e-9));
                assert!(near(map.inverse().apply(to), *from, 1e-9));
            }
        }
    }

    #[test]
    fn no_small_change_of_the_map_comes_closer() {
        let to = target(Template::Ffhq, [256, 256], 0.1);
        let mut from = to;
        for (index, p) in from.iter_mut().enumerate() {
            let wobble = f64::from(u8::try_from(index).unwrap()) - 2.0;
            (p.x, p.y) = (p.x * 2.0 + wobble * 5.0, p.y * 2.0 - wobble * wobble * 3.0);
        }
        let map = Similarity::between(&from, &to).unwrap();
        let error = |map: Similarity| -> f64 {
            let off = |(p, q): (&Point, &Point)| {
                let p = map.apply(*p);
                (p.x - q.x).powi(2) + (p.y - q.y).powi(2)
            };
            from.iter().zip(&to).map(off).sum()
        };
        let least = error(map);
        assert!(least > 1.0);
        for step in [1e-3, -1e-3] {
            for index in 0..2 {
                let (mut other, mut moved) = (map, map);
                other.a[index] += step;
                moved.b[index] += step;
                assert!(error(other) > least && error(moved) > least);
            }
        }
    }

    #[test]
    fn a_mirrored_face_is_not_mirrored_back() {
        let to = target(Template::Arcface, [112, 112], 0.0);
        let mirrored = to.map(|p| Point {
            x: 112.0 - p.x,
            y: p.y,
        });
        let map = Similarity::between(&mirrored, &to).unwrap();
        let corner = |x, y| map.apply(Point { x, y });
        let (o, x, y) = (corner(0.0, 0.0), corner(1.0, 0.0), corner(0.0, 1.0));
        let turn = (x.x - o.x) * (y.y - o.y) - (x.y - o.y) * (y.x - o.x);
        assert!(turn > 0.0);
    }

    #[test]
    fn landmarks_in_one_place_have_no_map() {
        let to = target(Template::Arcface, [112, 112], 0.0);
        assert_eq!(
            Similarity::between(&[Point { x: 5.0, y: 5.0 }; 5], &to),
            None
        );
        assert_eq!(
            Similarity::between(
                &[Point {
                    x: f64::NAN,
                    y: 5.0
                }; 5],
                &to
            ),
            None
        );
    }

    #[test]
    fn templates_scale_with_the_input_and_shrink_with_the_margin() {
        let [eye, ..] = target(Template::Arcface, [224, 224], 0.0);
        assert!(near(
            eye,
            Point {
                x: 76.5892,
                y: 103.3926
            },
            1e-9
        ));
        let [eye, ..] = target(Template::Arcface, [224, 112], 0.0);
        assert!(near(
            eye,
            Point {
                x: 94.2946,
                y: 51.6963
            },
            1e-9
        ));
        let [eye, ..] = target(Template::Ffhq, [512, 512], 0.5);
        let want = Point {
            x: f64::midpoint(192.98138, 256.0),
            y: f64::midpoint(239.94708, 256.0),
        };
        assert!(near(eye, want, 1e-9));
    }
}
