//! A model's head over kept vectors: its graph is not run, nor even loaded.

use crate::domain::coverage::Coverage;
use crate::domain::policy::ModelAnswer;
use crate::domain::quality::LeftOut;
use crate::domain::segments::{Scale, ScoredFrame};
use crate::inference::bundle::{Bundle, Scorer};
use crate::inference::{InferenceError, Readout};
use crate::pipeline::error::AnalyzeError;
use crate::store::kept::{Record, VectorIndex};
use crate::store::{KeptError, Shelf};

/// A model whose head can be asked.
#[derive(Debug)]
pub(super) struct HeadModel {
    pub(super) name: String,
    pub(super) sha256: String,
    scorer: Scorer,
    readout: Readout,
    /// Where its vectors are; `None` for a model without any.
    index: Option<VectorIndex>,
}

impl HeadModel {
    pub(super) fn open(bundle: &Bundle<Scorer>, archive: &Shelf) -> Result<Self, KeptError> {
        let space = bundle.space();
        let index = space.map(|space| archive.vectors(&space.blake3));
        Ok(Self {
            name: bundle.name().to_owned(),
            sha256: bundle.sha256.clone(),
            readout: Readout::new(bundle.name(), &bundle.task.output),
            scorer: bundle.task.clone(),
            index: index.transpose()?,
        })
    }

    /// Whether its vectors of `report` are kept.
    pub(super) fn knows(&self, report: &str) -> bool {
        self.index.as_ref().is_some_and(|index| index.has(report))
    }

    /// What it says of `report`; `None` where no vectors are kept. Reads and computes.
    pub(super) fn answer(&self, report: &str) -> Result<Option<ModelAnswer>, AnalyzeError> {
        let record = match &self.index {
            Some(index) => index.record(report)?,
            None => None,
        };
        record.map(|record| self.judge(&record)).transpose()
    }

    /// As the pipeline judges frames that it decodes. Those of which there is no vector, since no
    /// model was asked about them, are missing.
    fn judge(&self, record: &Record) -> Result<ModelAnswer, AnalyzeError> {
        let scorer = &self.scorer;
        let scale = Scale {
            aggregation: scorer.aggregation,
            calibration: &scorer.calibration,
            thresholds: scorer.verdict,
        };
        let mut frames = Vec::with_capacity(record.frames.len());
        let mut left_out = record.unfit;
        for frame in &record.frames {
            let reason: Option<LeftOut> = scorer.scope.judge(&frame.measures);
            if reason.is_some() {
                left_out = left_out.saturating_add(1);
                continue;
            }
            match self.readout.of_vector(&frame.vector) {
                Ok(logit) => frames.push(ScoredFrame {
                    time_s: frame.time_s,
                    logit,
                }),
                Err(InferenceError::NoScore { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let count = u32::try_from(frames.len()).unwrap_or(u32::MAX);
        let coverage = Coverage::new(record.planned, record.decoded, count);
        let coverage = coverage.leaving_out(left_out);
        let raw = scale.aggregate(&frames).filter(|_| coverage.is_enough());
        let score = raw.map(|raw| scorer.calibration.apply(raw)).transpose();
        let score = score.map_err(|source| AnalyzeError::Calibration {
            model: self.name.clone(),
            source,
        })?;
        Ok(ModelAnswer {
            question: scorer.question.clone(),
            score,
            verdict: scorer.verdict.judge(score),
            coverage,
            no_face: 0,
        })
    }
}
