//! Linear heads: from an embedding to log-odds.

use serde::Deserialize;

use super::bundle::BundleError;

const SCHEMA: &str = "jaga.head/1";

/// `head.json`: a logistic regression on the L2-normalised embedding.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    bias: f64,
    weights: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: String,
    kind: String,
    dim: usize,
    bias: f64,
    weights: Vec<f64>,
}

impl Head {
    /// Reads a head from the text of `head.json`; `file` is named in errors.
    pub fn parse(file: &std::path::Path, text: &str) -> Result<Self, BundleError> {
        let document: Document =
            serde_json::from_str(text).map_err(|error| BundleError::Syntax {
                file: file.to_owned(),
                reason: error.to_string(),
            })?;
        let wrong = |key: &str, expected: &str, found: String| BundleError::Value {
            file: file.to_owned(),
            key: key.to_owned(),
            expected: expected.to_owned(),
            found,
        };
        if document.schema != SCHEMA {
            return Err(wrong("schema", SCHEMA, document.schema));
        }
        if document.kind != "linear" {
            return Err(wrong("kind", "linear", document.kind));
        }
        let count = document.weights.len();
        if count != document.dim || count == 0 {
            let expected = format!("as many as dim says ({}), at least 1", document.dim);
            return Err(wrong("weights", &expected, count.to_string()));
        }
        if !(document.bias.is_finite() && document.weights.iter().all(|w| w.is_finite())) {
            return Err(wrong("weights", "finite numbers", "one that isn't".into()));
        }
        Ok(Self {
            bias: document.bias,
            weights: document.weights,
        })
    }

    /// Length of the embedding.
    pub fn dim(&self) -> usize {
        self.weights.len()
    }

    /// w · x/‖x‖ + b in f64; NaN for an embedding that is all zeros or not finite. The embedding
    /// must have [`Head::dim`] values.
    pub fn logit(&self, embedding: &[f64]) -> f64 {
        let norm = embedding.iter().map(|x| x * x).sum::<f64>().sqrt();
        let dot: f64 = self.weights.iter().zip(embedding).map(|(w, x)| w * x).sum();
        dot / norm + self.bias
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn parse(text: &str) -> Result<Head, BundleError> {
        Head::parse(Path::new("head.json"), text)
    }

    #[test]
    fn the_embedding_is_normalised_first() {
        let head = parse(
            r#"{"schema":"jaga.head/1","kind":"linear","dim":2,"bias":0.5,"weights":[1.0,-2.0]}"#,
        )
        .unwrap();
        assert_eq!(head.dim(), 2);
        assert!((head.logit(&[3.0, 4.0]) - (0.6 - 1.6 + 0.5)).abs() < 1e-12);
        assert!((head.logit(&[30.0, 40.0]) - head.logit(&[3.0, 4.0])).abs() < 1e-12);
        assert!(head.logit(&[0.0, 0.0]).is_nan());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, word) in [
            ("{}", "schema"),
            (
                r#"{"schema":"x/1","kind":"linear","dim":1,"bias":0,"weights":[1]}"#,
                "jaga.head/1",
            ),
            (
                r#"{"schema":"jaga.head/1","kind":"mlp","dim":1,"bias":0,"weights":[1]}"#,
                "linear",
            ),
            (
                r#"{"schema":"jaga.head/1","kind":"linear","dim":2,"bias":0,"weights":[1]}"#,
                "dim",
            ),
            (
                r#"{"schema":"jaga.head/1","kind":"linear","dim":0,"bias":0,"weights":[]}"#,
                "weights",
            ),
            (
                r#"{"schema":"jaga.head/1","kind":"linear","dim":1,"bias":0,"weights":[1],"a":1}"#,
                "`a`",
            ),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(
                error.contains("head.json") && error.contains(word),
                "{error}"
            );
        }
    }
}
