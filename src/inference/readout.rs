//! From a graph's output to log-odds, as a bundle's `[output]` says. Pure. Several may read the
//! outputs of one run.

use ndarray::{ArrayView1, ArrayView2, ArrayViewD, Axis, Ix2, Ix3, Slice};

use crate::domain::score::{Logit, Probability};

use super::bundle::manifest::Pooling;
use super::bundle::task::{Output, Reading};
use super::error::InferenceError;
use super::head::Head;

/// How far a probability may lie outside 0..=1 by rounding of its float32 softmax or sigmoid.
const ROUNDING: f64 = 1e-6;

/// Reads log-odds from one model's output.
#[derive(Debug, Clone)]
pub struct Readout {
    model: String,
    output: String,
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    /// `[batch]` or `[batch, 1]`.
    Single(Number),
    /// `[batch, classes]`, one of which counts.
    Class(Number, usize),
    /// `[batch, classes]`, against all others.
    Softmax(usize),
    /// `[batch, dim]`, or `[batch, tokens, dim]` with pooling.
    Embedding(Pooling, Head),
}

#[derive(Debug, Clone, Copy)]
enum Number {
    Probability,
    Logit,
}

impl Readout {
    /// As the `output` of the bundle `model` says.
    pub fn new(model: &str, output: &Output) -> Self {
        let number = |number, class: Option<usize>| match class {
            Some(class) => Form::Class(number, class),
            None => Form::Single(number),
        };
        let form = match &output.reading {
            Reading::Probability(class) => number(Number::Probability, *class),
            Reading::Logit(class) => number(Number::Logit, *class),
            Reading::Softmax(class) => Form::Softmax(*class),
            Reading::Embedding(pooling, head) => Form::Embedding(*pooling, head.clone()),
        };
        Self {
            model: model.to_owned(),
            output: output.name.clone(),
            form,
        }
    }

    /// The graph's output that it reads.
    pub fn output(&self) -> &str {
        &self.output
    }

    /// `output.kind`
    pub fn kind(&self) -> &'static str {
        match &self.form {
            Form::Single(Number::Probability) | Form::Class(Number::Probability, _) => {
                "probability"
            }
            Form::Single(Number::Logit) | Form::Class(Number::Logit, _) => "logit",
            Form::Softmax(_) => "softmax",
            Form::Embedding(..) => "embedding",
        }
    }

    /// The shape that [`Readout::read`] takes, in words.
    pub fn expected(&self) -> &'static str {
        match &self.form {
            Form::Single(_) => "[batch] or [batch, 1]",
            Form::Class(..) | Form::Softmax(_) => "[batch, classes] with output.class among them",
            Form::Embedding(Pooling::None, _) => "[batch, dim] with the head's dim",
            Form::Embedding(..) => "[batch, tokens, dim] with the head's dim",
        }
    }

    /// Whether an output that the graph declares as `dims` can be read; negative lengths are open.
    pub fn fits(&self, dims: &[i64]) -> bool {
        let is = |dim: i64, wanted: usize| dim < 0 || usize::try_from(dim) == Ok(wanted);
        let has = |dim: i64, index: usize| {
            dim < 0 || usize::try_from(dim).is_ok_and(|classes| index < classes)
        };
        match (&self.form, dims) {
            (Form::Single(_), [_]) => true,
            (Form::Single(_), [_, one]) => is(*one, 1),
            (Form::Class(_, class) | Form::Softmax(class), [_, classes]) => has(*classes, *class),
            (Form::Embedding(Pooling::None, head), [_, dim]) => is(*dim, head.dim()),
            (Form::Embedding(Pooling::Cls | Pooling::Mean, head), [_, tokens, dim]) => {
                *tokens != 0 && is(*dim, head.dim())
            }
            _ => false,
        }
    }

    /// One value a picture of the batch of `batch`. An error for another shape and for a value
    /// that is no score.
    pub fn read(
        &self,
        output: ArrayViewD<'_, f32>,
        batch: usize,
    ) -> Result<Vec<Logit>, InferenceError> {
        let shape = output.shape().to_vec();
        let dims: Vec<i64> = shape
            .iter()
            .map(|n| i64::try_from(*n).unwrap_or(-1))
            .collect();
        let wrong_shape = || InferenceError::OutputShape {
            model: self.model.clone(),
            expected: self.expected(),
            found: shape.clone(),
        };
        if !self.fits(&dims) || shape.first() != Some(&batch) {
            return Err(wrong_shape());
        }
        if let Form::Embedding(Pooling::Cls | Pooling::Mean, head) = &self.form {
            let tokens = output
                .into_dimensionality::<Ix3>()
                .map_err(|_| wrong_shape())?;
            let rows = tokens
                .axis_iter(Axis(0))
                .map(|picture| self.pooled(&picture, head));
            return rows.collect();
        }
        let columns = output.len() / batch.max(1);
        let flat = output
            .to_shape((batch, columns))
            .map_err(|_| wrong_shape())?;
        let rows = flat
            .view()
            .into_dimensionality::<Ix2>()
            .map_err(|_| wrong_shape())?;
        rows.rows().into_iter().map(|row| self.row(&row)).collect()
    }

    /// The value of one picture, or window, that is `row` of the `batch` that `output` is of.
    pub fn of_row(
        &self,
        output: &ArrayViewD<'_, f32>,
        row: usize,
        batch: usize,
    ) -> Result<Logit, InferenceError> {
        let wrong_shape = |found: &[usize]| InferenceError::OutputShape {
            model: self.model.clone(),
            expected: self.expected(),
            found: found.to_vec(),
        };
        if output.shape().first() != Some(&batch) || row >= batch {
            return Err(wrong_shape(output.shape()));
        }
        let own = output.slice_axis(Axis(0), Slice::from(row..row.saturating_add(1)));
        match self.read(own.view(), 1)?.as_slice() {
            [value] => Ok(*value),
            _ => Err(wrong_shape(own.shape())),
        }
    }

    /// The vector of one picture that the head reads, that is `row` of the `batch` that `output` is
    /// of; `None` for a model without a head and for an output that it can't read. What the mean
    /// of tokens loses by becoming float32 is all that is lost.
    #[expect(clippy::cast_possible_truncation, reason = "float32 is how it is kept")]
    pub fn vector(
        &self,
        output: &ArrayViewD<'_, f32>,
        row: usize,
        batch: usize,
    ) -> Option<Vec<f32>> {
        let Form::Embedding(pooling, _) = &self.form else {
            return None;
        };
        if output.shape().first() != Some(&batch) || row >= batch {
            return None;
        }
        let own = output.index_axis(Axis(0), row);
        if *pooling == Pooling::None {
            return Some(own.iter().copied().collect());
        }
        let tokens = own.into_dimensionality::<Ix2>().ok()?;
        let vector = self.pool(&tokens);
        Some(vector.into_iter().map(|value| value as f32).collect())
    }

    /// What the head reads from a vector that [`Readout::vector`] gave; an error for one of another
    /// length.
    pub fn of_vector(&self, vector: &[f32]) -> Result<Logit, InferenceError> {
        match &self.form {
            Form::Embedding(_, head) if head.dim() == vector.len() => {
                let vector: Vec<f64> = vector.iter().map(|value| f64::from(*value)).collect();
                self.finite(head.logit(&vector))
            }
            Form::Embedding(..) | Form::Single(_) | Form::Class(..) | Form::Softmax(_) => {
                Err(InferenceError::OutputShape {
                    model: self.model.clone(),
                    expected: "[dim] with the head's dim",
                    found: vec![vector.len()],
                })
            }
        }
    }

    fn pooled(&self, tokens: &ArrayView2<'_, f32>, head: &Head) -> Result<Logit, InferenceError> {
        self.finite(head.logit(&self.pool(tokens)))
    }

    fn pool(&self, tokens: &ArrayView2<'_, f32>) -> Vec<f64> {
        let rows = match &self.form {
            Form::Embedding(Pooling::Mean, _) => tokens.nrows(),
            Form::Embedding(..) | Form::Single(_) | Form::Class(..) | Form::Softmax(_) => 1,
        };
        let mean = |column: ArrayView1<'_, f32>| {
            let sum: f64 = column.iter().take(rows).map(|v| f64::from(*v)).sum();
            sum / rows as f64
        };
        tokens.columns().into_iter().map(mean).collect()
    }

    fn row(&self, row: &ArrayView1<'_, f32>) -> Result<Logit, InferenceError> {
        let at = |index: usize| row.get(index).map_or(f64::NAN, |v| f64::from(*v));
        match &self.form {
            Form::Single(number) => self.number(*number, at(0)),
            Form::Class(number, class) => self.number(*number, at(*class)),
            Form::Softmax(class) => {
                let others = row.iter().enumerate().filter(|(i, _)| i != class);
                let rest = log_sum_exp(others.map(|(_, v)| f64::from(*v)));
                self.finite(at(*class) - rest)
            }
            Form::Embedding(_, head) => {
                let embedding: Vec<f64> = row.iter().map(|v| f64::from(*v)).collect();
                self.finite(head.logit(&embedding))
            }
        }
    }

    fn number(&self, number: Number, value: f64) -> Result<Logit, InferenceError> {
        match number {
            Number::Logit => self.finite(value),
            Number::Probability => {
                let near = (-ROUNDING..=1.0 + ROUNDING).contains(&value);
                let value = if near { value.clamp(0.0, 1.0) } else { value };
                Probability::new(value)
                    .map(Probability::logit)
                    .map_err(|error| InferenceError::NoScore {
                        model: self.model.clone(),
                        value: error.0,
                    })
            }
        }
    }

    fn finite(&self, value: f64) -> Result<Logit, InferenceError> {
        Logit::new(value).map_err(|error| InferenceError::not_finite(&self.model, error))
    }
}

/// ln Σ eˣ, shifted by the largest so that it does not overflow. Log-odds of softmax's class i are
/// xᵢ − ln Σⱼ≠ᵢ eˣʲ.
fn log_sum_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = values.clone().fold(f64::NEG_INFINITY, f64::max);
    largest + values.map(|v| (v - largest).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::ArrayD;
    use std::path::Path;

    fn readout(form: Form) -> Readout {
        Readout {
            model: "m".to_owned(),
            output: "y".to_owned(),
            form,
        }
    }

    fn head() -> Head {
        let text =
            r#"{"schema":"jaga.head/1","kind":"linear","dim":2,"bias":0.0,"weights":[1.0,0.0]}"#;
        Head::parse(Path::new("head.json"), text).unwrap()
    }

    fn read(form: Form, shape: &[usize], values: &[f32]) -> Result<Vec<f64>, InferenceError> {
        let array = ArrayD::from_shape_vec(shape, values.to_vec()).unwrap();
        let logits = readout(form).read(array.view(), shape[0])?;
        Ok(logits.into_iter().map(Logit::get).collect())
    }

    fn close(got: &[f64], want: &[f64]) {
        assert_eq!(got.len(), want.len());
        for (g, w) in got.iter().zip(want) {
            assert!((g - w).abs() < 1e-6, "{got:?} for {want:?}");
        }
    }

    #[test]
    fn closed_forms() {
        let logit = |form, shape: &[usize], values: &[f32]| read(form, shape, values).unwrap();
        close(
            &logit(Form::Single(Number::Logit), &[2], &[1.5, -2.0]),
            &[1.5, -2.0],
        );
        close(
            &logit(Form::Single(Number::Probability), &[1, 1], &[0.5]),
            &[0.0],
        );
        close(
            &logit(Form::Class(Number::Logit, 1), &[1, 2], &[9.0, 3.0]),
            &[3.0],
        );
        let softmax = logit(Form::Softmax(1), &[1, 3], &[0.0, 2.0, 0.0]);
        close(&softmax, &[2.0 - 2.0_f64.ln()]);
        close(
            &logit(Form::Embedding(Pooling::None, head()), &[1, 2], &[3.0, 4.0]),
            &[0.6],
        );
        let tokens = [3.0, 4.0, 3.0, -4.0];
        close(
            &logit(Form::Embedding(Pooling::Cls, head()), &[1, 2, 2], &tokens),
            &[0.6],
        );
        close(
            &logit(Form::Embedding(Pooling::Mean, head()), &[1, 2, 2], &tokens),
            &[1.0],
        );
    }

    #[test]
    fn softmax_does_not_overflow() {
        close(
            &read(Form::Softmax(0), &[1, 2], &[900.0, -900.0]).unwrap(),
            &[1800.0],
        );
    }

    #[test]
    fn what_is_no_score_is_an_error() {
        for value in [f32::NAN, f32::INFINITY, 1.1, -0.1] {
            let error = read(Form::Single(Number::Probability), &[1], &[value]).unwrap_err();
            assert!(matches!(error, InferenceError::NoScore { .. }), "{error}");
        }
        assert!(read(Form::Single(Number::Logit), &[1], &[f32::NAN]).is_err());
        assert!(read(Form::Embedding(Pooling::None, head()), &[1, 2], &[0.0, 0.0]).is_err());
        close(
            &read(Form::Single(Number::Probability), &[1], &[1.000_000_1]).unwrap(),
            &[16.118_095],
        );
    }

    #[test]
    fn another_shape_is_an_error() {
        for (form, shape) in [
            (Form::Single(Number::Logit), &[1, 2][..]),
            (Form::Softmax(2), &[1, 2]),
            (Form::Embedding(Pooling::None, head()), &[1, 3]),
            (Form::Embedding(Pooling::Cls, head()), &[1, 2]),
        ] {
            let count = shape.iter().product();
            let error = read(form, shape, &vec![0.0; count]).unwrap_err();
            assert!(
                matches!(error, InferenceError::OutputShape { .. }),
                "{error}"
            );
        }
        let two = ArrayD::from_elem(vec![2], 0.0_f32);
        assert!(
            readout(Form::Single(Number::Logit))
                .read(two.view(), 1)
                .is_err()
        );
    }
}
