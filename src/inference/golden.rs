//! A bundle's golden input and output: the proof, at every start, that a session computes what the
//! model was calibrated for.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;

use crate::domain::frame::Picture;

use super::bundle::{BundleError, BundleFile};
use super::error::InferenceError;
use super::provider::Provider;

/// Largest side of a golden picture, in pixels.
const MAX_SIDE: u32 = 1024;

/// `[golden]` in `model.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenSection {
    /// A listed file: a picture as binary PPM (`P6`, 255), at most 1024 pixels a side.
    pub input: String,
    /// What comes of it: of a scorer, its uncalibrated log-odds (a window is the picture, repeated);
    /// of a finder, the mean of each of its outputs, in order.
    pub values: Vec<f64>,
    /// Largest difference of a value; positive.
    pub tolerance: f64,
    /// The same on single providers, where they differ.
    #[serde(default)]
    pub on: BTreeMap<Provider, f64>,
}

/// The same, read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Golden {
    /// The input.
    pub picture: Picture,
    section: GoldenSection,
}

impl Golden {
    /// Reads the picture, which is among `files`. The error has the key, what is expected and what
    /// is found.
    pub(super) fn read(
        section: &GoldenSection,
        files: &[BundleFile],
    ) -> Result<Result<Self, [String; 3]>, BundleError> {
        let wrong = |key: &str, expected: &str, found: String| {
            Ok(Err([format!("golden.{key}"), expected.to_owned(), found]))
        };
        let Some(file) = files.iter().find(|file| file.name == section.input) else {
            return wrong("input", "a listed file", format!("{:?}", section.input));
        };
        if section.values.is_empty() || section.values.iter().any(|v| !v.is_finite()) {
            return wrong(
                "values",
                "numbers, at least one",
                format!("{:?}", section.values),
            );
        }
        let mut tolerances = section.on.values().chain([&section.tolerance]);
        if let Some(bad) = tolerances.find(|t| !(t.is_finite() && **t > 0.0)) {
            return wrong("tolerance", "positive", bad.to_string());
        }
        let bytes = fs::read(&file.path).map_err(|source| BundleError::Read {
            file: file.path.clone(),
            source,
        })?;
        let Some(picture) = ppm(&bytes) else {
            let expected = "a binary PPM (P6, 255) of at most 1024 pixels a side";
            return wrong("input", expected, file.path.display().to_string());
        };
        Ok(Ok(Self {
            picture,
            section: section.clone(),
        }))
    }

    /// An error where `found` is further from the values than `provider` may be.
    pub(super) fn check(
        &self,
        model: &str,
        provider: Provider,
        found: &[f64],
    ) -> Result<(), InferenceError> {
        let expected = &self.section.values;
        let tolerance = self.section.on.get(&provider);
        let tolerance = *tolerance.unwrap_or(&self.section.tolerance);
        let differences = expected.iter().zip(found).map(|(a, b)| (a - b).abs());
        let difference = differences.fold(0.0, f64::max);
        // A NaN is lost in the maximum.
        let fits = found.len() == expected.len() && found.iter().all(|v| v.is_finite());
        if fits && difference <= tolerance {
            return Ok(());
        }
        Err(InferenceError::Golden {
            model: model.to_owned(),
            provider,
            expected: expected.clone(),
            found: found.to_vec(),
            difference,
            tolerance,
        })
    }
}

/// A `P6` picture without comments; `None` for anything else.
fn ppm(bytes: &[u8]) -> Option<Picture> {
    let mut rest = bytes.strip_prefix(b"P6")?;
    let mut numbers = [0_u32; 3];
    for number in &mut numbers {
        rest = rest.trim_ascii_start();
        let length = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let (digits, after) = rest.split_at(length);
        *number = std::str::from_utf8(digits).ok()?.parse().ok()?;
        rest = after;
    }
    let [width, height, full] = numbers;
    // One white space parts the header from the pixels.
    let (_, pixels) = rest.split_first()?;
    let sides = (1..=MAX_SIDE).contains(&width) && (1..=MAX_SIDE).contains(&height);
    if !sides || full != 255 {
        return None;
    }
    Picture::new(width, height, pixels.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(on: &[(Provider, f64)]) -> Golden {
        Golden {
            picture: ppm(b"P6\n2 1\n255\nabcdef").unwrap(),
            section: GoldenSection {
                input: "golden.ppm".to_owned(),
                values: vec![1.0, -2.0],
                tolerance: 0.25,
                on: on.iter().copied().collect(),
            },
        }
    }

    #[test]
    fn a_picture_is_read_or_refused() {
        let picture = golden(&[]).picture;
        assert_eq!((picture.width(), picture.height()), (2, 1));
        assert_eq!(picture.rgb(), b"abcdef");
        for bad in [
            &b"P5\n2 1\n255\nabcdef"[..],
            b"P6\n2 1\n65535\nabcdef",
            b"P6\n2 2\n255\nabcdef",
            b"P6\n0 1\n255\n",
            b"P6\n2000 1\n255\n",
            b"P6\n2 1\n255",
        ] {
            assert_eq!(ppm(bad), None);
        }
    }

    #[test]
    fn a_provider_may_have_a_tolerance_of_its_own() {
        let golden = golden(&[(Provider::OpenVino, 0.5)]);
        let check = |provider, found: &[f64]| golden.check("m", provider, found);
        assert!(check(Provider::Cpu, &[1.25, -2.0]).is_ok());
        assert!(check(Provider::OpenVino, &[1.5, -2.0]).is_ok());
        let error = check(Provider::Cpu, &[1.5, -2.0]).unwrap_err().to_string();
        assert!(
            error.contains("\"m\"") && error.contains("\"cpu\""),
            "{error}"
        );
        assert!(error.contains("differs by 0.5"), "{error}");
        for bad in [&[1.0][..], &[1.0, f64::NAN], &[]] {
            assert!(check(Provider::Cpu, bad).is_err());
        }
    }
}
