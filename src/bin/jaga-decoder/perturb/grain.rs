//! Gaussian noise in brightness, the same for the same seed.

use image::RgbImage;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Values of the field that rows of noise are taken from. Drawing each pixel's anew would cost more
/// than the encoder does.
const FIELD: usize = 1 << 18;

/// A field of noise, and where in it the next row begins.
pub(super) struct Grain {
    field: Vec<i16>,
    random: ChaCha8Rng,
}

impl Grain {
    /// Noise with a standard deviation of `sigma` levels of 255.
    pub(super) fn new(sigma: f64, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let field = (0..FIELD).map(|_| level(sigma * normal(&mut random)));
        Self {
            field: field.collect(),
            random,
        }
    }

    /// The picture with noise over it, another one for each picture. All three colours of a pixel get
    /// the same, so that it survives the halving of colour in 4:2:0.
    pub(super) fn over(&mut self, mut picture: RgbImage) -> RgbImage {
        let width = usize::try_from(picture.width()).unwrap_or(0);
        for row in picture.chunks_exact_mut(width.max(1) * 3) {
            let start = self.random.random_range(0..FIELD);
            let noise = self.field.iter().cycle().skip(start);
            for (pixel, noise) in row.as_chunks_mut::<3>().0.iter_mut().zip(noise) {
                *pixel = pixel.map(|value| shifted(value, *noise));
            }
        }
        picture
    }
}

/// From the standard normal distribution (Box, Muller 1958).
fn normal(random: &mut ChaCha8Rng) -> f64 {
    let (radius, angle): (f64, f64) = (random.random(), random.random());
    // 1 - u is never 0.
    (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

#[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
fn level(value: f64) -> i16 {
    value.round() as i16
}

fn shifted(value: u8, by: i16) -> u8 {
    let sum = i16::from(value).saturating_add(by).clamp(0, 255);
    u8::try_from(sum).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn grey() -> RgbImage {
        RgbImage::from_pixel(200, 200, Rgb([128; 3]))
    }

    #[test]
    fn noise_is_as_strong_as_asked_and_repeats() {
        for sigma in [2.0, 10.0, 20.0] {
            let noisy = Grain::new(sigma, 7).over(grey());
            let apart = noisy.pixels().map(|p| f64::from(p.0[0]) - 128.0);
            let (sum, squares) = apart.fold((0.0, 0.0), |(s, q), v| (s + v, q + v * v));
            let mean = sum / 40_000.0;
            let deviation = (squares / 40_000.0 - mean * mean).sqrt();
            assert!(mean.abs() < 0.5, "{sigma}: {mean}");
            assert!(
                (deviation / sigma - 1.0).abs() < 0.05,
                "{sigma}: {deviation}"
            );
        }
        let two = |seed| {
            let mut grain = Grain::new(5.0, seed);
            (grain.over(grey()), grain.over(grey()))
        };
        assert_eq!(two(1), two(1));
        assert_ne!(two(1).0, two(1).1, "another one for each picture");
        assert_ne!(two(1).0, two(2).0);
    }
}
